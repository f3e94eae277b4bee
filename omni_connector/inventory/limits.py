"""How many documents may be deleted at once without approval."""

from attrs import field, frozen

from omni_connector.exceptions import ConfigurationError


def _is_share(instance: object, attribute: object, value: float | None) -> None:
    del instance, attribute
    if value is not None and not 0 <= value <= 1:
        raise ConfigurationError(f"DeletionLimits: share={value!r} is not between 0 and 1 (0.2 is 20 %).")


@frozen(kw_only=True)
class DeletionLimits:
    """How many documents ``inventory.finish()`` may delete in one scope and run without an operator's approval.

    A listing in which there is nothing at all always needs approval.

    Attributes:
        share: of the documents that were known before the run, from 0 to 1; None switches this limit off.
        small: where no more documents than this were known, the share is not looked at.
    """

    share: float | None = field(default=0.2, validator=_is_share)
    small: int = 10

    def needs_approval(self, *, deleted: int, known: int, is_empty: bool) -> bool:
        """Say whether so many of the known documents may be deleted only with approval.

        Args:
            deleted: how many would be deleted.
            known: how many documents were known.
            is_empty: whether nothing at all was seen.
        """
        if deleted == 0:
            return False
        return is_empty or (self.share is not None and known > self.small and deleted > self.share * known)
