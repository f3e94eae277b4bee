"""A full sync of the source completes, brings documents, and reports no errors."""

from collections.abc import Iterator

from omni_connector.testing.checks.bench import Bench
from omni_connector.testing.checks.comparing import SHOWN
from omni_connector.testing.checks.finding import Finding


def find(bench: Bench) -> Iterator[Finding]:
    """Sync a new source once."""
    result = bench.first
    for error in result.errors[:SHOWN]:
        yield Finding(
            what=f"A {error.kind} did not arrive (stage {error.stage}): {error.reason}",
            where=f"{error.kind} {error.document_id!r}",
            why="It is not found by any search.",
            remedy="Fix what makes it, or leave it out at the source that is checked if it is broken there.",
        )
    if not result.index:
        yield Finding(
            what="The sync brings no document.",
            where="full sync",
            why="Most checks compare documents, and show nothing without any.",
            remedy="Check a source that holds a few documents: --config, --set.",
        )
