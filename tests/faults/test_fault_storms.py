"""Random faults from seeds; ``python -m benchmarks.storms`` runs two hundred, ``make test-all`` twenty, ``make test`` the first few."""

from __future__ import annotations

import pytest

from benchmarks.storms import storm

SEEDS = [*range(2), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 20))]


@pytest.mark.parametrize("seed", SEEDS)
def test_after_a_storm_the_manager_holds_exactly_what_the_source_has(seed):
    one = storm(seed)
    assert one.problem == ""
    assert one.faults
