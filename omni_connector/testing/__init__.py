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
    "actions": ("ActionAnswer",),
    "call_log": ("Call",),
    "checks.standard_tests": ("ConnectorStandardTests",),
    "faults": ("Answer", "Delay", "Do", "FaultPlan", "FaultyManager", "GoAway", "Hang", "LostAnswer", "NotJson", "Refuse", "Reset", "Truncated"),
    "harness": ("OmniTestHarness", "SeedHelper", "count_events", "get_events", "wait_for_sync"),
    "memory": ("MemoryManager",),
    "results": ("ArrivedDocument", "SyncResult"),
    "running": ("SyncRunner", "run_sync"),
    "served": ("ServedConnector", "call_action", "serve_connector"),
}  # fmt: skip
"""Names by the module that holds them."""


def __getattr__(name: str) -> Any:
    """Import ``name`` from the module that holds it."""
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
