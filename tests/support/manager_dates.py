"""Days whose managers the end-to-end suites run against: today's, and older ones with less and less.

A test module that takes them all says:

    from support.manager_dates import omni_manager, pytest_generate_tests

and marks the tests that need more than the oldest has with ``@since(...)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from omni_connector.local import LocalManager, LocalSettings, Since
from omni_connector.local.manager_dates import to_manager_date

DATES = {
    "today": None,
    "without people": "2026-08-01",
    "without checkpoints": "2026-06-02",
    "without batches": "2026-04-01",
    "of February": "2026-02-13",
}


def since(feature: Since) -> Callable:
    """Run the test against the managers that have the feature."""

    def mark(function: Callable) -> Callable:
        function.since = feature
        return function

    return mark


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test of a module against every date that it can run against."""
    if "day" not in metafunc.fixturenames:
        return
    feature = getattr(metafunc.function, "since", None)
    days = {name: day for name, day in DATES.items() if feature is None or to_manager_date(day).has(feature)}
    metafunc.parametrize("day", days.values(), ids=days.keys())


@pytest.fixture
def omni_manager(tmp_path, day) -> Iterator[LocalManager]:
    """The embedded manager as it was on that day."""
    settings = LocalSettings(revision=day)
    with LocalManager(tmp_path / "omni-manager", settings=settings, schedule=False) as manager:
        yield manager
