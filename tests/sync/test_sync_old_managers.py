"""What a run makes of a manager that is too old for some of it; how the client notices is in tests/manager."""

from __future__ import annotations

import pytest
from support.scripted import emit

from omni_connector import ContentTooLargeError, Document, PersonRecord, SdkClientError
from omni_connector.models.codec import decode, encode_text
from omni_connector.sync.ledger import ErrorLedger, ErrorLimits
from omni_connector.testing import MemoryManager

ADA = PersonRecord(external_id="E1", email="ada@example.com")


class Unsocial(MemoryManager):
    """Knows no people and no groups; a batch with the document ``bad`` is refused as a whole."""

    def send_events(self, sync_run_id, source_id, events, *, patient=True, insistent=False):
        kinds = [decode(event)["type"] for event in events]
        if any(decode(event).get("document_id") == "bad" for event in events):
            raise SdkClientError("refused", status=422)
        left_out = [place for place, kind in enumerate(kinds) if not kind.startswith("document_")]
        known = [event for place, event in enumerate(events) if place not in left_out]
        super().send_events(sync_run_id, source_id, known, patient=patient, insistent=insistent)
        return left_out


@pytest.fixture
def manager():
    return Unsocial()


def test_people_and_groups_are_left_out_and_counted(run, manager):
    colours = run()
    for number in (1, 2, 3):
        colours.do(
            lambda ctx, n=number: emit(ctx, n),
            lambda ctx: ctx.emit_person_sync(ADA),
            lambda ctx: ctx.emit_person_deleted("bob@example.com"),
            lambda ctx: ctx.emit_group_membership("eng", []),
            lambda ctx: ctx.flush(),
        )
    colours.do(lambda ctx: ctx.complete())
    assert [event["document_id"] for event in manager.events] == ["1", "2", "3"]
    assert (manager.status, manager.updated, colours.ctx.error_count) == ("completed", 3, 9)
    assert [(error.kind, error.stage, error.reason) for error in colours.ctx.errors] == [
        ("person", "unsupported", "6 person events were left out: this manager is too old to know any"),
        ("group", "unsupported", "3 group events were left out: this manager is too old to know any"),
    ]


def test_an_event_that_is_left_out_is_counted_once_however_often_its_batch_is_halved(run, manager):
    colours = run()
    colours.do(
        lambda ctx: ctx.emit_person_sync(ADA),
        *[lambda ctx, n=number: emit(ctx, n) for number in (1, "bad", 2, 3)],
        lambda ctx: ctx.flush(),
    )
    assert [event["document_id"] for event in manager.events][-3:] == ["1", "2", "3"]
    assert [(error.document_id, error.stage) for error in colours.ctx.errors] == [
        ("bad", "event"),
        ("", "unsupported"),
    ]
    assert colours.ctx.error_count == 2


def test_they_do_not_end_a_run_however_many_they_are():
    ledger = ErrorLedger("run-1", ErrorLimits(total=0, consecutive=0, share=0.0, recent=1))
    for _ in range(1000):
        ledger.left_out("person")
    ledger.check()
    ledger.check_refused()
    assert (len(ledger), len(ledger.entries())) == (1000, 1)


class Narrow(MemoryManager):
    """Takes no content of more bytes than its limit, as JSON."""

    def store_content(self, sync_run_id, content, content_type=None):
        if len(encode_text(content)) > ContentTooLargeError.limit_bytes:
            raise ContentTooLargeError("length limit exceeded", status=413)
        return super().store_content(sync_run_id, content, content_type)


TEXTS = {
    "ascii": "x" * 3_000_000,
    "wide": "ä" * 2_000_000,
    "escaped": '\n"' * 1_500_000,
    "short": "text",
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("form", ["text", "file", "saved"])
def test_a_text_that_is_too_long_is_cut_as_little_as_needed(run, tmp_path, name, form):
    manager = Narrow()
    colours = run(over=manager)
    text = TEXTS[name]
    content = text
    if form == "file":
        content = tmp_path / "text"
        content.write_text(text, encoding="utf-8", newline="")
    if form == "saved":
        colours.do(lambda ctx: ctx.content_storage.save(text))
    else:
        colours.do(
            lambda ctx: ctx.emit(Document(external_id="1", title="T", content=content)),
            lambda ctx: ctx.flush(),
        )
    (stored,) = manager.contents.values()
    if name == "short":
        assert (stored, colours.ctx.errors) == (text, [])
        return
    assert text.startswith(stored)
    assert len(stored.encode()) > 0.4 * ContentTooLargeError.limit_bytes
    assert [error.stage for error in colours.ctx.errors] == ([] if form == "saved" else ["truncated"])


class Refusing(MemoryManager):
    """Refuses the next content as too large, whatever its length, as a proxy with a low limit may."""

    refusals = 1

    def store_content(self, sync_run_id, content, content_type=None):
        if self.refusals:
            self.refusals -= 1
            raise ContentTooLargeError("length limit exceeded", status=413)
        return super().store_content(sync_run_id, content, content_type)


def test_a_short_text_that_is_refused_as_too_large_is_not_sent_again_as_if_it_had_been_cut(run):
    manager = Refusing()
    with pytest.raises(ContentTooLargeError):
        run(over=manager).do(lambda ctx: ctx.content_storage.save("text"))
    assert manager.contents == {}
