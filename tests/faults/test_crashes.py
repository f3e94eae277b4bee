"""A real gunicorn process is killed at many points of a sync; ``python -m benchmarks.crash`` is the large version."""

from __future__ import annotations

import pytest

from benchmarks.crash import SHARES, crashes

KILL_POINTS = 14
"""About so many, and one an endpoint at least; the documents of a sync make room for that many calls."""


@pytest.mark.slow
def test_a_process_killed_at_any_call_of_a_run_loses_nothing():
    lines = []

    undisturbed, *results = crashes(
        {"documents": 3_000, "save_every": 100}, kill_points=KILL_POINTS, kills=5, say=lines.append
    )

    assert [one.problem for one in results] == [""] * len(results), "\n".join(lines)
    assert undisturbed.repeated == 0
    assert sum(one.kills for one in results) >= len(SHARES), lines
    for one in results:
        assert one.repeated < one.kills * one.emitted, "a resumed run goes on from its checkpoint"


@pytest.mark.slow
def test_in_partitions_too_and_the_counts_are_those_of_a_run_that_was_never_killed():
    lines = []

    undisturbed, *results = crashes(
        {"documents": 2_400, "save_every": 25, "partitions": 6},
        kill_points=KILL_POINTS,
        kills=5,
        say=lines.append,
    )

    assert [one.problem for one in results] == [""] * len(results), "\n".join(lines)
    assert undisturbed.repeated == 0
    assert sum(one.kills for one in results) >= len(SHARES) - 1, lines
