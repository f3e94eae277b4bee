"""As many uploads at once as help, and no more: on a virtual clock, against a manager that serves ten at a time."""

from __future__ import annotations

import pytest
from support.ten_at_a_time import TenAtATime, adapting, best_fixed

from omni_connector.manager.gate import Gate
from omni_connector.manager.limit import FIRST_LIMIT, MOST_UPLOADS, AdaptiveLimit


@pytest.mark.parametrize("distance", [0.0, 0.005, 0.02])
@pytest.mark.parametrize("service", [0.005, 0.02])
@pytest.mark.parametrize("jitter", [0.0, 0.3])
def test_it_finds_what_the_best_fixed_number_would_reach(distance, service, jitter):
    world = {"distance_seconds": distance, "service_seconds": service, "jitter": jitter}
    best, needed = best_fixed(**world)
    throughput, in_air = adapting(**world)
    assert throughput >= 0.97 * best
    assert in_air <= 1.5 * needed


@pytest.mark.parametrize("places", [1, 2, 4, 30])
def test_a_manager_that_serves_fewer_or_more_gets_fewer_or_more(places):
    world = {"places": places, "distance_seconds": 0.005}
    best, needed = best_fixed(**world)
    throughput, in_air = adapting(**world)
    assert throughput >= 0.97 * best
    assert in_air <= needed + 5


def test_it_follows_a_manager_that_becomes_slower():
    """The undisturbed time is measured anew: otherwise a slower manager would look like a full one for ever."""
    world = TenAtATime()
    limit = AdaptiveLimit(clock=lambda: world.now)
    world.uploads(limit=limit, seconds=15.0)
    slower = TenAtATime(service_seconds=0.06)
    slower.now = world.now
    limit._clock = lambda: slower.now
    throughput, in_air = slower.uploads(limit=limit, seconds=30.0, warm_up=world.now + 15.0)
    assert throughput >= 0.95 * 10 / 0.06
    assert in_air <= 15


def test_without_anything_that_waits_it_stays():
    now = [0.0]
    limit = AdaptiveLimit(clock=lambda: now[0])
    for _ in range(1000):
        began, now[0] = now[0], now[0] + 0.01
        limit.finished(began, is_full=False)
    assert limit.value == FIRST_LIMIT


def test_a_fixed_number_stays_whatever_happens():
    assert adapting(fixed=3)[1] == pytest.approx(3, rel=0.01)
    limit = AdaptiveLimit(3)
    limit.overloaded()
    assert limit.value == 3


def test_an_overload_halves_it_down_to_one_and_it_recovers():
    world = TenAtATime()
    limit = AdaptiveLimit(clock=lambda: world.now)
    world.uploads(limit=limit, seconds=5.0)
    before = limit.value
    limit.overloaded()
    assert limit.value == before // 2
    for _ in range(10):
        limit.overloaded()
    assert limit.value == 1
    again = TenAtATime()
    again.now = world.now
    limit._clock = lambda: again.now
    again.uploads(limit=limit, seconds=5.0, warm_up=world.now)
    assert limit.value >= 10


def test_it_is_never_more_than_the_process_bears():
    world = TenAtATime(places=1000, distance_seconds=0.05)
    limit = AdaptiveLimit(clock=lambda: world.now)
    world.uploads(limit=limit, seconds=5.0)
    assert limit.value == MOST_UPLOADS


class Caller:
    def __init__(self, gate, began, *, ends_at_once=False):
        self.gate, self.began, self.ends_at_once = gate, began, ends_at_once

    def begin(self):
        self.began.append(self)
        if self.ends_at_once:
            self.gate.leave()


def test_a_gate_lets_in_as_many_as_its_limit_in_order():
    gate, began = Gate(AdaptiveLimit(2)), []
    callers = [Caller(gate, began) for _ in range(4)]
    for caller in callers:
        gate.enter(caller)
    first = Caller(gate, began)
    gate.enter(first, first=True)
    assert began == callers[:2]
    gate.leave()
    gate.leave()
    assert began == [*callers[:2], first, callers[2]]


def test_thousands_of_calls_that_end_at_once_are_no_recursion():
    gate, began = Gate(AdaptiveLimit(1)), []
    held = Caller(gate, began)
    gate.enter(held)
    for _ in range(5000):
        gate.enter(Caller(gate, began, ends_at_once=True))
    gate.leave()
    assert len(began) == 5001
