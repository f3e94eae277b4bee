"""The ids come in the same order in each run, each once: what a resumed run relies on."""

from collections import Counter
from collections.abc import Iterator

from omni_connector.models.events import CREATED, UPDATED
from omni_connector.testing.checks.bench import Bench
from omni_connector.testing.checks.comparing import named
from omni_connector.testing.checks.finding import Finding, NotApplicableError
from omni_connector.testing.results import SyncResult


def find(bench: Bench) -> Iterator[Finding]:
    """Compare the order of the documents of two full runs."""
    first = _ids(bench.first)
    repeated = [name for name, count in Counter(first).items() if count > 1]
    if repeated:
        yield Finding(
            what=f"{len(repeated)} ids are sent more than once in one sync.",
            where=named(repeated),
            why="The last document with an id replaces the others, which are then not found.",
            remedy="Make ids unique, for example by the container's id in front; or emit each document once.",
        )
    if bench.connector.reads_partitions:
        if not repeated:
            raise NotApplicableError("its partitions are read at once, and each has a state of its own")
        return
    second = _ids(bench.second.result)
    if first != second and sorted(first) == sorted(second):
        place = next(
            index for index, names in enumerate(zip(first, second, strict=True)) if names[0] != names[1]
        )
        yield Finding(
            what="Two full syncs of the same source send the documents in different orders.",
            where=f"{first[place]!r} in one run stands where {second[place]!r} stands in the other",
            why="A run that is resumed from a saved state skips what it takes for done already.",
            remedy="Sort what the source lists in no certain order (a set, a folder, a query without ORDER BY).",
            is_warning=not bench.second.count("checkpoint"),
        )


def _ids(result: SyncResult) -> list[str]:
    return [event["document_id"] for event in result.events if event["type"] in {CREATED, UPDATED}]
