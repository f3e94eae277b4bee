"""Property-based tests that try the same examples each time."""

from __future__ import annotations

from hypothesis import HealthCheck, settings


def deterministic(examples: int = 100) -> settings:
    """Return settings without chance, deadline or files; fixtures that only guard may be shared by examples."""
    return settings(
        derandomize=True,
        deadline=None,
        database=None,
        max_examples=examples,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
