"""A batch that the manager refuses is taken apart: one bad document costs one document."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.properties import deterministic

from omni_connector.exceptions import ManagerUnreachableError, SdkClientError, SyncRunEndedError
from omni_connector.models.codec import decode
from omni_connector.models.events import CREATED, DELETED, EncodedEvent, encode_delete, encode_group
from omni_connector.models.people import GroupMembership
from omni_connector.sync.counters import Counters
from omni_connector.sync.ledger import ErrorLedger
from omni_connector.sync.refusal import Sender, is_refusal
from omni_connector.sync.run_info import RunInfo
from omni_connector.testing import MemoryManager

RUN = RunInfo(sync_run_id="run-1", source_id="source-1")
ENDED = SyncRunEndedError("over", status=400, body="{}")


def refusal(status):
    return SdkClientError(f"refused with {status}", operation="POST /sdk/events/batch", status=status)


def events(count):
    return [
        encode_delete(f"doc-{number}", sync_run_id="run-1", source_id="source-1") for number in range(count)
    ]


class Strict:
    """Refuses batches that hold a document of ``bad``; ``trouble`` maps the number of a call to another error."""

    def __init__(self, manager, bad, status=422, trouble=None):
        self._bad, self._status, self._trouble = bad, status, trouble or {}
        self.calls = []
        manager.on("send_events", self)

    def __call__(self, args):
        ids = [decode(event)["document_id"] for event in args["events"]]
        self.calls.append((ids, args["patient"]))
        if len(self.calls) in self._trouble:
            raise self._trouble[len(self.calls)]
        if set(ids) & self._bad:
            raise refusal(self._status)


def run(manager, batch):
    ledger = ErrorLedger("run-1")
    counters = Counters(RUN, manager)
    Sender(RUN, manager, ledger).send(batch, counters)
    return ledger, counters


def sent(manager):
    return [event["document_id"] for event in manager.events]


def noted(ledger):
    return [error.document_id for error in ledger.entries()]


def test_a_good_batch_is_one_patient_call(manager):
    strict = Strict(manager, set())
    ledger, _ = run(manager, events(3))
    assert strict.calls == [(["doc-0", "doc-1", "doc-2"], True)]
    assert len(ledger) == 0


def test_an_empty_batch_is_not_sent(manager):
    run(manager, [])
    assert manager.calls == []


@pytest.mark.parametrize("status", [400, 413, 422, 500])
@pytest.mark.parametrize("bad", [{"doc-0"}, {"doc-6"}, {"doc-3"}, {"doc-2", "doc-3"}, {"doc-0", "doc-6"}])
def test_the_bad_ones_are_noted_and_the_rest_arrive_in_order(manager, status, bad):
    strict = Strict(manager, bad, status)
    ledger, _ = run(manager, events(7))
    assert sent(manager) == [f"doc-{number}" for number in range(7) if f"doc-{number}" not in bad]
    assert noted(ledger) == sorted(bad)
    entry = ledger.entries()[0]
    assert (entry.stage, entry.status, entry.reason) == ("event", status, f"refused with {status}")
    assert [patient for _, patient in strict.calls] == [True] + [False] * (len(strict.calls) - 1)


def test_a_batch_of_one_that_is_refused_is_noted_after_one_call(manager):
    strict = Strict(manager, {"doc-0"})
    ledger, _ = run(manager, events(1))
    assert (noted(ledger), len(strict.calls)) == (["doc-0"], 1)


@deterministic(150)
@given(st.integers(1, 40), st.sets(st.integers(0, 39)), st.sampled_from([400, 413, 422]))
def test_any_set_of_bad_ones_is_found_and_no_good_one_is_lost_or_reordered(count, numbers, status):
    manager = MemoryManager()
    bad = {f"doc-{number}" for number in numbers if number < count}
    strict = Strict(manager, bad, status)
    ledger, counters = run(manager, events(count))
    assert sent(manager) == [f"doc-{number}" for number in range(count) if f"doc-{number}" not in bad]
    assert sorted(noted(ledger)) == sorted(bad)
    assert counters.total_updated == 0
    # Halving costs about two calls a level for each bad one.
    assert len(strict.calls) <= 1 + 2 * len(bad) * count.bit_length()


def test_all_bad_ones_are_noted_where_the_answer_is_about_what_was_sent(manager):
    Strict(manager, {"doc-0", "doc-1", "doc-2"}, 422)
    ledger, _ = run(manager, events(3))
    assert (len(ledger), sent(manager)) == (3, [])


def test_several_events_all_refused_with_500_are_the_manager_s_trouble(manager):
    """An empty batch that is accepted proves nothing: there is nothing to store in it."""
    strict = Strict(manager, {"doc-0", "doc-1", "doc-2"}, 500)
    ledger = ErrorLedger("run-1")
    with pytest.raises(SdkClientError) as caught:
        Sender(RUN, manager, ledger).send(events(3), Counters(RUN, manager))
    assert (caught.value.status, len(ledger)) == (500, 0)
    assert [] not in [ids for ids, _ in strict.calls]
    assert strict.calls[0][1], "the batch as a whole is retried first"


def test_single_events_refused_with_500_one_after_the_other_are_the_manager_s_trouble_too(manager):
    Strict(manager, {"doc-0", "doc-1", "doc-3"}, 500)
    ledger, counters = ErrorLedger("run-1"), Counters(RUN, manager)
    sender = Sender(RUN, manager, ledger)
    first, second, third, fourth = ([event] for event in events(4))
    sender.send(first, counters)
    sender.send(third, counters)  # Accepted: the first one was to blame for itself.
    sender.send(fourth, counters)
    with pytest.raises(SdkClientError):
        sender.send(second, counters)
    assert noted(ledger) == ["doc-0", "doc-3"]


def test_a_single_event_refused_with_500_is_noted_soon_where_the_one_before_it_is_accepted_again(manager):
    strict = Strict(manager, {"doc-1"}, 500)
    ledger, counters = ErrorLedger("run-1"), Counters(RUN, manager)
    sender = Sender(RUN, manager, ledger)
    for event in events(3):
        sender.send([event], counters)
    assert noted(ledger) == ["doc-1"]
    assert sent(manager) == ["doc-0", "doc-0", "doc-2"]
    assert strict.calls == [
        (["doc-0"], True),
        (["doc-1"], True),  # Repeated briefly by the client.
        (["doc-0"], False),
        (["doc-1"], False),
        (["doc-2"], True),
    ]
    assert not any(args["insistent"] for _, args in manager.calls)


@pytest.mark.parametrize("error", [refusal(500), refusal(503), ManagerUnreachableError("gone")])
def test_a_manager_that_does_not_take_the_last_event_again_is_in_trouble(manager, error):
    """Then the single event waits with all patience, and arrives when the trouble is over."""
    strict = Strict(manager, set(), trouble={2: refusal(500), 3: error})
    ledger, counters = ErrorLedger("run-1"), Counters(RUN, manager)
    sender = Sender(RUN, manager, ledger)
    for event in events(2):
        sender.send([event], counters)
    assert (sent(manager), len(ledger)) == (["doc-0", "doc-1"], 0)
    assert [ids for ids, _ in strict.calls] == [["doc-0"], ["doc-1"], ["doc-0"], ["doc-1"]]
    assert [args["insistent"] for _, args in manager.calls] == [False, False, False, True]


def test_the_end_of_the_run_is_heard_where_the_last_event_is_sent_again(manager):
    Strict(manager, set(), trouble={2: refusal(500), 3: ENDED})
    sender = Sender(RUN, manager, ErrorLedger("run-1"))
    first, second = events(2)
    sender.send([first], Counters(RUN, manager))
    with pytest.raises(SyncRunEndedError):
        sender.send([second], Counters(RUN, manager))


def test_a_group_is_not_sent_again_to_try_the_manager(manager):
    """An older manager leaves it out, which would be counted twice and proves nothing."""
    ids = {"sync_run_id": "run-1", "source_id": "source-1"}
    group = encode_group(GroupMembership(group_email="g@x.org", member_emails=[]), **ids)
    calls = []

    def answer(args):
        calls.append(len(args["events"]))
        if b"doc-0" in args["events"][0]:
            raise refusal(500)

    manager.on("send_events", answer)
    ledger = ErrorLedger("run-1")
    sender = Sender(RUN, manager, ledger)
    for event in (group, *events(1)):
        sender.send([event], Counters(RUN, manager))
    assert noted(ledger) == ["doc-0"]
    assert [args["insistent"] for _, args in manager.calls] == [False, False, True]


def test_one_event_refused_with_500_among_others_refused_for_what_they_are_is_noted(manager):
    def refuse(args):
        ids = [decode(event)["document_id"] for event in args["events"]]
        raise refusal(500 if ids == ["doc-1"] else 422)

    manager.on("send_events", refuse)
    ledger, _ = run(manager, events(3))
    assert noted(ledger) == ["doc-0", "doc-1", "doc-2"]


def test_only_documents_that_were_accepted_are_counted(manager):
    Strict(manager, {"doc-1"})
    batch = [
        EncodedEvent(event.document_id, kind, event.body)
        for event, kind in zip(events(4), (CREATED, CREATED, DELETED, CREATED), strict=True)
    ]
    _, counters = run(manager, batch)
    assert counters.total_updated == 2


@pytest.mark.parametrize("status", [401, 403, 404, 409, 415, 502, 503, None])
def test_another_answer_is_not_the_fault_of_the_events(manager, status):
    manager.on("send_events", refusal(status))
    with pytest.raises(SdkClientError):
        run(manager, events(4))
    assert len(manager.calls) == 1
    assert not is_refusal(refusal(status))


@pytest.mark.parametrize("at", [1, 2, 3])
def test_the_end_of_the_run_ends_the_search_too(manager, at):
    strict = Strict(manager, {"doc-0", "doc-3"}, trouble={at: ENDED})
    with pytest.raises(SyncRunEndedError):
        run(manager, events(4))
    assert len(strict.calls) == at


def test_trouble_in_the_middle_of_the_search_is_met_with_patience(manager):
    strict = Strict(manager, {"doc-1"}, trouble={2: ManagerUnreachableError("gone")})
    ledger, _ = run(manager, events(4))
    assert sent(manager) == ["doc-0", "doc-2", "doc-3"]
    assert noted(ledger) == ["doc-1"]
    assert strict.calls[2] == (["doc-0", "doc-1"], True)


def test_trouble_that_does_not_pass_in_the_middle_of_the_search_is_told(manager):
    gone = ManagerUnreachableError("gone")
    Strict(manager, {"doc-1"}, trouble={2: gone, 3: gone})
    with pytest.raises(ManagerUnreachableError):
        run(manager, events(4))


def test_the_end_of_the_run_is_heard_in_a_patient_call_too(manager):
    Strict(manager, {"doc-1"}, trouble={2: ManagerUnreachableError("gone"), 3: ENDED})
    with pytest.raises(SyncRunEndedError):
        run(manager, events(4))


def test_a_manager_that_comes_back_during_the_search_loses_no_event(manager):
    """The first two answers of the search belong to the trouble, not to the event."""
    trouble = dict.fromkeys((1, 2, 3), refusal(500))
    Strict(manager, set(), trouble=trouble)
    ledger, _ = run(manager, events(4))
    assert sorted(sent(manager)) == ["doc-0", "doc-1", "doc-2", "doc-3"]
    assert len(ledger) == 0


@pytest.mark.parametrize("count", [1, 3])
def test_where_each_event_is_answered_500_the_whole_is_sent_with_all_patience(manager, count):
    insisted = []

    def answer(args):
        insisted.append(args["insistent"])
        if not args["insistent"]:
            raise refusal(500)

    manager.on("send_events", answer)
    ledger, _ = run(manager, events(count))
    assert (len(sent(manager)), len(ledger)) == (count, 0)
    assert insisted.count(True) == 1
