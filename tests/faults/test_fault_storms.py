"""Random faults from seeds; ``python -m benchmarks.storms`` runs two hundred, this the first few."""

from __future__ import annotations

import pytest

from benchmarks.storms import storm

SEEDS = 6


@pytest.mark.parametrize("seed", range(SEEDS))
def test_after_a_storm_the_manager_holds_exactly_what_the_source_has(seed):
    one = storm(seed)
    assert one.problem == ""
    assert one.faults
