"""The same sync twice gives the same documents."""

from collections.abc import Iterator

from omni_connector.testing.checks.bench import Bench
from omni_connector.testing.checks.comparing import compare
from omni_connector.testing.checks.finding import Finding


def find(bench: Bench) -> Iterator[Finding]:
    """Sync two new sources with the same settings."""
    difference = compare(bench.first.index, bench.second.result.index)
    if difference.missing or difference.unexpected:
        yield Finding(
            what=f"Two full syncs of the same source bring different documents: {difference}.",
            where=difference.where,
            why="A document whose id changes is indexed again at each sync, and the old one is never deleted.",
            remedy="Take the id from the source (a key, a path), not from hash(), a counter, a random number or the time. "
            "If the source itself has changed meanwhile, check one that stands still.",
        )
    elif difference:
        yield Finding(
            what=f"Two full syncs of the same source differ: {difference}.",
            where=difference.where,
            why="A document that looks changed at each sync is sent and indexed anew each time.",
            remedy="Take nothing into a document that depends on the moment or on the process: the time of the sync, "
            "the order of a set, an address that expires.",
        )
