"""Whose data a source's administrator wants indexed; the manager only stores the wish (PROTOCOL, section 14)."""

from collections.abc import Iterable
from typing import Any

from attrs import field, frozen

from omni_connector.models.sync import SyncConfig, UserFilterMode, to_filter_mode


def _addresses(values: Iterable[Any] | None) -> frozenset[str]:
    """The manager does not check the elements; what is not text is ignored."""
    return frozenset(value.strip().lower() for value in values or () if isinstance(value, str))


@frozen
class UserFilter:
    """Says of an e-mail address whether its owner's data is wanted; case does not matter.

    Attributes:
        mode: ``all``, ``whitelist`` (only the listed ones) or ``blacklist`` (all but the listed ones).
        whitelist: addresses; without any, no user is wanted.
        blacklist: addresses; without any everybody is wanted.
    """

    mode: UserFilterMode = field(default=UserFilterMode.ALL, converter=to_filter_mode)
    whitelist: frozenset[str] = field(default=None, converter=_addresses)
    blacklist: frozenset[str] = field(default=None, converter=_addresses)

    @classmethod
    def of(cls, config: SyncConfig) -> "UserFilter":
        """Return the filter of a source."""
        return cls(config.user_filter_mode, config.user_whitelist, config.user_blacklist)

    def wants(self, email: str | None) -> bool:
        """Say whether this person's data is wanted. Without an address only the mode ``all`` wants it."""
        if self.mode == UserFilterMode.ALL:
            return True
        address = (email or "").strip().lower()
        if self.mode == UserFilterMode.BLACKLIST:
            return bool(address) and address not in self.blacklist
        # Also for modes that are not known yet: no user too many.
        return bool(address) and address in self.whitelist
