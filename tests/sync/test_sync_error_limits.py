"""A document costs one document; when nearly all fail, the run does."""

from __future__ import annotations

import contextlib

import pytest

from omni_connector import Document, ErrorLimits, SdkClientError, TooManyErrorsError
from omni_connector.models.codec import decode
from omni_connector.sync.delivery_limits import DeliveryLimits
from omni_connector.sync.ledger import CONNECTOR_STAGE, DocumentError, ErrorLedger

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
def make_strict(manager, make_context):
    """Make a context with limits of its own; documents whose number is odd are refused."""

    def refuse_odd(args):
        if any(int(decode(event)["document_id"]) % 2 for event in args["events"]):
            raise SdkClientError("refused", status=422)

    def make(**limits):
        manager.on("send_events", refuse_odd)
        error_limits = ErrorLimits(**{**OFF, **limits})
        return make_context(limits=DeliveryLimits(batch_events=8), error_limits=error_limits).ctx

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


# -- judged before every checkpoint, and at the end ---------------------------------------------------------------


@pytest.fixture
def make_usual(manager, make_context):
    """Make a context with the usual limits; ``refuse`` is given the ids of a batch and may raise."""

    def make(refuse=lambda ids: None, **limits):
        def check(args):
            refuse([decode(event)["document_id"] for event in args["events"]])

        manager.on("send_events", check)
        return make_context(error_limits=ErrorLimits(**limits), checkpoint={"cursor": 0}).ctx

    return make


def refuse_all(status):
    def refuse(ids):
        if ids:
            raise SdkClientError(f"refused with {status}", status=status)

    return refuse


ENDS = {
    "complete": lambda ctx: ctx.complete({"cursor": 1}),
    "save_state": lambda ctx: ctx.save_state({"cursor": 1}),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("seen", [10, 400])
def test_a_run_whose_documents_the_connector_could_not_read_saves_no_checkpoint(
    make_usual, manager, end, seen
):
    ctx = make_usual()
    for number in range(seen):
        ctx.increment_scanned()
        ctx.emit_error(str(number), "no")
    with pytest.raises(TooManyErrorsError, match=f"{seen} of {seen}"):
        ENDS[end](ctx)
    assert (manager.checkpoints, manager.statuses) == ({}, {})


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_run_whose_documents_the_manager_refuses_saves_no_checkpoint(make_usual, manager, end, status):
    ctx = make_usual(refuse_all(status))
    for number in range(10):
        ctx.emit(doc(number))
    with pytest.raises(TooManyErrorsError, match="10 of 10"):
        ENDS[end](ctx)
    assert (manager.checkpoints, manager.statuses) == ({}, {})


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("seen", [2, 10, 400])
def test_a_manager_that_answers_500_to_every_event_fails_the_run(make_usual, manager, end, seen):
    ctx = make_usual(refuse_all(500))
    for number in range(seen):
        ctx.emit(doc(number))
    with pytest.raises(SdkClientError, match="refused with 500"):
        ENDS[end](ctx)
    assert (manager.checkpoints, manager.statuses) == ({}, {})


@pytest.mark.parametrize("status", [413, 422])
def test_contents_that_are_all_refused_are_judged_alike(make_usual, manager, status):
    manager.on("store_content", SdkClientError("refused", status=status))
    ctx = make_usual()
    for number in range(10):
        ctx.emit(doc(number))
    with pytest.raises(TooManyErrorsError, match="10 of 10"):
        ctx.complete({"cursor": 1})
    assert manager.checkpoints == {}


def test_a_run_of_fewer_than_ten_documents_completes_with_errors(make_usual, manager):
    """One bad document must not stop a source for ever: the manager gives a source up after ten failures."""
    ctx = make_usual(refuse_all(422))
    for number in range(4):
        ctx.emit(doc(number))
        ctx.emit_error(f"unread {number}", "no")
    ctx.complete({"cursor": 1})
    assert (manager.status, manager.checkpoint, ctx.error_count) == ("completed", {"cursor": 1}, 8)


@pytest.mark.parametrize(("failed", "passes"), [(5, True), (6, False)])
def test_half_of_the_documents_may_fail(make_usual, manager, failed, passes):
    ctx = make_usual()
    for number in range(10 - failed):
        ctx.emit(doc(number))
    for number in range(failed):
        ctx.emit_error(str(number), "no")
    with contextlib.nullcontext() if passes else pytest.raises(TooManyErrorsError):
        ctx.complete()
    assert manager.status == ("completed" if passes else "running")


def test_unread_and_refused_documents_are_also_judged_together(make_usual):
    def refuse_some(ids):
        if any(int(external_id) % 5 < 2 for external_id in ids):
            raise SdkClientError("refused", status=422)

    ctx = make_usual(refuse_some)
    for number in range(60):
        ctx.emit(doc(number))
    for number in range(40):
        ctx.emit_error(str(number), "no")
    with pytest.raises(TooManyErrorsError, match="64 of 100"):
        ctx.complete()


def test_few_unread_among_many_that_were_only_looked_at_are_no_reason(make_usual, manager):
    ctx = make_usual()
    ctx.increment_scanned(1000)
    for number in range(20):
        ctx.emit_error(str(number), "no")
    ctx.complete()
    assert manager.status == "completed"


def test_without_a_share_everything_may_fail(make_usual, manager):
    ctx = make_usual(share=None)
    for number in range(20):
        ctx.emit_error(str(number), "no")
    ctx.complete()
    assert manager.status == "completed"


# -- what was refused, named by flush -----------------------------------------------------------------------------


def test_flush_names_what_was_refused_since_the_last_one(make_usual, manager):
    def refuse_odd(ids):
        if any(int(external_id) % 2 for external_id in ids):
            raise SdkClientError("refused", status=422)

    ctx = make_usual(refuse_odd)
    for number in range(4):
        ctx.emit(doc(number))
    ctx.emit_error("unread", "known to the connector already")
    refused = ctx.flush()
    assert [(error.document_id, error.stage, error.status) for error in refused] == [
        ("1", "event", 422),
        ("3", "event", 422),
    ]
    assert ctx.flush() == []
    ctx.emit(doc(5))
    assert [error.document_id for error in ctx.flush()] == ["5"]
    assert ctx.error_count == 4


def test_flush_says_so_when_it_cannot_name_them_all(monkeypatch):
    monkeypatch.setattr("omni_connector.sync.ledger.KEPT_FOR_FLUSH", 3)
    ledger = ledger_of()
    fail(ledger, 4, stage="event")
    with pytest.raises(TooManyErrorsError, match="4 since the last flush"):
        ledger.take_refused()
    assert ledger.take_refused() == []


def test_what_arrived_all_the_same_is_no_refusal():
    ledger = ledger_of(total=0)
    fail(ledger, 1, stage="truncated")
    fail(ledger, 1, stage="decoded")
    ledger.judge()
    assert ledger.take_refused() == []
