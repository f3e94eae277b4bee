"""The context in both colours: every method, every alias, and the one end of a run."""

from __future__ import annotations

import asyncio
import base64
import io
import logging
import threading

import attrs
import pytest

from omni_connector import (
    Document,
    DocumentMetadata,
    DocumentPermissions,
    InvalidDocumentError,
    InvalidValueError,
    ManagerUnreachableError,
    NotFoundError,
    SdkClientError,
    SyncCancelledError,
    SyncFinishedError,
    SyncInterruptedError,
    SyncMode,
)
from omni_connector.sync.content import TEXT_LIMIT_BYTES

WAIT = 60
PUBLIC = DocumentPermissions(public=True)


def doc(number, **changes):
    values = {
        "external_id": f"doc-{number}",
        "title": "T",
        "content": f"text {number}",
        "permissions": PUBLIC,
    }
    return Document(**{**values, **changes})


def kinds(manager):
    return [(event["type"], event["document_id"]) for event in manager.events]


# -- documents --------------------------------------------------------------------------------------------------


def test_documents_with_contents_arrive_in_order(run, manager):
    colours = run()
    colours.do(
        lambda ctx: ctx.emit(doc(1)),
        lambda ctx: ctx.emit_updated(doc(2)),
        lambda ctx: ctx.emit_deleted("doc-3"),
        lambda ctx: ctx.emit_deleted(4),
        lambda ctx: ctx.flush(),
    )
    assert kinds(manager) == [
        ("document_created", "doc-1"),
        ("document_updated", "doc-2"),
        ("document_deleted", "doc-3"),
        ("document_deleted", "4"),
    ]
    assert [manager.contents[event["content_id"]] for event in manager.events[:2]] == ["text 1", "text 2"]
    ctx = colours.ctx
    assert (ctx.documents_emitted, ctx.documents_deleted, ctx.error_count) == (2, 2, 0)
    assert manager.updated == 2


def test_a_content_that_was_saved_is_referred_to(run, manager):
    colours = run()
    content_id = colours.do(lambda ctx: ctx.content_storage.save("by hand"))
    colours.do(lambda ctx: ctx.emit(doc(1, content=None, content_id=content_id)), lambda ctx: ctx.flush())
    assert isinstance(content_id, str)
    assert manager.events[0]["content_id"] == content_id
    assert manager.contents == {content_id: "by hand"}
    assert manager.calls[0].args == {
        "sync_run_id": "run-1",
        "content": "by hand",
        "content_type": "text/plain",
    }


@pytest.mark.parametrize("change", [{"content_id": "c-9"}, {"content": None}], ids=["both", "neither"])
def test_a_document_that_was_made_unusable_later_is_refused(run, manager, change):
    document = doc(1)
    for name, value in change.items():
        setattr(document, name, value)
    colours = run()
    with pytest.raises(InvalidValueError, match="doc-1"):
        colours.do(lambda ctx: ctx.emit(document))
    assert manager.contents == {}


def test_the_document_of_the_caller_is_not_altered(run):
    document = doc(1)
    colours = run()
    colours.do(lambda ctx: ctx.emit(document), lambda ctx: ctx.flush())
    assert document == doc(1)


def test_binary_content_is_stored_as_base64(run, manager):
    colours = run()
    content_id = colours.do(lambda ctx: ctx.content_storage.save_binary(b"\x00\xff", "image/png"))
    assert base64.b64decode(manager.contents[content_id]) == b"\x00\xff"
    assert manager.calls[0].args["content_type"] == "image/png"


@pytest.mark.parametrize("content", [b"bytes", None, 5])
def test_what_is_not_text_is_no_text_content(run, content):
    with pytest.raises(InvalidValueError, match=r"ContentStorage\.content: .*save_binary"):
        run().do(lambda ctx: ctx.content_storage.save(content))


@pytest.mark.parametrize("content", ["text", None])
def test_what_is_not_bytes_is_no_binary_content(run, content):
    with pytest.raises(InvalidValueError, match="give bytes"):
        run().do(lambda ctx: ctx.content_storage.save_binary(content))


def test_binary_content_that_would_be_cut_is_refused(run, manager):
    longest = TEXT_LIMIT_BYTES // 4 * 3
    with pytest.raises(InvalidValueError, match=f"give at most {longest} bytes"):
        run().do(lambda ctx: ctx.content_storage.save_binary(bytes(longest + 1)))
    run().do(lambda ctx: ctx.content_storage.save_binary(bytearray(longest)))
    assert len(manager.contents) == 1


def test_text_that_the_manager_cuts_is_in_the_ledger(run):
    colours = run()
    colours.do(
        lambda ctx: ctx.emit(doc(1, content="ä" * (TEXT_LIMIT_BYTES // 2 + 1))),
        lambda ctx: ctx.emit(doc(2, content="ä" * (TEXT_LIMIT_BYTES // 2))),
        lambda ctx: ctx.flush(),
    )
    (error,) = colours.ctx.errors
    assert (error.document_id, error.stage) == ("doc-1", "truncated")


@pytest.mark.parametrize(
    ("permissions", "text"),
    [
        (None, "has no permissions"),
        (DocumentPermissions(users=[]), "has permissions without users and groups"),
    ],
)
def test_missing_permissions_are_said_once_a_run(run, manager, caplog, permissions, text):
    colours = run()
    colours.do(
        *[lambda ctx, n=n: ctx.emit(doc(n, permissions=permissions)) for n in range(3)],
        lambda ctx: ctx.flush(),
    )
    said = [record for record in caplog.records if text in record.getMessage()]
    assert len(said) == 1
    assert "'doc-0'" in said[0].getMessage()
    assert manager.events[0]["permissions"] == {"public": False, "users": [], "groups": []}


def test_what_is_no_document_is_refused(run):
    with pytest.raises(InvalidValueError, match=r"give a Document\("):
        run().do(lambda ctx: ctx.emit({"external_id": "1"}))


def test_an_unusable_document_costs_only_itself(run, manager):
    colours = run()
    with pytest.raises(InvalidDocumentError, match=r"Document 'doc-1', attributes\.raw"):
        colours.do(lambda ctx: ctx.emit(doc(1, attributes={"raw": b"x"})))
    with pytest.raises(InvalidValueError, match=r"Document\.external_id"):
        colours.do(lambda ctx: ctx.emit_deleted(""))
    colours.do(lambda ctx: ctx.emit(doc(2)), lambda ctx: ctx.flush())
    assert kinds(manager) == [("document_created", "doc-2")]
    assert (colours.ctx.documents_emitted, colours.ctx.documents_deleted) == (1, 0)


def test_an_error_about_a_document_is_noted_without_secrets(run, caplog):
    colours = run(secrets=frozenset({"t0p-secret"}))
    colours.do(
        lambda ctx: ctx.emit_error("doc-1", ValueError("token t0p-secret refused")),
        lambda ctx: ctx.emit_error("doc-2", "unreadable"),
    )
    assert [(error.document_id, error.stage, error.reason) for error in colours.ctx.errors] == [
        ("doc-1", "connector", "ValueError: token *** refused"),
        ("doc-2", "connector", "unreadable"),
    ]
    assert colours.ctx.error_count == 2
    assert "t0p-secret" not in caplog.text


def test_a_secret_is_masked_as_long_as_its_run_is_in_progress(run, manager, caplog):
    colours = run()
    colours.do(lambda ctx: ctx.add_secret("f3tched-token"), lambda ctx: ctx.add_secret("admin"))
    logging.getLogger("the.connector").warning("got %s as admin", "f3tched-token")
    assert caplog.messages == ["got *** as admin"]
    colours.do(lambda ctx: ctx.save_connector_state({"refresh_token": "r0tated-token"}))
    colours.do(lambda ctx: ctx.fail(ValueError("f3tched-token and r0tated-token refused")))
    assert manager.error == "ValueError: *** and *** refused"


def test_fresh_credentials_come_from_the_manager_and_are_secrets(run, manager):
    colours = run(credentials={"token": "0ld-token"}, secrets=frozenset({"0ld-token"}))
    assert colours.do(lambda ctx: ctx.credentials()) == {"token": "0ld-token"}
    assert manager.operations() == []
    manager.config = attrs.evolve(manager.config, credentials={"token": "n3w-token"})
    found = colours.do(lambda ctx: ctx.credentials(fresh=True))
    assert found == {"token": "n3w-token"}
    found["token"] = "changed by the caller"
    assert colours.do(lambda ctx: ctx.credentials()) == {"token": "n3w-token"}
    colours.do(lambda ctx: ctx.fail("0ld-token, n3w-token"))
    assert manager.error == "***, ***"


def test_a_source_without_credentials_has_no_fresh_ones_either(run, manager):
    assert run().do(lambda ctx: ctx.credentials(fresh=True)) == {}
    manager.on("source", NotFoundError("Source not found", status=404))
    with pytest.raises(NotFoundError):
        run().do(lambda ctx: ctx.credentials(fresh=True))


def test_a_refused_content_costs_its_document(run, manager):
    def refuse(args):
        if args["content"] == "text 2":
            raise SdkClientError("too large", status=413)

    manager.on("store_content", refuse)
    colours = run()
    colours.do(*[lambda ctx, n=n: ctx.emit(doc(n)) for n in (1, 2, 3)], lambda ctx: ctx.flush())
    assert kinds(manager) == [("document_created", "doc-1"), ("document_created", "doc-3")]
    (error,) = colours.ctx.errors
    assert (error.document_id, error.stage, error.status) == ("doc-2", "content", 413)


@pytest.mark.parametrize("error", [ManagerUnreachableError("gone"), SdkClientError("broken", status=500)])
def test_a_content_that_cannot_be_stored_ends_the_run(run, manager, error):
    manager.on("store_content", error)
    colours = run()
    colours.do(lambda ctx: ctx.emit(doc(1)))
    with pytest.raises(type(error)):
        colours.do(lambda ctx: ctx.flush())
    with pytest.raises(type(error)):
        colours.do(lambda ctx: ctx.complete())
    assert manager.events == []
    assert manager.statuses == {}


def test_scanned_documents_are_counted(run, manager):
    colours = run()
    colours.do(
        lambda ctx: ctx.increment_scanned(),
        lambda ctx: ctx.increment_scanned(4),
        lambda ctx: ctx.increment_scanned(count=0),
        lambda ctx: ctx.flush(),
    )
    assert (manager.scanned, colours.ctx.documents_scanned) == (5, 5)


# -- what is known of the run -----------------------------------------------------------------------------------


def test_the_run_is_known_by_its_properties(run):
    checkpoint, notes = {"cursor": 1}, {"seen": 2}
    ctx = run(
        mode=SyncMode.INCREMENTAL,
        checkpoint=checkpoint,
        connector_state=notes,
        is_resume=True,
    ).ctx
    assert (ctx.sync_run_id, ctx.source_id, ctx.source_type) == ("run-1", "source-1", "web")
    assert (ctx.sync_mode, ctx.is_resume) == ("incremental", True)
    assert ctx.sync_mode is SyncMode.INCREMENTAL
    assert ctx.state is ctx.checkpoint is checkpoint
    assert ctx.connector_state is notes
    assert not ctx.is_cancelled()
    ctx.raise_if_cancelled()


def test_a_heartbeat_is_sent_and_its_failure_changes_nothing(run, manager, caplog):
    colours = run()
    colours.do(lambda ctx: ctx.heartbeat())
    manager.on("heartbeat", ManagerUnreachableError("gone"))
    colours.do(lambda ctx: ctx.heartbeat(), lambda ctx: ctx.emit(doc(1)))
    assert manager.operations().count("heartbeat") == 2
    assert "A heartbeat failed" not in caplog.text, "the client says that the manager is away"
    manager.on("heartbeat", SdkClientError("refused", status=401))
    colours.do(lambda ctx: ctx.heartbeat())
    assert "A heartbeat failed: refused" in caplog.text


# -- checkpoints ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "save", [lambda ctx: ctx.save_state({"cursor": 1}), lambda ctx: ctx.save_checkpoint({"cursor": 1})]
)
def test_a_checkpoint_is_saved_after_everything_before_it_was_accepted(run, manager, save):
    colours = run()
    colours.do(lambda ctx: ctx.emit(doc(1)), lambda ctx: ctx.increment_scanned(), save)
    assert manager.operations() == [
        "store_content",
        "send_events",
        "add_scanned",
        "add_updated",
        "save_checkpoint",
    ]
    assert manager.checkpoint == {"cursor": 1}
    assert colours.ctx.state == colours.ctx.checkpoint == {"cursor": 1}


def test_a_checkpoint_is_not_saved_when_events_before_it_were_lost(run, manager):
    manager.on("send_events", ManagerUnreachableError("gone"))
    colours = run(checkpoint={"cursor": 0})
    with pytest.raises(ManagerUnreachableError):
        colours.do(lambda ctx: ctx.emit(doc(1)), lambda ctx: ctx.save_state({"cursor": 1}))
    assert manager.checkpoints == {}
    assert colours.ctx.state == {"cursor": 0}


def test_a_checkpoint_that_cannot_be_saved_is_not_taken_for_saved(run, manager):
    manager.on("save_checkpoint", SdkClientError("broken", status=500))
    colours = run(checkpoint={"cursor": 0})
    with pytest.raises(SdkClientError):
        colours.do(lambda ctx: ctx.save_state({"cursor": 1}))
    assert colours.ctx.state == {"cursor": 0}


# -- the end ----------------------------------------------------------------------------------------------------

COMPLETIONS = [
    (lambda ctx: ctx.complete(new_state={"cursor": 2}), {"cursor": 2}),
    (lambda ctx: ctx.complete({"cursor": 2}), {"cursor": 2}),
    (lambda ctx: ctx.complete(checkpoint={"cursor": 2}), {"cursor": 2}),
    (lambda ctx: ctx.complete({}), {}),
    (lambda ctx: ctx.complete(), {"cursor": 1}),
]


@pytest.mark.parametrize(("complete", "published"), COMPLETIONS)
def test_a_completed_run_publishes_its_checkpoint_or_the_one_it_was_given(run, manager, complete, published):
    colours = run(checkpoint={"cursor": 1})
    colours.do(lambda ctx: ctx.emit(doc(1)), complete)
    assert manager.statuses == {"run-1": "completed"}
    assert manager.config.checkpoint == published
    assert manager.operations()[-2:] == ["save_checkpoint", "complete"]
    assert manager.calls[-1].args == {
        "sync_run_id": "run-1",
        "scanned": 0,
        "updated": 1,
        "new_state": published,
    }
    assert colours.rig.stop.outcome == "completed"


def test_a_checkpoint_that_was_saved_is_not_saved_again(run, manager):
    run(checkpoint={"cursor": 1}).do(lambda ctx: ctx.save_state({"cursor": 5}), lambda ctx: ctx.complete())
    assert manager.operations() == ["save_checkpoint", "complete"]
    assert manager.config.checkpoint == {"cursor": 5}


def test_without_any_checkpoint_none_is_saved(run, manager):
    run().do(lambda ctx: ctx.complete())
    assert manager.operations() == ["complete"]


def test_the_slot_is_free_before_the_final_call_is_made(run, manager):
    seen = []
    for operation in ("complete", "fail"):
        manager.on(operation, lambda _: seen.append(list(colours.rig.freed)))
    colours = run()
    colours.do(lambda ctx: ctx.complete())
    colours = run()
    colours.do(lambda ctx: ctx.fail("no"))
    assert seen == [[True], [True]]


def test_a_failed_run_delivers_what_it_can_and_tells_why_without_secrets(run, manager):
    colours = run(secrets=frozenset({"t0p-secret"}))
    colours.do(lambda ctx: ctx.emit(doc(1)), lambda ctx: ctx.fail(ValueError("token t0p-secret refused")))
    assert manager.error == "ValueError: token *** refused"
    assert kinds(manager) == [("document_created", "doc-1")]
    assert manager.operations()[-1] == "fail"
    assert colours.rig.stop.outcome == "failed"


def test_a_failed_run_publishes_nothing(run, manager):
    run(checkpoint={"cursor": 1}).do(lambda ctx: ctx.fail("no"))
    assert manager.operations() == ["fail"]


def test_the_text_of_a_failure_is_cut(run, manager):
    run().do(lambda ctx: ctx.fail("x" * 100_000))
    assert manager.error == "x" * 4000


def test_a_failure_is_told_also_when_not_everything_can_be_delivered(run, manager, caplog):
    manager.on("send_events", ManagerUnreachableError("gone"))
    run().do(lambda ctx: ctx.emit(doc(1)), lambda ctx: ctx.fail("no"))
    assert manager.error == "no"
    assert "Not everything that was emitted could be delivered: gone" in caplog.text


FINAL = {"complete": lambda ctx: ctx.complete({"a": 1}), "fail": lambda ctx: ctx.fail("again")}


@pytest.mark.parametrize("second", FINAL.values(), ids=FINAL)
@pytest.mark.parametrize("first", FINAL.values(), ids=FINAL)
def test_the_first_end_counts(run, manager, first, second):
    colours = run()
    colours.do(first, second, second)
    finals = [name for name in manager.operations() if name in FINAL]
    assert len(finals) == 1


AFTER = {
    "emit": lambda ctx: ctx.emit(doc(9)),
    "emit_updated": lambda ctx: ctx.emit_updated(doc(9)),
    "emit_deleted": lambda ctx: ctx.emit_deleted("x"),
    "emit_error": lambda ctx: ctx.emit_error("x", "y"),
    "increment_scanned": lambda ctx: ctx.increment_scanned(),
    "flush": lambda ctx: ctx.flush(),
    "save_state": lambda ctx: ctx.save_state({}),
    "save_checkpoint": lambda ctx: ctx.save_checkpoint({}),
    "heartbeat": lambda ctx: ctx.heartbeat(),
    "save": lambda ctx: ctx.content_storage.save("x"),
    "save_binary": lambda ctx: ctx.content_storage.save_binary(b"x"),
}


@pytest.mark.parametrize("call", AFTER.values(), ids=AFTER)
def test_after_the_end_the_run_cannot_be_used(run, manager, call):
    colours = run()
    colours.do(lambda ctx: ctx.complete())
    before = len(manager.calls)
    with pytest.raises(SyncFinishedError, match=r"run-1 has already ended \(completed\)") as caught:
        colours.do(call)
    assert caught.value.sync_run_id == "run-1"
    assert len(manager.calls) == before


@pytest.mark.parametrize("call", AFTER.values(), ids=AFTER)
def test_after_a_cancellation_nothing_of_the_run_reaches_the_manager(run, manager, call):
    colours = run()
    colours.rig.stop.cancel()
    with pytest.raises(SyncCancelledError):
        colours.do(call)
    assert manager.calls == []


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("store_content", lambda ctx: ctx.content_storage.save("x")),
        ("store_content", lambda ctx: ctx.content_storage.save_binary(b"x")),
        ("extract_text", lambda ctx: ctx.content_storage.extract_text(b"x", "application/pdf")),
        (
            "extract_content",
            lambda ctx: ctx.content_storage.extract_and_store_content(b"x", "application/pdf"),
        ),
        ("save_checkpoint", lambda ctx: ctx.save_state({})),
        ("save_connector_state", lambda ctx: ctx.save_connector_state({})),
        ("user_email", lambda ctx: ctx.user_email()),
    ],
)
def test_a_call_that_a_cancellation_breaks_says_that_and_not_that_the_manager_is_away(
    run, manager, operation, call
):
    colours = run()

    def broken(_):
        colours.rig.stop.cancel()
        raise ManagerUnreachableError("aborted")

    manager.on(operation, broken)
    with pytest.raises(SyncCancelledError):
        colours.do(call)


@pytest.mark.parametrize("call", AFTER.values(), ids=AFTER)
def test_after_an_interruption_every_call_tells_to_stop(run, manager, call):
    colours = run()
    colours.rig.stop.interrupt()
    with pytest.raises(SyncInterruptedError):
        colours.do(call)


@pytest.mark.parametrize("stop", ["cancel", "interrupt"])
@pytest.mark.parametrize("final", FINAL.values(), ids=FINAL)
def test_a_stopped_run_makes_no_final_call(run, manager, stop, final):
    colours = run(checkpoint={"cursor": 1})
    getattr(colours.rig.stop, stop)()
    colours.do(final)
    assert manager.calls == []
    assert (colours.rig.stop.outcome, colours.rig.freed) == (None, [])


def test_a_run_that_is_cancelled_before_its_final_call_makes_none(run, manager):
    colours = run(checkpoint={"cursor": 1})
    manager.on("save_checkpoint", lambda _: colours.rig.stop.cancel())
    colours.do(lambda ctx: ctx.complete())
    assert manager.operations() == ["save_checkpoint"]


@pytest.mark.parametrize("final", FINAL.values(), ids=FINAL)
def test_a_final_call_that_fails_is_told_and_not_followed_by_another(run, manager, final):
    for operation in FINAL:
        manager.on(operation, ManagerUnreachableError("gone"))
    colours = run()
    with pytest.raises(ManagerUnreachableError):
        colours.do(final)
    colours.do(lambda ctx: ctx.fail("again"), lambda ctx: ctx.complete())
    assert len([name for name in manager.operations() if name in FINAL]) == 1
    assert colours.rig.stop.outcome is None
    assert colours.rig.stop.has_ended


def test_what_a_shutting_down_run_has_buffered_is_delivered(run, manager, caplog):
    caplog.set_level("INFO")
    colours = run()
    colours.do(lambda ctx: ctx.emit(doc(1)))
    colours.rig.stop.interrupt()
    colours.rig.sync.drain(timeout_seconds=WAIT)
    assert kinds(manager) == [("document_created", "doc-1")]
    colours.rig.stop.cancel()
    colours.rig.sync.drain(timeout_seconds=WAIT)
    assert "Not drained: Sync run run-1 is over" in caplog.text


def test_the_watch_s_heartbeat_ends_with_the_run(run, manager):
    colours = run()
    colours.rig.sync.beat()
    colours.do(lambda ctx: ctx.complete())
    colours.rig.sync.beat()
    assert manager.operations() == ["heartbeat", "complete"]


# -- cancellation and sleep -------------------------------------------------------------------------------------


def test_sleep_is_true_when_its_time_is_over(run):
    assert run().do(lambda ctx: ctx.sleep(0.001))


@pytest.mark.parametrize("stop", ["cancel", "interrupt"])
def test_sleep_ends_at_once_when_the_run_is_stopped(run, stop):
    colours = run()
    timer = threading.Timer(0.02, getattr(colours.rig.stop, stop))
    timer.start()
    assert not colours.do(lambda ctx: ctx.sleep(3600))
    timer.join()
    assert not colours.do(lambda ctx: ctx.sleep(3600))
    assert colours.ctx.is_cancelled()
    with pytest.raises(SyncCancelledError):
        colours.ctx.raise_if_cancelled()


def test_a_run_that_is_over_at_the_manager_is_cancelled(run, manager):
    manager.end_run("run-1", "cancelled")
    colours = run(checkpoint={"c": 1})
    with pytest.raises(SyncCancelledError, match="takes no more events"):
        colours.do(lambda ctx: ctx.emit(doc(1)), lambda ctx: ctx.flush())
    colours.do(lambda ctx: ctx.complete())
    assert colours.ctx.is_cancelled()
    assert "complete" not in manager.operations()


def test_two_ends_at_once_are_one(make_context, manager):
    rig = make_context()
    reached, release = threading.Event(), threading.Event()

    def hold(args):
        reached.set()
        release.wait(WAIT)

    manager.on("complete", hold)
    first = threading.Thread(target=rig.ctx.complete)
    first.start()
    assert reached.wait(WAIT)
    settled = threading.Event()
    waiting = threading.Thread(target=lambda: (rig.stop.wait_for_final_call(), settled.set()))
    waiting.start()
    rig.ctx.fail("too late")
    assert not settled.is_set()
    release.set()
    first.join(WAIT)
    waiting.join(WAIT)
    assert settled.is_set()
    assert manager.operations() == ["complete"]


def test_of_two_ends_on_their_way_the_first_to_arrive_counts(make_context, manager):
    rig = make_context()
    reached, release = threading.Event(), threading.Event()

    def hold(args):
        reached.set()
        release.wait(WAIT)

    manager.on("save_checkpoint", hold)
    first = threading.Thread(target=lambda: rig.ctx.complete({"c": 1}))
    first.start()
    assert reached.wait(WAIT)  # It has still to save its checkpoint.
    rig.ctx.fail("in the meantime")
    release.set()
    first.join(WAIT)
    assert manager.operations() == ["save_checkpoint", "fail"]
    assert rig.freed == [True]


# -- async only -------------------------------------------------------------------------------------------------


FACTS = {
    "sync_run_id", "source_id", "source_type", "sync_mode", "is_resume", "last_sync_at", "user_filter_mode",
    "state", "checkpoint", "connector_state", "documents_scanned", "documents_emitted", "documents_deleted",
    "errors", "error_count", "content_storage",
}  # fmt: skip
IN_MEMORY = {
    "is_cancelled", "raise_if_cancelled", "should_index_user", "emit_error", "increment_scanned", "add_secret", "progress",
    "in_run", "inventory", "http", "on_stop",
}  # fmt: skip
AWAITED = {
    "emit", "emit_updated", "emit_deleted", "emit_group_membership", "emit_person_sync", "emit_person_deleted",
    "user_email", "flush", "save_state", "save_checkpoint", "save_connector_state", "complete", "fail", "heartbeat",
    "sleep", "credentials",
}  # fmt: skip


def test_the_context_shows_what_is_for_authors_and_nothing_else(make_context):
    ctx = make_context().ctx
    assert {name for name in dir(ctx) if not name.startswith("_")} == FACTS | IN_MEMORY | AWAITED
    storage = {name for name in dir(ctx.content_storage) if not name.startswith("_")}
    assert storage == {"save", "save_binary", "extract_and_store_content", "extract_text"}


def test_gathered_saves_run_at_once(make_context, manager):
    rig = make_context(colour="async")
    together = threading.Barrier(16)
    manager.on("store_content", lambda _: together.wait(WAIT))

    async def gather():
        return await asyncio.gather(*[rig.ctx.content_storage.save(f"text {n}") for n in range(16)])

    assert len(set(rig.loop.run(gather()))) == 16


def test_gathered_emits_keep_their_order(make_context, manager):
    rig = make_context(colour="async")

    async def gather():
        await asyncio.gather(*[rig.ctx.emit(doc(n)) for n in range(50)])
        await rig.ctx.flush()

    rig.loop.run(gather())
    assert [name for _, name in kinds(manager)] == [f"doc-{n}" for n in range(50)]


class LoopGate:
    """Holds the manager's calls until a coroutine lets them go, which only runs on a loop that is not blocked."""

    def __init__(self):
        self._release = threading.Event()
        self._held = asyncio.Event()
        self.opened = False

    def hold(self, loop):
        def hook(args):
            loop.call_soon_threadsafe(self._held.set)
            assert self._release.wait(WAIT)

        return hook

    async def open_when_held(self):
        await self._held.wait()
        self.opened = True
        self._release.set()


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("send_events", lambda ctx: ctx.flush()),
        ("save_checkpoint", lambda ctx: ctx.save_state({})),
        ("complete", lambda ctx: ctx.complete()),
        ("fail", lambda ctx: ctx.fail("no")),
        ("heartbeat", lambda ctx: ctx.heartbeat()),
        ("store_content", lambda ctx: ctx.content_storage.save("x")),
    ],
)
def test_no_call_blocks_the_loop(make_context, manager, operation, call):
    rig = make_context(colour="async")
    gate = LoopGate()

    async def both():
        await rig.ctx.emit_deleted("x")
        manager.on(operation, gate.hold(asyncio.get_running_loop()))
        await asyncio.gather(call(rig.ctx), gate.open_when_held())

    rig.loop.run(both())
    assert gate.opened


def test_waiting_for_room_does_not_block_the_loop(make_context, manager):
    rig = make_context(colour="async")
    gate = LoopGate()
    large = doc(1, content=None, content_id="c", metadata=DocumentMetadata(extra={"x": "x" * 6_000_000}))

    async def emit():
        for _ in range(4):
            await rig.ctx.emit(large)

    async def both():
        manager.on("send_events", gate.hold(asyncio.get_running_loop()))
        await asyncio.gather(emit(), gate.open_when_held())
        await rig.ctx.flush()

    rig.loop.run(both())
    assert len(manager.events) == 4


def test_a_state_is_saved_as_it_was_at_the_call(run, manager):
    state = {"cursor": 1, "pages": [1]}

    def change(_):
        state["cursor"] = 2
        state["pages"].append(2)

    manager.on("save_checkpoint", change)
    colours = run()
    colours.do(lambda ctx: ctx.save_state(state))
    assert manager.checkpoint == {"cursor": 1, "pages": [1]}
    assert colours.ctx.state == {"cursor": 1, "pages": [1]}


@pytest.mark.parametrize("state", ["cursor", 7, ["a"], None], ids=repr)
def test_a_state_that_is_no_dict_is_refused(run, state):
    with pytest.raises(InvalidValueError, match="give a dict"):
        run().do(lambda ctx: ctx.save_state(state))


@pytest.mark.parametrize("count", [1.5, "3", None, True, 2**31], ids=repr)
def test_a_count_that_the_manager_would_refuse_is_refused_at_once(run, manager, count):
    with pytest.raises(InvalidValueError, match="whole number of at most 32 bits"):
        run().do(lambda ctx: ctx.increment_scanned(count))
    assert manager.calls == []


def test_nothing_is_taken_any_more_while_the_run_ends(make_context, manager):
    """What came after the final barrier would be lost without a word."""
    rig = make_context()
    refused = []

    def emit_late(_):
        with pytest.raises(SyncFinishedError) as caught:
            rig.ctx.emit(doc(2))
        refused.append(caught.value)

    manager.on("save_checkpoint", emit_late)
    rig.ctx.emit(doc(1))
    rig.ctx.complete({"a": 1})
    assert len(refused) == 1
    assert [event["document_id"] for event in manager.events] == ["doc-1"]


class GatedFile(io.RawIOBase):
    """A file whose reading waits until a coroutine lets it go, which only runs on a loop that is not blocked."""

    def __init__(self, data=b"from a file"):
        self.reached, self.go_on = threading.Event(), threading.Event()
        self._data = [data]

    def read(self, size=-1):
        self.reached.set()
        assert self.go_on.wait(WAIT)
        return self._data.pop() if self._data else b""


@pytest.mark.parametrize("fields", [{}, {"mime_type": "text/plain"}, {"filename": "a.bin"}])
def test_a_file_is_not_read_on_the_loop_and_keeps_its_place_among_the_events(make_context, manager, fields):
    rig = make_context(colour="async")
    file = GatedFile()

    async def release():
        assert await asyncio.to_thread(file.reached.wait, WAIT)
        file.go_on.set()

    async def emit():
        first = rig.ctx.emit(doc(1, content=file, **fields))
        second = rig.ctx.emit(doc(2))
        await asyncio.gather(first, second, release())
        await rig.ctx.flush()

    rig.loop.run(emit())
    assert [name for _, name in kinds(manager)] == ["doc-1", "doc-2"]
    assert manager.contents[manager.events[0]["content_id"]] == "from a file"
    assert rig.ctx.documents_emitted == 2


def test_a_file_that_cannot_be_read_is_reported_to_its_connector_and_skipped(run, manager):
    class Broken(io.RawIOBase):
        def read(self, size=-1):
            raise OSError("gone")

    colours = run()
    with pytest.raises(OSError, match="gone"):
        colours.do(lambda ctx: ctx.emit(doc(1, content=Broken())))
    colours.do(lambda ctx: ctx.emit(doc(2)), lambda ctx: ctx.flush())
    assert [name for _, name in kinds(manager)] == ["doc-2"]
    assert (colours.ctx.documents_emitted, colours.ctx.error_count) == (1, 0)


def test_flush_returns_a_list_in_both_colours(run, manager):
    manager.on("send_events", SdkClientError("refused", status=422))
    refused = run().do(lambda ctx: ctx.emit(doc(1)), lambda ctx: ctx.flush())
    assert [error.document_id for error in refused] == ["doc-1"]
