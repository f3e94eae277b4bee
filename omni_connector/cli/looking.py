"""What the commands that look into the data directory have in common."""

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import define

from omni_connector.cli.errors import CommandError
from omni_connector.cli.output import Output, one_line
from omni_connector.cli.stored import chosen, unknown
from omni_connector.cli.tables import NOTHING, did
from omni_connector.local import SyncRunRow, running_manager
from omni_connector.local.browse import RunSummary, SourceSummary, find_run_ids, list_sources, reading
from omni_connector.run_reports import read_report, withheld

LAST = "last"
"""Names the newest run."""


@define(kw_only=True, slots=False)
class Looking:
    """A data directory that is being looked into.

    Attributes:
        db: the connection, for the functions of ``local.browse``.
        output: where the command speaks.
        data_dir: the data directory.
    """

    db: Any
    output: Output
    data_dir: Path

    @functools.cached_property
    def has_manager(self) -> bool:
        """Whether a manager uses the data directory; without one no run is in progress, whatever its status."""
        return running_manager(self.data_dir) is not None

    def status(self, run: SyncRunRow) -> str:
        """Return the status of a run for people: ``interrupted`` where no process executes it."""
        return "interrupted" if run.is_running and not self.has_manager else run.status

    def stored_status(self, status: str | None) -> str | None:
        """Return how a run is stored that has this status for people; one of which there is none where that cannot be."""
        if self.has_manager:
            return status
        return {"interrupted": "running", "running": "interrupted"}.get(status or "", status)

    def last_status(self, source: SourceSummary) -> str:
        """Return the status of a source's last run for people: ``never`` where it has none."""
        return "never" if source.last_run is None else self.status(source.last_run.run)

    def outcome(self, summary: RunSummary) -> str:
        """Return what a run did, whether it has withheld deletions, and why it failed."""
        run = summary.run
        remarks = ["deletions withheld"] if withheld(read_report(self.data_dir, run.id)) else []
        if run.error_message:
            remarks.append(one_line(run.error_message))
        done = did(summary.counts)
        return "; ".join(remarks if done == NOTHING and remarks else [done, *remarks])

    def sources(self, *, deleted: bool = False) -> list[SourceSummary]:
        """Return the sources by name."""
        return list_sources(self.db, deleted=deleted)

    def source(self, typed: str) -> SourceSummary:
        """Return the source with a name or id; raises CommandError where there is none."""
        summaries = {each.source.id: each for each in self.sources(deleted=True)}
        return summaries[chosen([each.source for each in summaries.values()], typed).id]

    def source_id(self, typed: str | None) -> str | None:
        """Return the id of the source that a filter names."""
        return None if typed is None else self.source(typed).source.id

    def run_id(self, typed: str | None) -> str | None:
        """Return the id of the run that a filter names, also by how it begins or as ``last``; raises CommandError."""
        if typed is None:
            return None
        found = find_run_ids(self.db, "" if typed == LAST else typed.upper(), limit=1 if typed == LAST else 2)
        if len(found) == 1:
            return found[0]
        if found:
            raise CommandError(f"--run {one_line(typed)}: several runs begin so. Type more of the id.")
        raise unknown(f"--run {one_line(typed)}: there is no such run", typed, find_run_ids(self.db))


@contextlib.contextmanager
def looking(data_dir: Path, output: Output) -> Iterator[Looking]:
    """Open a data directory for reading, whether or not a manager uses it; raises StoreError where there is nothing."""
    with reading(data_dir) as db:
        yield Looking(db=db, output=output, data_dir=data_dir)


def say_more(output: Output, following: object) -> None:
    """Say how the list goes on, if it does."""
    if following is not None and not output.as_json:
        output.say(f"There is more: add --after {following}")
