"""What a run's time is spent on, and how far it is."""

import threading

import pytest

from omni_connector.telemetry import meter as meter_module
from omni_connector.telemetry.figures import Figures, Progress, Stage
from omni_connector.telemetry.meter import RunMeter, looked_at


class Clock:
    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(meter_module, "time", clock)
    return clock


def test_what_is_not_waiting_is_reading(clock):
    meter = RunMeter()
    clock.now += 3
    with meter.stage(Stage.WAITING_MANAGER):
        clock.now += 5
    with meter.stage(Stage.WAITING_RATE_LIMIT):
        clock.now += 2
        assert meter.stages()[Stage.WAITING_RATE_LIMIT] == 2
    assert meter.seconds == 10
    assert meter.stages() == {
        Stage.READING: 3,
        Stage.STORING_CONTENTS: 0,
        Stage.SENDING_EVENTS: 0,
        Stage.WAITING_MANAGER: 5,
        Stage.WAITING_RATE_LIMIT: 2,
    }


def test_the_background_takes_nothing_from_reading(clock):
    meter = RunMeter()
    with meter.stage(Stage.SENDING_EVENTS):
        clock.now += 4
    assert meter.stages()[Stage.READING] == 4
    assert meter.stages()[Stage.SENDING_EVENTS] == 4


def test_threads_that_wait_at_the_same_time_count_once(clock):
    meter = RunMeter()
    with meter.stage(Stage.WAITING_MANAGER):
        clock.now += 1
        with meter.stage(Stage.WAITING_MANAGER):
            clock.now += 1
        with meter.stage(Stage.WAITING_RATE_LIMIT):
            clock.now += 1
    assert meter.stages()[Stage.WAITING_MANAGER] == 3
    assert meter.stages()[Stage.READING] == 0


def test_the_time_stands_still_after_the_end(clock):
    meter = RunMeter()
    clock.now += 1
    meter.end()
    clock.now += 50
    assert meter.seconds == 1
    assert meter.stages()[Stage.READING] == 1


def test_partitions_count_instead_of_the_run_that_waits_for_them(clock):
    run, one, two = RunMeter(), RunMeter(), RunMeter()
    run.add_part(one)
    run.add_part(two)
    two.watch_buffer(lambda: (3, 300))
    clock.now += 10
    one.delivered(1000)
    run.part_ended(one)
    with two.stage(Stage.WAITING_MANAGER):
        clock.now += 5
        assert run.stages()[Stage.READING] == 20
        assert run.stages()[Stage.WAITING_MANAGER] == 5
    assert run.buffered() == (3, 300)
    assert run.traffic() == (1, 1000)
    run.part_ended(two)
    assert run.stages()[Stage.READING] == 20
    assert run.buffered() == (0, 0)


def test_a_phase_counts_from_its_beginning(clock):
    meter = RunMeter()
    assert meter.progress(Figures()) is None
    meter.set_progress(0, total=10, phase="users")
    meter.set_progress(10, total=None, phase="pages")
    clock.now += 8
    assert meter.progress(Figures(scanned=14)) == Progress(phase="pages", total=None, done=4, seconds=8)
    meter.set_progress(14, total=20, phase=None)
    progress = meter.progress(Figures(scanned=14))
    assert (progress.phase, progress.share, progress.remaining_seconds) == ("pages", 0.2, 32)


def test_the_totals_of_partitions_add_up(clock):
    meter = RunMeter()
    meter.set_progress(0, total=10, phase="mail", partition="a")
    meter.set_progress(5, total=30, phase="mail", partition="b")
    assert meter.progress(Figures(emitted=20)).share == 0.5


@pytest.mark.parametrize(
    ("progress", "share", "remaining"),
    [
        (Progress(done=5), None, None),
        (Progress(total=10, done=0, seconds=9), 0.0, None),
        (Progress(total=10, done=15, seconds=3), 1.0, 0),
        (Progress(total=0, done=0), 1.0, None),
    ],
)
def test_what_is_not_known_is_not_said(progress, share, remaining):
    assert (progress.share, progress.remaining_seconds) == (share, remaining)


def test_documents_count_once_as_looked_at():
    assert looked_at(Figures(scanned=7, emitted=3, deleted=1)) == 7
    assert looked_at(Figures(emitted=3, deleted=1, unread=2)) == 6


def test_many_threads_leave_the_meter_as_it_was():
    meter = RunMeter()

    def wait_often():
        for _ in range(200):
            with meter.stage(Stage.WAITING_MANAGER):
                pass

    threads = [threading.Thread(target=wait_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meter.stages()[Stage.WAITING_MANAGER] <= meter.seconds
