"""The runs of a check: what is wanted, what was seen, and what is said of one that breaks."""

from collections.abc import Iterator

from attrs import field, frozen

from omni_connector.exceptions import ConnectorError
from omni_connector.manager import Policies
from omni_connector.models import SyncMode
from omni_connector.models.json_values import JsonValue
from omni_connector.testing.checks.finding import BrokenRunError, Finding
from omni_connector.testing.faults import QUICK, FaultPlan
from omni_connector.testing.faults.connection import ProxiedCall
from omni_connector.testing.results import SyncResult


@frozen(kw_only=True)
class ObservedRun:
    """A run, and what passed between it and the manager.

    Attributes:
        result: what arrived.
        calls: every call to the manager, in order.
    """

    result: SyncResult
    calls: list[ProxiedCall] = field(repr=False)

    def count(self, endpoint: str) -> int:
        """Return how often an endpoint was called, by its name in ``ENDPOINTS``."""
        return sum(call.endpoint == endpoint for call in self.calls)


@frozen(kw_only=True)
class RunOrder:
    """What run is wanted.

    Attributes:
        source_id: of the source; it is made where there is none.
        mode: full or incremental.
        config: other settings than the subject's.
        plan: what goes wrong between the connector and the manager.
        policies: how patient the connector is with the manager.
        may_fail: the run need not complete.
    """

    source_id: str
    mode: str = SyncMode.FULL
    config: JsonValue = None
    plan: FaultPlan = field(factory=FaultPlan)
    policies: Policies = QUICK
    may_fail: bool = False


def require_completed(result: SyncResult, kind: str) -> None:
    """Raise BrokenRunError for a run that did not complete."""
    if result.status != "completed":
        raise BrokenRunError(broken_run(kind, result.status, result.error))


def broken_run(kind: str, outcome: str, error: str | None) -> Finding:
    """Return what is said of a run that ends as something else than completed."""
    raised = (error or "").partition(":")[0]
    is_explained = raised in {each.__name__ for each in _subclasses(ConnectorError)}
    return Finding(
        what=f"The {kind} sync ends as {outcome}: {error or 'without a reason'}",
        where=f"{kind} sync",
        why="What it has not sent by then is not found by any search.",
        remedy="Correct what the error names: the source, or the settings and credentials that were given."
        if is_explained
        else "Run it with omni-connector run -v, which shows the traceback.",
    )


def _subclasses(kind: type[ConnectorError]) -> Iterator[type[ConnectorError]]:
    for each in kind.__subclasses__():
        yield each
        yield from _subclasses(each)


def spread(number: int, wanted: int) -> list[int]:
    """Return at most ``wanted`` of the numbers from 1 to ``number``, evenly spread, the first and the last among them."""
    if number <= wanted:
        return list(range(1, number + 1))
    return sorted({1 + round(index * (number - 1) / max(1, wanted - 1)) for index in range(wanted)})
