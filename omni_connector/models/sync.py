"""What the manager sends to start a run, and what a run needs to know about its source."""

import datetime as dt
import enum
from typing import Any, Final, cast

from attrs import field, frozen

from omni_connector.models import fields
from omni_connector.models.model import Absent, Model


class SyncMode(enum.StrEnum):
    """The kinds of run; the mode that the manager sends is binding (PROTOCOL, section 5)."""

    FULL = "full"
    INCREMENTAL = "incremental"
    REALTIME = "realtime"

    @property
    def slot(self) -> "Slot":
        """The slot class that a run of this mode occupies at its source (PROTOCOL, section 4)."""
        return Slot.REALTIME if self is SyncMode.REALTIME else Slot.SCHEDULED


class Slot(enum.StrEnum):
    """A source has one run of each class at a time."""

    SCHEDULED = "scheduled"
    REALTIME = "realtime"


class UserFilterMode(enum.StrEnum):
    """Whose data a source's administrator wants indexed (PROTOCOL, section 14)."""

    ALL = "all"
    WHITELIST = "whitelist"
    BLACKLIST = "blacklist"


def to_filter_mode(mode: str) -> UserFilterMode:
    """Return the mode of that name; one that is not known yet stays text."""
    return UserFilterMode(mode) if mode in set(UserFilterMode) else cast("UserFilterMode", mode)


ABSENT: Final = Absent.ABSENT


@frozen(kw_only=True)
class SyncRequest(Model):
    """Body of ``POST /sync`` (connector.openapi.yaml).

    Attributes:
        last_sync_at: when the source's last completed run completed, with its offset. Only with incremental.
        checkpoint: any JSON value; ``ABSENT`` when left out.
        is_resume: the manager resumes a run that was lost.
        documents_scanned: what the run has counted before, like ``documents_updated``; no manager sends them so far.
    """

    sync_run_id: str = field(validator=fields.nonempty_text)
    source_id: str = field(validator=fields.nonempty_text)
    sync_mode: str = field(validator=fields.one_of(*SyncMode))
    last_sync_at: dt.datetime | None = None
    checkpoint: Any = ABSENT
    is_resume: bool = False
    documents_scanned: int = 0
    documents_updated: int = 0

    @property
    def mode(self) -> SyncMode:
        """``sync_mode`` as a SyncMode."""
        return SyncMode(self.sync_mode)


@frozen(kw_only=True)
class CancelRequest(Model):
    """Body of ``POST /cancel``."""

    sync_run_id: str


@frozen(kw_only=True)
class SyncConfig(Model):
    """What one run needs to know about its source (``GET /sdk/source/{id}/sync-config``).

    Attributes:
        credentials: the provider's secrets; never logged, not part of ``repr``.
        source_type: such as ``web``; None from managers before 11 March 2026.

    The other fields are as in ``SourceRow``.
    """

    config: Any = None
    credentials: Any = field(default=None, repr=False)
    connector_state: Any = None
    checkpoint: Any = ABSENT
    source_type: str | None = None
    user_filter_mode: str = field(default=UserFilterMode.ALL, converter=to_filter_mode)
    user_whitelist: list[Any] | None = None
    user_blacklist: list[Any] | None = None


@frozen(kw_only=True)
class RunProgress(Model):
    """What the manager knows of a run (manager.openapi.yaml, SyncProgress).

    Attributes:
        status: ``running``, ``completed``, ``failed`` or ``cancelled``.
        documents_processed: documents that the indexer has worked on; the others are sums of what was reported.
    """

    status: str
    documents_scanned: int = 0
    documents_processed: int = 0
    documents_updated: int = 0

    @property
    def has_begun(self) -> bool:
        """Something was reported or delivered for it."""
        return bool(self.documents_scanned or self.documents_processed or self.documents_updated)
