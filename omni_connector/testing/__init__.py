"""For the tests of connectors: what arrives when a connector syncs, through the real protocol.

With pytest there is nothing to set up; the fixtures ``run_sync`` and ``omni_manager`` are there once the package is
installed:

    def test_every_note_arrives(run_sync):
        result = run_sync(Notes(), config={"folder": "notes"})
        assert result.status == "completed"
        assert result.documents["todo"].content == "milk, bread"

Names are imported when they are first used: the pytest plugin is loaded in every pytest run of everybody who has the
package installed.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omni_connector.testing.memory import Call, MemoryManager

__all__ = ["Call", "MemoryManager"]

_HOMES = {"Call": "memory", "MemoryManager": "memory"}


def __getattr__(name: str) -> Any:
    """Import ``name`` from the module that holds it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
