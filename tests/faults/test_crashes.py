"""A real gunicorn process is killed at many points of a sync; ``python -m benchmarks.crash`` is the large version."""

from __future__ import annotations

import pytest

from benchmarks.crash import SHARES, crashes

SYNCS = [(300, 1), (3_000, 40)]
"""Documents of each, and about how many points at which a process is killed: one an endpoint at least."""


@pytest.mark.slow
@pytest.mark.parametrize(("documents", "kill_points"), SYNCS)
def test_a_process_killed_at_any_call_of_a_run_loses_nothing(documents, kill_points):
    lines = []

    undisturbed, *results = crashes(
        {"documents": documents, "save_every": 100}, kill_points=kill_points, kills=5, say=lines.append
    )

    assert [one.problem for one in results] == [""] * len(results), "\n".join(lines)
    assert undisturbed.repeated == 0
    assert sum(one.kills for one in results) >= len(SHARES), lines
    for one in results:
        assert one.repeated < one.kills * one.emitted, "a resumed run goes on from its checkpoint"


PARTITIONED = [(600, 1), (2_400, 20)]


@pytest.mark.slow
@pytest.mark.parametrize(("documents", "kill_points"), PARTITIONED)
def test_in_partitions_too_and_the_counts_are_those_of_a_run_that_was_never_killed(documents, kill_points):
    lines = []

    undisturbed, *results = crashes(
        {"documents": documents, "save_every": 25, "partitions": 6},
        kill_points=kill_points,
        kills=5,
        say=lines.append,
    )

    assert [one.problem for one in results] == [""] * len(results), "\n".join(lines)
    assert undisturbed.repeated == 0
    assert sum(one.kills for one in results) >= len(SHARES) - 1, lines
