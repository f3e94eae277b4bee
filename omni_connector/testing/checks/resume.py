"""A run that is interrupted at any saved state and resumed brings what an uninterrupted one brings."""

from collections.abc import Iterator

from omni_connector.testing.checks.bench import Bench
from omni_connector.testing.checks.comparing import Difference, compare
from omni_connector.testing.checks.finding import BrokenRunError, Finding, NotApplicableError
from omni_connector.testing.checks.interruptions import Interruption


def find(bench: Bench) -> Iterator[Finding]:
    """Break off a run after each of its saved states, one after the other."""
    saved = bench.second.count("checkpoint")
    if not saved:
        raise NotApplicableError("it saves no state within a run: a resumed run begins anew")
    expected = bench.first.index
    for number in bench.moments(saved, "saved states"):
        where = f"after saved state {number} of {saved}"
        try:
            resumed = bench.interrupted(Interruption(endpoint="checkpoint", number=number, is_done=True))
        except BrokenRunError as error:
            yield _broken(where, error)
            return
        difference = compare(expected, resumed.index)
        if difference:
            yield _different(where, difference)
            return


def _broken(where: str, error: BrokenRunError) -> Finding:
    return Finding(
        what=f"A run that was interrupted and resumed does not complete. {error.finding.what}",
        where=where,
        why="The manager resumes a run whenever a process is restarted; after three attempts it gives the run up.",
        remedy="Look at what sync() does with the state that it saved itself: a missing key, a value of another type.",
    )


def _different(where: str, difference: Difference) -> Finding:
    lost = "The state was saved before the documents that it covers were emitted, or covers more than was emitted."
    return Finding(
        what=f"A run that was interrupted and resumed brings other documents: {difference}.",
        where=f"{where}: {difference.where}",
        why="These documents stay wrong in the index until a later full sync, which the manager runs once only.",
        remedy=f"{lost} Emit first, then call save_state."
        if difference.missing
        else "Make documents independent of where a run begins.",
    )
