"""The small parts of a run: counters, ledger, stop signal, pulse."""

from __future__ import annotations

import threading

import attrs
import pytest

from omni_connector.exceptions import (
    ManagerUnreachableError,
    SdkClientError,
    ServiceOverloadedError,
    SyncCancelledError,
    SyncInterruptedError,
)
from omni_connector.sync.counters import Counters
from omni_connector.sync.ledger import KEPT, DocumentError, ErrorLedger
from omni_connector.sync.pulse import Pulse
from omni_connector.sync.run_info import RunInfo
from omni_connector.sync.state import RunState

RUN = RunInfo(sync_run_id="run-1", source_id="source-1")

# -- counters ---------------------------------------------------------------------------------------------------


def test_counts_are_summed_and_reported_once(manager):
    counters = Counters(RUN, manager)
    counters.scanned(2)
    counters.scanned(3)
    counters.updated(1)
    counters.report()
    counters.report()
    assert (manager.scanned, manager.updated) == (5, 1)
    assert manager.operations() == ["add_scanned", "add_updated"]
    assert (counters.total_scanned, counters.total_updated) == (5, 1)


def test_nothing_is_reported_where_nothing_was_counted(manager):
    counters = Counters(RUN, manager)
    counters.scanned(0)
    assert counters.age_seconds() is None
    assert not counters.due(0)
    counters.report()
    assert manager.calls == []


def test_a_count_is_due_when_it_has_waited_long_enough(manager):
    counters = Counters(RUN, manager)
    counters.scanned(1)
    assert counters.age_seconds() >= 0
    assert counters.due(0)
    assert not counters.due(3600)
    counters.report()
    assert counters.age_seconds() is None


@pytest.mark.parametrize(
    "error", [ManagerUnreachableError("gone"), ServiceOverloadedError("busy", status=429)]
)
def test_a_count_that_did_not_arrive_is_reported_later(manager, caplog, error):
    counters = Counters(RUN, manager)
    counters.scanned(2)
    counters.updated(1)
    manager.on("add_scanned", error)
    counters.report()
    assert "Could not report 2 scanned documents, they are reported later" in caplog.text
    assert counters.due(0)
    counters.scanned(3)
    manager.on("add_scanned", None)
    counters.report()
    assert (manager.scanned, manager.updated) == (5, 1)


DOUBT = SdkClientError("not repeated, because it may have arrived")


def test_a_count_that_may_have_arrived_is_asked_after_and_reported_if_it_did_not(manager, caplog):
    counters = Counters(RUN, manager)
    counters.scanned(2)
    manager.on("add_scanned", DOUBT)
    counters.report()
    assert "the manager is asked whether they were counted" in caplog.text
    manager.on("add_scanned", None)
    counters.report()
    assert (manager.scanned, counters.total_scanned) == (2, 2)


def test_a_count_that_did_arrive_without_an_answer_is_not_reported_again(manager):
    counters = Counters(RUN, manager)

    def lose_the_answer(arguments):
        manager.scanned += arguments["count"]
        raise DOUBT

    counters.scanned(2)
    manager.on("add_scanned", lose_the_answer)
    counters.report()
    manager.on("add_scanned", None)
    counters.scanned(3)
    counters.report()
    assert (manager.scanned, counters.total_scanned) == (5, 5)


def test_a_resumed_run_goes_on_from_the_managers_figures(manager):
    manager.scanned, manager.updated = 70, 7
    counters = Counters(attrs.evolve(RUN, may_have_begun=True, has_own_checkpoint=True), manager)
    counters.scanned(2)
    manager.on("add_scanned", DOUBT)
    counters.release_all()
    counters.report()
    manager.on("add_scanned", None)
    counters.report()
    assert manager.scanned == 72


@pytest.mark.parametrize("answer", [SdkClientError("gone"), None], ids=["no answer", "unknown run"])
@pytest.mark.parametrize("arrived", [True, False])
def test_where_the_manager_cannot_say_it_is_asked_again_before_the_next_report(
    manager, monkeypatch, answer, arrived
):
    counters = Counters(RUN, manager)
    counters.scanned(2)

    def lose_the_answer(arguments):
        manager.scanned += arguments["count"] if arrived else 0
        raise DOUBT

    with monkeypatch.context() as silent:
        if answer is None:
            silent.setattr(type(manager), "progress", lambda *_: None)
        else:
            manager.on("progress", answer)
        manager.on("add_scanned", lose_the_answer)
        counters.report()
        manager.on("add_scanned", None)
        counters.scanned(3)
        counters.report()
        assert manager.scanned == (5 if arrived else 3)
        assert counters.age_seconds() is not None, "the doubt waits to be resolved"
    manager.on("progress", None)
    counters.report()
    counters.report()
    assert manager.scanned == 5
    assert counters.age_seconds() is None


@pytest.mark.parametrize(("status", "counted"), [(200, 5), (502, 5), (400, 3)])
def test_only_a_refusal_says_that_nothing_was_counted(manager, status, counted):
    counters = Counters(RUN, manager)
    counters.scanned(2)
    manager.on("add_scanned", SdkClientError("odd", status=status))
    counters.report()
    manager.on("add_scanned", None)
    counters.scanned(3)
    counters.report()
    assert manager.scanned == counted


def test_a_doubt_that_stays_until_the_end_is_said(manager, caplog):
    counters = Counters(RUN, manager)
    counters.scanned(2)
    manager.on("add_scanned", DOUBT)
    manager.on("progress", SdkClientError("gone"))
    stop = threading.Event()
    stop.set()
    counters.report_all(stop)
    assert "2 scanned documents may be missing from the figures" in caplog.text


def test_figures_that_nobody_here_reported_are_said_and_gone_on_from(manager, caplog):
    counters = Counters(RUN, manager)
    counters.scanned(2)
    manager.on("add_scanned", DOUBT)
    manager.scanned = 50
    counters.report()
    assert "The manager counts 50 scanned documents, 48 of them unknown to this process" in caplog.text


def test_counts_of_many_threads_add_up(manager):
    counters = Counters(RUN, manager)

    def count():
        for _ in range(1000):
            counters.scanned(1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        counters.report()
    for thread in threads:
        thread.join()
    counters.report()
    assert manager.scanned == counters.total_scanned == 4000


# -- ledger -----------------------------------------------------------------------------------------------------


def document_error(number):
    return DocumentError(document_id=str(number), stage="event", reason="no")


def test_the_last_errors_are_kept_and_all_are_counted():
    ledger = ErrorLedger("run-1")
    for number in range(KEPT + 5):
        ledger.add(document_error(number))
    assert len(ledger) == KEPT + 5
    entries = ledger.entries()
    assert [entries[0].document_id, entries[-1].document_id, len(entries)] == ["5", str(KEPT + 4), KEPT]


def test_what_is_kept_is_handed_out_as_a_copy():
    ledger = ErrorLedger("run-1")
    ledger.add(document_error(1))
    ledger.entries().clear()
    assert len(ledger.entries()) == 1


def test_each_error_is_said_in_the_log_with_the_run(caplog):
    ErrorLedger("run-1").add(DocumentError(document_id="x" * 999, stage="content", reason="too large"))
    (record,) = caplog.records
    assert record.sync_run_id == "run-1"
    assert record.getMessage() == f"Document {'x' * 200!r} did not arrive as it should (content): too large"


def test_errors_of_many_threads_are_counted_exactly():
    ledger = ErrorLedger("run-1")
    threads = [
        threading.Thread(target=lambda: [ledger.add(document_error(1)) for _ in range(200)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledger) == 800


# -- the stop signal --------------------------------------------------------------------------------------------


def test_a_signal_that_is_not_set_lets_everything_pass():
    stop = RunState("run-1")
    stop.raise_if_stopped()
    assert (stop.stopped.is_set(), stop.fence.is_set(), stop.reason) == (False, False, "")


def test_a_cancellation_stops_and_fences():
    stop = RunState("run-1")
    stop.cancel("by the manager")
    assert (stop.stopped.is_set(), stop.fence.is_set(), stop.reason) == (True, True, "by the manager")
    with pytest.raises(SyncCancelledError, match="Sync run run-1 is over: by the manager") as caught:
        stop.raise_if_stopped()
    assert (caught.value.sync_run_id, caught.value.reason) == ("run-1", "by the manager")


def test_an_interruption_stops_without_a_fence():
    stop = RunState("run-1")
    stop.interrupt()
    assert (stop.stopped.is_set(), stop.fence.is_set()) == (True, False)
    with pytest.raises(SyncInterruptedError, match="this process shuts down"):
        stop.raise_if_stopped()


def test_a_cancellation_overrides_an_interruption_but_not_the_other_way_round():
    stop = RunState("run-1")
    stop.interrupt()
    stop.cancel("by hand")
    stop.interrupt()
    assert stop.fence.is_set()
    with pytest.raises(SyncCancelledError, match="by hand") as caught:
        stop.raise_if_stopped()
    assert not isinstance(caught.value, SyncInterruptedError)


def test_the_error_is_a_new_one_each_time():
    stop = RunState("run-1")
    stop.cancel()
    errors = []
    for _ in range(2):
        with pytest.raises(SyncCancelledError) as caught:
            stop.raise_if_stopped()
        errors.append(caught.value)
    assert errors[0] is not errors[1]


def test_callbacks_are_called_when_it_is_set_unless_they_were_forgotten():
    stop = RunState("run-1")
    called = []
    stop.on_stop(lambda: called.append("kept"))
    forget = stop.on_stop(lambda: called.append("forgotten"))
    forget()
    forget()
    stop.cancel()
    assert called == ["kept"]


def test_a_callback_that_comes_late_is_called_at_once():
    stop = RunState("run-1")
    stop.interrupt()
    called = []
    stop.on_stop(lambda: called.append(True))()
    assert called == [True]


def test_a_callback_may_use_the_signal_itself():
    stop = RunState("run-1")
    seen = []
    stop.on_stop(lambda: (stop.on_stop(lambda: seen.append("inner")), seen.append(stop.reason)))
    stop.cancel("now")
    assert seen == ["inner", "now"]


# -- the pulse --------------------------------------------------------------------------------------------------


def test_the_last_call_is_known_by_name_and_subject():
    pulse = Pulse()
    assert pulse.last == "start"
    pulse.touch("emit", "page-7")
    assert pulse.last == "emit of 'page-7'"
    pulse.touch("flush")
    assert pulse.last == "flush"
    pulse.touch("emit", "x" * 999)
    assert pulse.last == f"emit of {'x' * 200!r}"


def test_a_call_that_waits_inside_the_sdk_is_not_idle():
    pulse = Pulse()
    assert pulse.idle_seconds > 0
    with pulse.inside("sleep"):
        assert pulse.idle_seconds == 0.0
        with pulse.inside("flush"):  # From another thread, say.
            assert pulse.idle_seconds == 0.0
        assert pulse.idle_seconds == 0.0
    assert pulse.idle_seconds > 0
    assert pulse.last == "sleep"


def test_a_callback_that_fails_keeps_no_other_from_being_woken(caplog):
    stop, woken = RunState("run-1"), []
    stop.on_stop(lambda: 1 / 0)
    stop.on_stop(lambda: woken.append(True))
    stop.cancel()
    assert woken == [True]
    assert "A callback of run run-1 failed" in caplog.text


def test_a_count_that_the_manager_refuses_is_not_reported_for_ever(manager, caplog):
    counters = Counters(RUN, manager)
    counters.scanned(2)
    manager.on("add_scanned", SdkClientError("no", status=422))
    counters.report()
    assert "they are missing from the figures" in caplog.text
    assert not counters.due(0)


def test_at_a_barrier_a_count_that_did_not_arrive_is_tried_again(manager):
    counters = Counters(RUN, manager)
    failures = [ManagerUnreachableError("gone"), DOUBT]

    def fail_twice(_):
        if failures:
            raise failures.pop(0)

    manager.on("add_scanned", fail_twice)
    counters.scanned(2)
    counters.report_all(threading.Event())
    assert manager.scanned == 2


def test_a_stopped_run_waits_for_no_count(manager):
    counters, stop = Counters(RUN, manager), threading.Event()
    stop.set()
    manager.on("add_scanned", ManagerUnreachableError("gone"))
    counters.scanned(2)
    counters.report_all(stop)
    assert manager.operations() == ["add_scanned"]
