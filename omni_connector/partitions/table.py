"""What is known of the partitions of one run; no threads, no manager."""

from copy import deepcopy
from typing import Any

from attrs import define, evolve, field, frozen

from omni_connector.exceptions import ConnectorError, InvalidValueError
from omni_connector.models.json_values import JsonValue
from omni_connector.models.partition import Partition
from omni_connector.partitions.layout import PartitionCheckpoint, SavedPartition
from omni_connector.partitions.messages import DONE, FAILED, Assignment, PartitionReport
from omni_connector.telemetry.figures import Figures

LISTING = ""
"""In the place of a key, for what ``partitions`` itself emits and counts; it is done again when a run is resumed."""

NOTHING = Figures()


@define
class _Entry:
    """One partition.

    Attributes:
        state: the last that was saved, by any run.
        is_saved: this run has saved it.
        at_state: what this run had done when it was saved.
        now: what this run has done.
        offset: what is missing in the figures of the current attempt.
        attempt: how often it was begun.
        data: as ``partitions`` gave it.
        is_listed: ``partitions`` has named it in this run.
        outcome: as in a report.
        error: why it failed.
    """

    state: JsonValue = None
    is_saved: bool = False
    at_state: Figures = NOTHING
    now: Figures = NOTHING
    offset: Figures = NOTHING
    attempt: int = 0
    data: dict[str, Any] = field(factory=dict)
    is_listed: bool = False
    outcome: str = ""
    error: str = ""


@frozen(kw_only=True)
class RunFacts:
    """What all partitions of a run have in common.

    Attributes:
        is_fresh: states that this run has not saved itself are not handed out: it reads everything.
        finishes: a partition that was read to its end is not read again by this run; false for realtime runs.
        assignment: what is the same in every assignment.
    """

    sync_run_id: str
    is_fresh: bool = False
    finishes: bool = True
    assignment: Assignment = field(factory=lambda: Assignment(key=""))


class PartitionTable:
    """Knows state, figures and outcome of each partition. Not safe to use from many threads: its owner has a lock.

    States come in and go out as copies: what a connector changes in one of its own must not be saved before it says so.

    Args:
        run: what is known of the run.
        checkpoint: what the run begins with.
    """

    def __init__(self, run: RunFacts, checkpoint: PartitionCheckpoint) -> None:
        self._run = run
        self._entries: dict[str, _Entry] = {}
        self._entries[LISTING] = _Entry(attempt=1)
        is_own = checkpoint.run_id == run.sync_run_id
        for key, saved in checkpoint.partitions.items():
            counted = Figures(scanned=saved.scanned, updated=saved.updated) if is_own else NOTHING
            self._entries[key] = _Entry(
                state=saved.state,
                is_saved=is_own and saved.is_saved,
                at_state=counted,
                now=counted,
                outcome=DONE if is_own and saved.is_done and run.finishes else "",
            )

    # -- what happens in the run ----------------------------------------------------------------------------------

    def add(self, partition: Partition) -> bool:
        """Take a partition that ``partitions`` names; return False when it was read to its end before a resume.

        Raises:
            InvalidValueError: it is no partition, or its key was named before.
        """
        if not isinstance(partition, Partition):
            raise InvalidValueError(
                model="partitions",
                field="partition",
                value=partition,
                remedy='give Partition(key="...", data={...})',
            )
        entry = self._entries.setdefault(partition.key, _Entry())
        if entry.is_listed:
            raise InvalidValueError(
                model="Partition",
                field="key",
                value=partition.key,
                remedy="partitions() has named it before: give every partition a key of its own",
            )
        entry.is_listed = True
        entry.data = partition.data
        return entry.outcome != DONE

    def begin(self, key: str) -> tuple[Assignment, Figures]:
        """Return what a partition begins with, and what the run has done less by that: a second attempt reads again.

        Raises:
            ConnectorError: it has ended; a task that is delivered twice must not read it again.
        """
        entry = self._entries[key]
        if entry.outcome in {DONE, FAILED}:
            raise ConnectorError(f"partition {key!r} has ended already ({entry.outcome})")
        entry.attempt += 1
        entry.outcome = ""
        less = entry.at_state - entry.now
        entry.now = entry.at_state
        entry.offset = evolve(entry.at_state, scanned=0, updated=0)
        assignment = evolve(
            self._run.assignment,
            key=key,
            data=entry.data,
            attempt=entry.attempt,
            checkpoint=deepcopy(entry.state),
            starts_from_nothing=self._run.is_fresh and not entry.is_saved,
            is_own=entry.is_saved,
            before=Figures(scanned=entry.at_state.scanned, updated=entry.at_state.updated),
        )
        return assignment, less

    def take(self, report: PartitionReport) -> Figures | None:
        """Note a report; return what was done since the last one, or None for one that is out of date."""
        entry = self._entries[report.key]
        if report.attempt != entry.attempt:
            return None
        now = entry.offset + report.figures
        more = now - entry.now
        entry.now = now
        if entry.outcome:  # Its end was reported; what it met after that is counted.
            return more
        if report.has_saved:
            entry.state = deepcopy(report.state)
            entry.is_saved = True
        if report.has_saved or report.outcome == DONE:
            entry.at_state = now
        entry.outcome = report.outcome
        entry.error = report.error
        return more

    def lose(self, key: str, error: str) -> None:
        """Note that a partition is read nowhere any more, and why."""
        entry = self._entries[key]
        if not entry.outcome:
            entry.outcome = FAILED
            entry.error = error

    # -- questions ------------------------------------------------------------------------------------------------

    @property
    def is_fresh(self) -> bool:
        """The run begins from nothing."""
        return self._run.is_fresh

    @property
    def counted(self) -> Figures:
        """What this run had done when the states were saved."""
        return sum((entry.at_state for entry in self._entries.values()), NOTHING)

    @property
    def count(self) -> int:
        """How many partitions were named."""
        return sum(entry.is_listed for entry in self._entries.values())

    @property
    def failures(self) -> dict[str, str]:
        """Why partitions were not read to their end, by key."""
        return {
            key: entry.error or "it was stopped before its end"
            for key, entry in self._entries.items()
            if entry.is_listed and entry.outcome != DONE
        }

    def states(self, *, of_this_run: bool) -> dict[str, JsonValue]:
        """Return the states by key, all of them or those that this run has saved."""
        return {
            key: deepcopy(entry.state)
            for key, entry in self._entries.items()
            if entry.state is not None and (entry.is_saved or not of_this_run)
        }

    def checkpoint(self, *, final: bool = False) -> PartitionCheckpoint:
        """Return the checkpoint of the run; the ``final`` one has no partitions that are gone."""
        return PartitionCheckpoint(
            run_id=self._run.sync_run_id,
            partitions={
                key: SavedPartition(
                    state=entry.state,
                    is_saved=entry.is_saved,
                    is_done=entry.outcome == DONE and self._run.finishes,
                    scanned=entry.at_state.scanned,
                    updated=entry.at_state.updated,
                )
                for key, entry in self._entries.items()
                if (entry.is_listed or not final) and (entry.state is not None or entry.outcome == DONE)
            },
        )
