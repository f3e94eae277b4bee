"""A document costs one document; when nearly all fail, the run does."""

from __future__ import annotations

import contextlib

import pytest

from omni_connector import Document, ErrorLimits, SdkClientError, TooManyErrorsError
from omni_connector.models.codec import decode
from omni_connector.sync.cancellation import StopSignal
from omni_connector.sync.context import SyncContext
from omni_connector.sync.delivery import DeliveryLimits
from omni_connector.sync.ending import Ending
from omni_connector.sync.ledger import CONNECTOR_STAGE, DocumentError, ErrorLedger
from omni_connector.sync.run_info import RunInfo

OFF = {"total": None, "consecutive": None, "share": None}


def fail(ledger, count=1, stage=CONNECTOR_STAGE):
    for number in range(count):
        ledger.add(DocumentError(document_id=str(number), stage=stage, reason="no"))


def ledger_of(**limits):
    return ErrorLedger("run-1", ErrorLimits(**{**OFF, **limits}))


def test_the_default_allows_half_of_five_hundred():
    assert ErrorLimits() == ErrorLimits(total=None, consecutive=None, share=0.5, recent=500)
    ledger = ErrorLedger("run-1")
    ledger.looked_at(250)
    fail(ledger, 250)
    ledger.check()
    fail(ledger)
    with pytest.raises(TooManyErrorsError, match="Too many documents failed: 251 of the last 500") as caught:
        ledger.check()
    assert caught.value.count == 251


def test_unchanged_documents_that_are_only_counted_are_looked_at_too():
    ledger = ErrorLedger("run-1")
    for _ in range(1000):
        ledger.looked_at(30)
        fail(ledger)
    ledger.check()


def test_documents_counted_between_two_failures_part_them():
    ledger = ledger_of(consecutive=1)
    for _ in range(5):
        ledger.looked_at(2)
        fail(ledger)
    ledger.check()


def test_a_success_in_between_begins_the_row_anew():
    ledger = ledger_of(consecutive=2)
    for _ in range(5):
        fail(ledger, 2)
        ledger.read()
    ledger.check()
    fail(ledger, 3)
    with pytest.raises(TooManyErrorsError, match="3 one after the other"):
        ledger.check()


def test_all_failures_of_a_run_count_for_the_total():
    ledger = ledger_of(total=3)
    fail(ledger, 2)
    ledger.read()
    fail(ledger, 1, stage="event")
    ledger.check()
    fail(ledger, 1, stage="content")
    with pytest.raises(TooManyErrorsError, match="4 in this run"):
        ledger.check_refused()


def test_the_share_is_judged_over_the_last_documents_and_not_before_so_many_were_seen():
    ledger = ledger_of(share=0.5, recent=10)
    fail(ledger, 9)
    ledger.check()  # Nine are too few to judge.
    for _ in range(1000):
        ledger.read()
    for _ in range(5):
        fail(ledger)
        ledger.read()
    ledger.check()  # Five of the last ten.
    fail(ledger, 2)
    with pytest.raises(TooManyErrorsError, match="6 of the last 10"):
        ledger.check()


def test_what_the_connector_could_not_read_and_what_the_manager_refused_are_looked_at_apart():
    ledger = ledger_of(consecutive=2)
    fail(ledger, 2)
    fail(ledger, 2, stage="event")
    ledger.check()
    ledger.check_refused()
    ledger.accepted(1)
    fail(ledger, 2, stage="event")
    ledger.check_refused()
    fail(ledger)
    with pytest.raises(TooManyErrorsError):
        ledger.check()


def test_limits_that_are_switched_off_allow_everything():
    ledger = ledger_of()
    fail(ledger, 2000)
    ledger.check()
    assert len(ledger) == 2000


def test_the_first_limit_that_was_exceeded_is_told_from_then_on():
    ledger = ledger_of(consecutive=1, total=3)
    fail(ledger, 4)
    ledger.read()
    for _ in range(2):
        with pytest.raises(TooManyErrorsError, match="2 one after the other"):
            ledger.check()


@pytest.fixture
def make_strict(manager, uploads, closing):
    """Make a context with limits of its own; documents whose number is odd are refused."""

    def refuse_odd(args):
        if any(int(decode(event)["document_id"]) % 2 for event in args["events"]):
            raise SdkClientError("refused", status=422)

    def make(**limits):
        run, stop = RunInfo(sync_run_id="run-1", source_id="s"), StopSignal("run-1")
        manager.on("send_events", refuse_odd)
        return closing(
            SyncContext(
                run,
                manager,
                stop,
                ending=Ending(run, stop, lambda: None),
                uploads=uploads,
                limits=DeliveryLimits(batch_events=8),
                error_limits=ErrorLimits(**{**OFF, **limits}),
            )
        )

    return make


def doc(number):
    return Document(external_id=number, title="T", content="x")


def test_errors_that_the_connector_reports_end_the_run_also_if_it_does_not_listen(make_strict, manager):
    ctx = make_strict(consecutive=2)
    ctx.emit_error("1", "no")
    ctx.emit_error("2", "no")
    for _ in range(3):
        with contextlib.suppress(TooManyErrorsError):
            ctx.emit_error("3", "no")
    with pytest.raises(TooManyErrorsError, match="3 one after the other"):
        ctx.complete()
    assert manager.statuses == {}


def test_documents_that_were_read_well_count_in_between(make_strict):
    ctx = make_strict(consecutive=1)
    for number in range(0, 10, 2):
        ctx.emit_error("x", "no")
        ctx.emit(doc(number))
    ctx.complete()


def test_documents_that_the_manager_refuses_end_the_run(make_strict, manager):
    ctx = make_strict(total=2)
    for number in range(6):
        ctx.emit(doc(number))
    with pytest.raises(TooManyErrorsError, match="3 in this run"):
        ctx.flush()
    assert [event["document_id"] for event in manager.events] == ["0", "2", "4"]
    ctx.fail("too many")
    assert manager.status == "failed"


def test_refused_documents_are_judged_in_their_order_among_the_accepted(make_strict):
    ctx = make_strict(consecutive=1)
    for number in range(8):  # Every other one is refused, never two in a row.
        ctx.emit(doc(number))
    ctx.flush()
    ctx.emit(doc(9))  # The second in a row.
    with pytest.raises(TooManyErrorsError, match="2 one after the other"):
        ctx.flush()
