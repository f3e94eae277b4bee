"""Records that authors read as dicts or by attributes: a source's row, a credential's row, an old action parameter.

They are dicts, because that is what travels; connectors written for an SDK with pydantic models read ``source.config``.
"""

import copy
import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import attrs

from omni_connector.models.source import ServiceCredential
from omni_connector.models.sync import UserFilterMode, to_filter_mode


class Record(dict[str, Any]):
    """A dict whose keys may also be read and set as attributes."""

    __slots__ = ()

    lacking: ClassVar[Mapping[str, Any]] = {}
    """Attributes of records that do not have the key."""

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        if name in self.lacking:
            return self.lacking[name]
        known = ", ".join(sorted(self)) or "nothing"
        raise AttributeError(f"{type(self).__name__} has no {name!r}; it has {known}", name=name, obj=self)

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def model_dump(self, *, exclude_none: bool = False, **_options: Any) -> dict[str, Any]:
        """Return a plain dict with copies of what the record holds.

        Args:
            exclude_none: leave out keys whose value is None.
            **_options: others of pydantic, which change nothing.
        """
        dumped: dict[str, Any] = copy.deepcopy(dict(self))
        return {key: value for key, value in dumped.items() if value is not None or not exclude_none}

    @classmethod
    def model_validate(cls, obj: Mapping[str, Any]) -> Self:
        """Return ``obj`` as such a record."""
        return obj if isinstance(obj, cls) else cls(obj)


class Source(Record):
    """A source's row (manager.openapi.yaml, Source), as ``execute_action`` gets it.

    Its keys are the fields of ``SourceRow``; ``created_at`` and ``updated_at`` are RFC 3339 text, with a six-digit year
    (PROTOCOL, section 19), and ``checkpoint`` is None when none was published.
    """

    __slots__ = ()

    lacking: ClassVar[Mapping[str, Any]] = dict.fromkeys(
        ("user_whitelist", "user_blacklist", "connector_state", "checkpoint", "sync_interval_seconds")
    )

    @property
    def user_filter_mode(self) -> UserFilterMode:
        """Whose data the source's administrator wants indexed; as a key it is text."""
        return to_filter_mode(self.get("user_filter_mode", UserFilterMode.ALL))


class ActionParameter(Record):
    """A parameter, as actions declared them before March 2026: ``parameters={"query": ActionParameter(...)}``.

    ``type`` is that of the JSON value, such as ``string``.
    """

    __slots__ = ()

    lacking: ClassVar[Mapping[str, Any]] = {"type": "string", "required": False, "description": None}


class Credential(Record):
    """A credential's row, as an ``@action`` gets it for its parameter ``credential``.

    Its keys are the fields of ``ServiceCredential``; what the manager did not send is None as an attribute.
    """

    __slots__ = ()

    lacking: ClassVar[Mapping[str, Any]] = dict.fromkeys(
        attribute.name for attribute in attrs.fields(ServiceCredential) if attribute.name != "credentials"
    )

    def __repr__(self) -> str:
        """Show everything but the secrets."""
        return f"{type(self).__name__}({ {**self, 'credentials': '***'} })"


class ActionCredentials(dict[str, Any]):
    """The secrets, as an ``@action`` gets them for its parameter ``credentials``.

    Keys of the row are still found, with a DeprecationWarning, where no secret has the same name: until November 2026
    ``credentials`` was the row.

    Attributes:
        row: the whole row; None from managers that send the secrets alone.
    """

    def __init__(self, secrets: Mapping[str, Any], row: Credential | None) -> None:
        super().__init__(secrets)
        self.row = row

    def __missing__(self, key: str) -> Any:
        return self._from_row(key)

    def get(self, key: str, default: Any = None) -> Any:
        """As a dict's; keys of the row are found as well."""
        if key in self:
            return self[key]
        return default if self.row is None or key not in self.row else self._from_row(key)

    def _from_row(self, key: str) -> Any:
        if self.row is None or key not in self.row:
            raise KeyError(key)
        warnings.warn(
            f"credentials of an @action are the secrets; {key!r} belongs to the row, which is passed as the parameter "
            f"credential: write credential[{key!r}]",
            DeprecationWarning,
            stacklevel=3,
        )
        return self.row[key]


def secrets_and_row(credentials: Any) -> tuple[dict[str, Any], Credential | None]:
    """Return a provider's secrets, and the row that they came in.

    Args:
        credentials: in any shape of the protocol: a ServiceCredential, McpCredentials, the secrets alone, or None
            (PROTOCOL, section 16); or what an action was given.
    """
    if isinstance(credentials, ActionCredentials):
        return dict(credentials), credentials.row
    if not isinstance(credentials, dict):
        return {}, None
    if not _is_row(credentials):
        return credentials, None
    return credentials["credentials"] or {}, Credential(credentials)


def _is_row(credentials: Mapping[str, Any]) -> bool:
    """Tell a row from secrets that are stored under a key called ``credentials``."""
    return (
        "credentials" in credentials
        and isinstance(credentials["credentials"], (dict, type(None)))
        and not {"auth_type", "config", "principal_email"}.isdisjoint(credentials)
    )
