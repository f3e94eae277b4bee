"""A real gunicorn process is killed at many points of a sync; ``python -m benchmarks.crash`` is the large version."""

from __future__ import annotations

from benchmarks.crash import SHARES, crashes


def test_a_process_killed_at_any_call_of_a_run_loses_nothing():
    told = []

    undisturbed, *results = crashes(documents=1_500, kill_points=8, kills=5, save_every=100, say=told.append)

    assert [one.problem for one in results] == [""] * len(results), "\n".join(told)
    assert undisturbed.repeated == 0
    assert sum(one.kills for one in results) >= len(SHARES), told
    for one in results:
        assert one.repeated < one.kills * one.emitted, "a resumed run goes on from its checkpoint"
