"""What is known about a run when it starts."""

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Protocol

from attrs import Factory, field, frozen

from omni_connector.inventory.standing import RunFacts
from omni_connector.masking import secrets_in, secrets_in_settings
from omni_connector.models import SyncConfig, SyncMode, SyncRequest
from omni_connector.models.sync import ABSENT, UserFilterMode, to_filter_mode
from omni_connector.telemetry.log_context import RunIdentity
from omni_connector.typed.declared_types import DeclaredTypes


def _addresses(values: Iterable[Any] | None) -> frozenset[str]:
    """The manager does not check the elements; what is not text is ignored."""
    return frozenset(value.strip().lower() for value in values or () if isinstance(value, str))


@frozen
class UserFilter:
    """Whose data a source's administrator wants indexed; the manager only stores the wish (PROTOCOL, section 14).

    Case does not matter.

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


def _unnamed(info: "RunInfo") -> RunIdentity:
    return RunIdentity("", info.sync_run_id, info.source_id, info.mode)


def _unchanged(state: Any) -> Any:
    return state


class Declaring(Protocol):
    """What a connector declares about its sources.

    Attributes:
        declared_types: the classes of its settings, credentials and states.
    """

    declared_types: ClassVar[DeclaredTypes]

    @property
    def sync_modes(self) -> list[str]:
        """Its modes."""
        ...

    @property
    def masked_settings(self) -> frozenset[str]:
        """Its settings that are secret."""
        ...

    @property
    def reads_partitions(self) -> bool:
        """Whether its states are those of partitions."""
        ...


@frozen(kw_only=True)
class RunInfo:
    """One run: what the manager dispatched, and what it says of the source.

    Attributes:
        source_type: such as ``web``, or None from managers before 11 March 2026.
        mode: full, incremental or realtime.
        checkpoint: the run's own where it has saved one, else the source's, or None; normally a dict.
        starts_from_nothing: a full run that has saved no checkpoint yet, of a connector that also has incremental runs:
            it reads everything, whatever the source's checkpoint says.
        has_own_checkpoint: this run has saved ``checkpoint`` itself, before it was resumed.
        connector_state: durable notes of the source, or None.
        last_sync_at: when the source's last completed run completed, with its offset, or None.
        is_resume: the manager resumes a run that was lost.
        may_have_begun: an earlier process may have worked on it: it is a resume, or a first dispatch that may be a repeat.
            Always true for a resume.
        documents_scanned: what the dispatch says that the run has counted before; 0 when it says nothing.
        documents_updated: the same.
        user_filter: whose data the source's administrator wants indexed.
        config: the source's settings; empty where it has none.
        credentials: the source's secrets; empty where it has none.
        shown_state: makes what authors see of a saved state.
        secrets: texts that no report may show.
        identity: what log lines say of it.
    """

    sync_run_id: str
    source_id: str
    source_type: str | None = None
    mode: SyncMode = SyncMode.FULL
    checkpoint: Any = None
    starts_from_nothing: bool = False
    has_own_checkpoint: bool = False
    connector_state: Any = None
    last_sync_at: dt.datetime | None = None
    is_resume: bool = False
    may_have_begun: bool = field(default=Factory(lambda self: self.is_resume, takes_self=True))
    documents_scanned: int = 0
    documents_updated: int = 0
    user_filter: UserFilter = field(factory=UserFilter)
    config: Any = field(factory=dict)
    credentials: Any = field(factory=dict, repr=False)
    shown_state: Callable[[Any], Any] = field(default=_unchanged, eq=False, repr=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    identity: RunIdentity = field(default=Factory(_unnamed, takes_self=True), eq=False)

    @classmethod
    def of(
        cls, request: SyncRequest, source: SyncConfig, connector: "Declaring", *, may_have_begun: bool
    ) -> "RunInfo":
        """Join request and source; the checkpoint as in PROTOCOL, section 18."""
        published = source.connector_state if source.checkpoint is ABSENT else source.checkpoint
        checkpoint = published if request.checkpoint is ABSENT else request.checkpoint
        # The dispatch of a resumed run carries its own checkpoint, else the source's: one that equals it was not its own.
        has_own = request.is_resume and checkpoint != published
        has_choice = request.mode is SyncMode.FULL and SyncMode.INCREMENTAL in connector.sync_modes
        return cls(
            sync_run_id=request.sync_run_id,
            source_id=request.source_id,
            source_type=source.source_type,
            mode=request.mode,
            checkpoint=checkpoint,
            has_own_checkpoint=has_own,
            starts_from_nothing=has_choice and not has_own,
            connector_state=source.connector_state,
            last_sync_at=request.last_sync_at,
            is_resume=request.is_resume,
            may_have_begun=may_have_begun,
            documents_scanned=request.documents_scanned,
            documents_updated=request.documents_updated,
            user_filter=UserFilter.of(source),
            config=source.config or {},
            credentials=source.credentials or {},
            shown_state=connector.declared_types.states_of
            if connector.reads_partitions
            else connector.declared_types.state_of,
            secrets=secrets_in(source.credentials)
            | secrets_in_settings(source.config, connector.masked_settings)
            | secrets_in_settings(source.connector_state),
        )

    @property
    def state(self) -> Any:
        """Where the connector goes on: the checkpoint, or None for a run that starts from nothing."""
        return None if self.starts_from_nothing else self.checkpoint

    def for_inventories(self) -> RunFacts:
        """Return what an inventory needs to know of the run."""
        partition = self.identity.partition
        return RunFacts(
            sync_run_id=self.sync_run_id,
            source=f"{self.source_id}/{partition}" if partition else self.source_id,
            partition_of=self.source_id if partition else "",
            is_full=self.mode is SyncMode.FULL,
            checkpoint=self.checkpoint,
            has_own_checkpoint=self.has_own_checkpoint,
            starts_from_nothing=self.starts_from_nothing,
            was_synced=self.last_sync_at is not None,
            config=self.config,
        )
