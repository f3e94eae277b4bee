"""Values of metrics: added up over processes, bounded, and the same after a way through JSON."""

from __future__ import annotations

import threading

from omni_connector.models.codec import decode, encode
from omni_connector.telemetry import samples
from omni_connector.telemetry.samples import (
    COUNTER,
    GAUGE,
    HISTOGRAM,
    Family,
    Samples,
    from_json,
    merged,
    to_json,
)

COUNT = Family(name="count_total", kind=COUNTER, text="", labels=("kind",))
DEPTH = Family(name="depth", kind=GAUGE, text="")
LATEST = Family(name="latest_seconds", kind=GAUGE, text="", labels=("source",), is_latest=True)
TIMES = Family(name="times_seconds", kind=HISTOGRAM, text="", buckets=(1.0, 10.0))
ALL = (COUNT, DEPTH, LATEST, TIMES)


def filled(count=1.0, depth=2.0, latest=3.0, times=(0.5, 1.0, 5.0, 50.0)):
    found = Samples(ALL)
    found.add(COUNT, ("a",), count)
    found.put(DEPTH, (), depth)
    found.put(LATEST, ("s",), latest)
    for seconds in times:
        found.observe(TIMES, (), seconds)
    return found


def test_values():
    assert filled().values() == {
        "count_total": {("a",): [1.0]},
        "depth": {(): [2.0]},
        "latest_seconds": {("s",): [3.0]},
        "times_seconds": {(): [2.0, 1.0, 1.0, 56.5]},  # A bound belongs to its own bucket.
    }


def test_the_latest_only_rises():
    found = filled(latest=5.0)
    found.put(LATEST, ("s",), 4.0)
    assert found.values()["latest_seconds"] == {("s",): [5.0]}


def test_processes_are_summed_but_for_gauges_of_those_that_have_ended():
    values = [filled(latest=number).values() for number in (3.0, 9.0, 4.0)]
    found = merged(ALL, values[:1], values[1:])
    assert found == {
        "count_total": {("a",): [3.0]},
        "depth": {(): [2.0]},
        "latest_seconds": {("s",): [9.0]},
        "times_seconds": {(): [6.0, 3.0, 3.0, 169.5]},
    }
    assert values[0] == filled().values()  # What was given is left as it is.


def test_a_process_goes_on_with_what_another_has_left():
    found = filled()
    found.go_on_from(filled(count=10.0, depth=50.0, latest=1.0).values())
    assert found.values()["count_total"] == {("a",): [11.0]}
    assert found.values()["depth"] == {(): [2.0]}
    assert found.values()["latest_seconds"] == {("s",): [3.0]}


def test_buckets_of_another_release_are_left_out():
    other = {"times_seconds": {(): [1.0, 2.0]}, "unknown_total": {(): [1.0]}}
    assert merged(ALL, [filled().values(), other], ())["times_seconds"] == {(): [2.0, 1.0, 1.0, 56.5]}


def test_through_json():
    values = filled().values()
    assert from_json(decode(encode(to_json(values)))) == values


def test_series_are_bounded(monkeypatch):
    monkeypatch.setattr(samples, "MOST_SERIES", 3)
    found = Samples(ALL)
    for number in range(10):
        found.add(COUNT, (str(number),))
        found.put(LATEST, (str(number),), float(number))
    assert found.values()["count_total"] == {("0",): [1.0], ("1",): [1.0], ("2",): [1.0], ("other",): [7.0]}
    assert set(found.values()["latest_seconds"]) == {("7",), ("8",), ("9",)}


def test_no_addition_is_lost_between_threads():
    found = Samples(ALL)

    def add():
        for _ in range(2000):
            found.add(COUNT, ("a",))
            found.observe(TIMES, (), 0.5)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.values()["count_total"] == {("a",): [8000.0]}
    assert found.values()["times_seconds"] == {(): [8000.0, 0.0, 0.0, 4000.0]}
