"""An incremental run after a full one sends nothing when nothing has changed."""

from collections.abc import Iterator

from omni_connector.models.events import CREATED, DELETED, UPDATED
from omni_connector.testing.checks.bench import Bench
from omni_connector.testing.checks.comparing import named
from omni_connector.testing.checks.finding import Finding


def find(bench: Bench) -> Iterator[Finding]:
    """Sync a source in full, then incrementally."""
    bench.require_incremental()
    full = bench.first
    again = bench.sync(full.source_id, "incremental")
    sent = [event["document_id"] for event in again.events if event["type"] in {CREATED, UPDATED}]
    gone = [event["document_id"] for event in again.events if event["type"] == DELETED]
    if sent:
        is_whole = set(sent) >= set(full.documents)
        yield Finding(
            what=f"An incremental sync sends {len(sent)} of {len(full.documents)} documents although nothing has changed.",
            where=named(sent),
            why="Incremental syncs run every few minutes; each reads and indexes these documents again.",
            remedy="Save a state and begin where it says: complete(new_state=...)."
            if is_whole and full.state is None
            else "Compare with what was sent before (a cursor, a fingerprint), and let ties at the cursor count as sent.",
        )
    if gone:
        yield Finding(
            what=f"An incremental sync deletes {len(gone)} documents that are still there.",
            where=named(gone),
            why="They vanish from all searches until the next full sync, which the manager runs once only.",
            remedy="Delete what the source says is gone, not what this run has not seen.",
        )
