"""For the tests of connectors: what arrives when a connector syncs, through the real protocol.

With pytest there is nothing to set up; the fixtures ``run_sync`` and ``omni_manager`` are there once the package is
installed:

    def test_every_note_arrives(run_sync):
        result = run_sync(Notes(), config={"folder": "notes"})
        assert result.status == "completed"
        assert result.documents["todo"].content == "milk, bread"

Elsewhere import the function ``run_sync``. ``call_action`` runs an action, ``serve_connector`` keeps a connector
served for whatever else is to be tried, ``MemoryManager`` is for unit tests of single calls. The fixture
``faulty_manager`` breaks chosen calls on their way to ``omni_manager`` (docs/how-to/testing-with-faults.md).
``OmniTestHarness`` and what belongs to it are for test suites that were written for containers.

``ConnectorStandardTests`` makes tests of all that every connector must get right (docs/how-to/checking.md).

Names are imported when they are first used: the pytest plugin is loaded in every pytest run wherever the
package is installed.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omni_connector.testing.actions import ActionAnswer
    from omni_connector.testing.call_log import Call
    from omni_connector.testing.checks.standard_tests import ConnectorStandardTests
    from omni_connector.testing.faults import (
        Answer,
        Delay,
        Do,
        FaultPlan,
        FaultyManager,
        GoAway,
        Hang,
        LostAnswer,
        NotJson,
        Refuse,
        Reset,
        Truncated,
    )
    from omni_connector.testing.harness import (
        OmniTestHarness,
        SeedHelper,
        count_events,
        get_events,
        wait_for_sync,
    )
    from omni_connector.testing.memory import MemoryManager
    from omni_connector.testing.results import ArrivedDocument, SyncResult
    from omni_connector.testing.running import SyncRunner, run_sync
    from omni_connector.testing.served import ServedConnector, call_action, serve_connector

__all__ = [
    "ActionAnswer",
    "Answer",
    "ArrivedDocument",
    "Call",
    "ConnectorStandardTests",
    "Delay",
    "Do",
    "FaultPlan",
    "FaultyManager",
    "GoAway",
    "Hang",
    "LostAnswer",
    "MemoryManager",
    "NotJson",
    "OmniTestHarness",
    "Refuse",
    "Reset",
    "SeedHelper",
    "ServedConnector",
    "SyncResult",
    "SyncRunner",
    "Truncated",
    "call_action",
    "count_events",
    "get_events",
    "run_sync",
    "serve_connector",
    "wait_for_sync",
]

_HOMES = {
    "ActionAnswer": "actions",
    "Answer": "faults",
    "ArrivedDocument": "results",
    "Call": "call_log",
    "ConnectorStandardTests": "checks.standard_tests",
    "Delay": "faults",
    "Do": "faults",
    "FaultPlan": "faults",
    "FaultyManager": "faults",
    "GoAway": "faults",
    "Hang": "faults",
    "LostAnswer": "faults",
    "MemoryManager": "memory",
    "NotJson": "faults",
    "OmniTestHarness": "harness",
    "Refuse": "faults",
    "Reset": "faults",
    "SeedHelper": "harness",
    "ServedConnector": "served",
    "SyncResult": "results",
    "SyncRunner": "running",
    "Truncated": "faults",
    "call_action": "served",
    "count_events": "harness",
    "get_events": "harness",
    "run_sync": "running",
    "serve_connector": "served",
    "wait_for_sync": "harness",
}
"""The module that holds each name."""


def __getattr__(name: str) -> Any:
    """Import ``name`` from the module that holds it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
