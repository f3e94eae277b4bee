"""The state is never ahead of the documents: a run that is killed anywhere loses none of them."""

from collections.abc import Iterator

from omni_connector.testing.checks.bench import Bench
from omni_connector.testing.checks.comparing import compare, counted, named
from omni_connector.testing.checks.finding import BrokenRunError, Finding, NotApplicableError
from omni_connector.testing.checks.interruptions import Interruption


def find(bench: Bench) -> Iterator[Finding]:
    """Kill a run before each of its batches arrives, one after the other, and resume it."""
    batches = bench.second.count("events")
    if not batches:
        raise NotApplicableError("a full sync of this source sends nothing")
    expected = bench.first.index
    for number in bench.moments(batches, "batches"):
        where = f"before batch {number} of {batches}"
        try:
            resumed = bench.interrupted(Interruption(endpoint="events", number=number, is_done=False))
        except BrokenRunError as error:
            yield Finding(
                what=f"A run that was killed and resumed does not complete. {error.finding.what}",
                where=where,
                why="The manager resumes a run whenever a process dies; after three attempts it gives the run up.",
                remedy="Look at what sync() does with the state that it saved itself.",
            )
            return
        lost = compare(expected, resumed.index).missing
        if lost:
            yield Finding(
                what=f"A run that was killed and resumed has lost {counted(lost)}.",
                where=f"{where}: {named(lost)}",
                why="They are not found by any search until they change, or for ever.",
                remedy="Emit a page, then save the state that covers it. Keep cursors in save_state, not in "
                "save_connector_state, which is kept however the run ends, and not in attributes of the connector.",
            )
            return
