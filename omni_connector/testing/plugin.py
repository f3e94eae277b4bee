"""The pytest plugin; pytest loads it wherever the package is installed (entry point ``pytest11``).

Everything else of the package is imported when a fixture is first used.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from omni_connector.local import LocalManager
    from omni_connector.testing.faults import FaultyManager
    from omni_connector.testing.running import SyncRunner


@pytest.fixture
def omni_manager(tmp_path: Path) -> Iterator["LocalManager"]:
    """An embedded manager on a free port, with its data under ``tmp_path``; ticks only when ``tick()`` is called."""
    from omni_connector.local import LocalManager  # noqa: PLC0415 - see above.

    with LocalManager(tmp_path / "omni-manager", schedule=False) as manager:
        yield manager


@pytest.fixture
def run_sync(omni_manager: "LocalManager") -> "SyncRunner":
    """Run syncs of a connector at ``omni_manager``; a second one continues the first (``omni_connector.testing.run_sync``)."""
    from omni_connector.testing.running import SyncRunner  # noqa: PLC0415 - see above.

    return SyncRunner(omni_manager)


@pytest.fixture
def faulty_manager(omni_manager: "LocalManager") -> Iterator["FaultyManager"]:
    """A proxy in front of ``omni_manager`` that breaks the calls which its ``plan`` names."""
    from omni_connector.testing.faults import FaultyManager  # noqa: PLC0415 - see above.

    with FaultyManager(omni_manager) as faulty:
        yield faulty
