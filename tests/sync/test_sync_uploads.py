"""How many contents are uploaded at once: found by trying."""

from __future__ import annotations

import threading

import pytest

from omni_connector.sync.adaptive import (
    BACKED_OFF_WINDOWS,
    SHORTEST_WINDOW_SECONDS,
    WINDOW_UPLOADS,
    AdaptiveLimit,
)
from omni_connector.sync.uploads import FIRST_PARALLEL_UPLOADS, MOST_PARALLEL_UPLOADS, UploadPool

WAIT = 10


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Manager:
    """Answers ``seconds`` after an upload began, up to ``capacity`` at once; more only wait."""

    def __init__(self, limit, clock, *, seconds=0.02, capacity=1000, cost=0.0):
        self._limit, self._clock = limit, clock
        self._seconds, self._capacity, self._cost = seconds, capacity, cost

    def run(self, windows):
        """Let so many measurements pass; return the limits that were seen."""
        seen = []
        for _ in range(windows):
            limit = self._limit.value
            seen.append(limit)
            throughput = min(limit, self._capacity) / self._seconds / (1 + self._cost * limit)
            uploads = max(WINDOW_UPLOADS * limit, int(throughput * SHORTEST_WINDOW_SECONDS) + 2)
            for _ in range(uploads):
                self._clock.now += 1 / throughput
                self._limit.finished(saturated=True)
                if self._limit.value != limit:
                    break
        return seen


@pytest.fixture
def clock():
    return Clock()


def test_the_limit_climbs_while_throughput_climbs_with_it(clock):
    limit = AdaptiveLimit(16, most=64, clock=clock)
    seen = Manager(limit, clock).run(12)
    assert seen[0] == 16
    assert max(seen) == 64


def test_the_limit_comes_down_where_fewer_do_the_same(clock):
    limit = AdaptiveLimit(16, clock=clock)
    seen = Manager(limit, clock, capacity=4).run(200)
    assert min(seen) <= 6
    assert sum(seen[-20:]) / 20 < 16


def test_the_limit_stays_within_its_bounds(clock):
    limit = AdaptiveLimit(16, least=3, most=20, clock=clock)
    for capacity in (1, 1000):
        assert all(3 <= value <= 20 for value in Manager(limit, clock, capacity=capacity).run(100))


@pytest.mark.parametrize(("first", "kept"), [(1, 4), (8, 8), (99, 16)])
def test_the_first_limit_is_moved_into_the_bounds(first, kept):
    assert AdaptiveLimit(first, least=4, most=16).value == kept


def test_a_fixed_limit_never_moves(clock):
    limit = AdaptiveLimit(5, least=5, most=5, clock=clock)
    assert set(Manager(limit, clock).run(50)) == {5}
    assert limit.overloaded() == 5


def test_without_others_waiting_throughput_says_nothing(clock):
    limit = AdaptiveLimit(16, clock=clock)
    for _ in range(10_000):
        clock.now += 0.001
        limit.finished(saturated=False)
    assert limit.value == 16


def test_an_overloaded_manager_halves_the_limit_once_a_window(clock):
    limit = AdaptiveLimit(16, clock=clock)
    assert [limit.overloaded() for _ in range(5)] == [8] * 5
    for _ in range(WINDOW_UPLOADS * 8):
        clock.now += 0.01
        limit.finished(saturated=True)
    assert limit.overloaded() == 4


def test_an_overloaded_manager_is_left_in_peace_for_a_while(clock):
    limit = AdaptiveLimit(16, clock=clock)
    limit.overloaded()
    manager = Manager(limit, clock)
    assert set(manager.run(BACKED_OFF_WINDOWS)) == {8}
    assert max(manager.run(10)) > 8


def test_the_pool_begins_with_sixteen_threads_and_runs_what_it_is_given(closing):
    pool = closing(UploadPool("test-upload"))
    assert FIRST_PARALLEL_UPLOADS == 16
    together = threading.Barrier(16)
    futures = [pool.submit(lambda: str(together.wait(WAIT))) for _ in range(16)]
    assert sorted(int(future.result(WAIT)) for future in futures) == list(range(16))


def test_a_fixed_number_of_uploads_is_kept(closing):
    pool = closing(UploadPool("test-upload", parallel=2))
    pool.overloaded()
    together = threading.Barrier(2)
    futures = [pool.submit(lambda: str(together.wait(WAIT))) for _ in range(2)]
    assert {future.result(WAIT) for future in futures} == {"0", "1"}
    assert len([thread for thread in threading.enumerate() if thread.name.startswith("test-upload")]) == 2


def test_overload_halves_the_pool(closing):
    pool = closing(UploadPool("test-upload"))
    pool.overloaded()
    lock, release = threading.Lock(), threading.Event()
    running = 0

    def upload():
        nonlocal running
        with lock:
            running += 1
            if running == 8:
                release.set()
        release.wait(WAIT)
        return "c"

    futures = [pool.submit(upload) for _ in range(16)]
    assert {future.result(WAIT) for future in futures} == {"c"}
    assert len([thread for thread in threading.enumerate() if thread.name.startswith("test-upload")]) <= 8


def test_an_upload_s_error_is_in_its_future(closing):
    pool = closing(UploadPool("test-upload"))

    def fails():
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        pool.submit(fails).result(WAIT)


def test_the_most_uploads_leave_room_for_health_checks():
    assert MOST_PARALLEL_UPLOADS <= 64
