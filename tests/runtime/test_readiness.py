"""``GET /ready``'s checks: never waited for too long, never more than one of a kind at once, and asked for seldom."""

from __future__ import annotations

import threading

import pytest
from support.waiting import eventually

from omni_connector.exceptions import ConnectorError
from omni_connector.runtime import readiness
from omni_connector.runtime.readiness import Readiness

WAIT_SECONDS = 1.0


class Asked:
    """A check that can be made to hang."""

    def __init__(self, error=None):
        self.error = error
        self.count = 0
        self.free = threading.Event()
        self.free.set()

    def __call__(self):
        self.count += 1
        assert self.free.wait(120)
        if self.error is not None:
            raise self.error
        return "fine"


@pytest.fixture
def make(monkeypatch):
    made = []

    def make(fresh_seconds=0.0, wait_seconds=WAIT_SECONDS, **checks):
        monkeypatch.setattr(readiness, "FRESH_SECONDS", fresh_seconds)
        made.append((Readiness("test", checks, wait_seconds=wait_seconds), checks.values()))
        return made[-1][0]

    yield make
    for each, checks in made:
        for check in checks:
            check.free.set()
        each.close()


def test_ready_when_nothing_is_missing(make):
    report = make(one=Asked(), two=Asked()).report()
    assert report.is_ready
    assert report.to_json() == {
        "status": "ready",
        "checks": {"one": {"ok": True, "detail": "fine"}, "two": {"ok": True, "detail": "fine"}},
        "reasons": [],
    }


def test_says_what_is_missing(make):
    report = make(one=Asked(), two=Asked(ConnectorError("no answer from http://there"))).report()
    assert not report.is_ready
    assert report.to_json()["reasons"] == ["two: no answer from http://there"]


def test_a_check_with_a_fault_is_a_reason(make, caplog):
    report = make(one=Asked(KeyError("secret")))
    assert report.report().to_json()["reasons"] == ["one: the check failed (KeyError); see the log"]


def test_answers_are_given_again_for_a_moment(make):
    check = Asked()
    ready = make(one=check, fresh_seconds=60.0)
    for _ in range(5):
        ready.report()
    assert check.count == 1


def test_a_check_that_hangs_is_named_and_not_begun_again(make):
    hanging = Asked()
    hanging.free.clear()
    ready = make(one=Asked(), two=hanging)
    for _ in range(2):
        report = ready.report()
        assert report.findings["one"].is_ok
        assert "no answer for" in report.findings["two"].text
    assert hanging.count == 1
    hanging.free.set()
    hanging_again = ready.report()
    assert hanging_again.is_ready


def test_only_one_caller_waits_once_there_is_an_answer(make):
    check = Asked()
    ready = make(one=check, wait_seconds=60)
    ready.report()
    check.free.clear()
    leader = threading.Thread(target=ready.report)
    leader.start()
    eventually(lambda: ready._is_asking)
    assert ready.report().is_ready  # The answer before.
    assert leader.is_alive()
    check.free.set()
    leader.join()


def test_after_it_was_closed_it_says_so(make):
    ready = make(one=Asked())
    ready.close()
    assert "closed" in ready.report().to_json()["reasons"][0]
