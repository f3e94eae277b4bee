"""What ``ctx.inventory()`` says has changed, and what it deletes."""

from __future__ import annotations

import datetime as dt
import logging

import pytest
from support.inventory_source import document, lister

from omni_connector.exceptions import InvalidValueError, RunStoreError, SdkClientError
from omni_connector.inventory.terms import InventoryTerms


def many(count, version=1):
    return {f"d{number}": version for number in range(count)}


def test_an_incremental_run_sends_what_is_new_or_changed_and_deletes_what_is_gone(either):
    assert either.sync({"a": 1, "b": 1, "c": 1}, mode="full") == [("created", name) for name in "abc"]
    assert either.sync({"a": 1, "b": 1, "c": 1}) == []
    assert either.sync({"a": 1, "b": 2, "d": 1}) == [("created", "b"), ("created", "d"), ("deleted", "c")]
    assert either.sync({"a": 1, "b": 2, "d": 1}) == []


def test_a_full_run_sends_everything_once(source):
    source.sync({"a": 1, "b": 1}, mode="full")
    twice = lister({"a": 1, "b": 1}, finish=False)
    assert source.run(twice, twice, mode="full") == [("created", "a"), ("created", "b")]


def test_what_the_manager_rejects_is_sent_again_also_when_it_was_known_before(source):
    source.sync({"a": 1, "b": 1}, mode="full")
    refuse(source, "b")
    assert source.sync({"a": 2, "b": 2, "c": 1}) == [("created", "a"), ("created", "c")]
    source.manager.on("send_events", None)
    assert source.sync({"a": 2, "b": 2, "c": 1}) == [("created", "b")]
    refuse(source, "b")
    source.sync({"a": 2, "b": 2, "c": 1}, mode="full")
    source.manager.on("send_events", None)
    assert source.sync({"a": 2, "b": 2, "c": 1}) == [("created", "b")]


def test_a_rejected_document_that_is_gone_is_deleted(source):
    refuse(source, "b")
    source.sync({"a": 1, "b": 1}, mode="full")
    source.manager.on("send_events", None)
    assert source.sync({"a": 1}) == [("deleted", "b")]


def test_what_was_not_emitted_counts_as_not_sent(source):
    source.run(lambda _, inventory: inventory.changed("a", 1), mode="full")
    assert source.sync({"a": 1}) == [("created", "a")]


def test_a_document_that_cannot_be_read_is_kept(source):
    source.sync({"a": 1, "b": 1}, mode="full")

    def step(ctx, inventory):
        inventory.changed("a", 1)
        ctx.emit_error("b", "no")
        inventory.finish()

    assert source.run(step) == []
    assert source.sync({"a": 1, "b": 1}) == [("created", "b")]  # The next run tries again.


def test_an_error_before_anything_was_listed_touches_memory_only_and_keeps_the_document(source, monkeypatch):
    source.sync({"a": 1, "b": 1}, mode="full")
    ctx, sync = source.open()
    inventory = ctx.inventory()
    with monkeypatch.context() as patch:
        patch.setattr(source.terms.storage, "update", None)  # An event loop must not wait for it.
        ctx.emit_error("b", "no")
    inventory.seen("a")
    inventory.finish()
    ctx.flush()
    assert ctx.documents_deleted == 0
    sync.close()


def test_what_the_connector_deletes_itself_is_forgotten(source):
    source.sync({"a": 1, "b": 1}, mode="full")
    assert source.run(lambda ctx, inventory: (inventory.seen("a"), ctx.emit_deleted("b"))) == [
        ("deleted", "b")
    ]
    assert source.sync({"a": 1, "b": 1}) == [("created", "b")]


def test_what_is_no_document_any_more_is_deleted_and_what_never_was_one_is_not(source):
    source.sync({"a": 1, "b": 1}, mode="full")

    def step(ctx, inventory):
        for name in ("a", "b", "c"):
            inventory.changed(name, 2)
        inventory.gone("b")
        inventory.gone("c")
        ctx.emit(document("a"))
        inventory.finish()

    assert source.run(step) == [("deleted", "b"), ("created", "a")]
    assert source.sync({"a": 2, "b": 2}) == [("created", "b")]


def test_nothing_is_deleted_without_a_complete_listing_or_in_an_unread_part(source):
    source.sync({"x/a": 1, "x/b": 1, "y/a": 1}, mode="full")
    incomplete = [
        lambda _, inventory: inventory.seen("x/a"),
        lambda _, inventory: inventory.finish(complete=False),
    ]
    assert source.run(*incomplete) == []
    partly = [lambda _, inventory: inventory.unread("x/"), lister({"z": 1})]
    assert source.run(*partly) == [("created", "z"), ("deleted", "y/a")]
    assert source.run(lambda _, inventory: inventory.seen("x/a")) == []  # Not finished.


def test_scopes_are_listed_each_for_itself(source):
    def both(ctx, _):
        for scope in ("one", "two"):
            inventory = ctx.inventory(scope)
            if inventory.changed(f"{scope}-a", 1):
                ctx.emit(document(f"{scope}-a"))

    source.run(both, mode="full")
    assert source.run(
        lambda ctx, _: (ctx.inventory("one").changed("one-b", 1), ctx.inventory("one").finish())
    ) == [("deleted", "one-a")]
    assert source.run(both) == [("created", "one-a")]


def test_another_version_of_what_all_depend_on_sends_everything(source):
    def step(version):
        return lambda ctx, _: ctx.inventory(version=version).changed("a", 1) and ctx.emit(document("a"))

    assert [
        bool(source.run(step(version), mode=mode))
        for version, mode in [(1, "full"), (1, "incremental"), ({"public": True}, "incremental")]
    ] == [True, False, True]


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", 1), (b"1", "1"), (dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2026, 1, 2, tzinfo=dt.UTC)), ([1, "a"], ["1", "a"]), ({"a": 1}, {"a": 2}), (None, None)],
)  # fmt: skip
def test_fingerprints_may_have_many_forms(source, one, other):
    source.sync({"a": one}, mode="full")
    assert source.sync({"a": other}) == [("created", "a")]


def test_equal_objects_have_equal_fingerprints_and_others_are_refused(source):
    source.sync({"a": {"x": 1, "y": [2]}}, mode="full")
    assert source.sync({"a": {"y": [2], "x": 1}}) == []
    with pytest.raises(InvalidValueError, match=r"inventory\.fingerprint"):
        source.sync({"a": object()})


def test_a_resumed_run_goes_on_where_it_was_and_remembers_what_it_has_seen(source):
    source.sync(many(4), mode="full")
    ctx, sync = source.open(mode="full", sync_run_id="long")
    lister({"d0": 1, "d1": 2}, finish=False)(ctx, ctx.inventory())
    ctx.save_state({"page": 1})
    lister({"d2": 2}, finish=False)(ctx, ctx.inventory())
    ctx.flush()
    sync.close()
    rest = source.sync({"d1": 2, "d2": 2}, mode="full", sync_run_id="long", own={"page": 1})
    assert rest == [("deleted", "d3")]


def test_a_resumed_run_remembers_which_parts_were_not_read_and_that_something_was_listed(source):
    source.sync({"x/a": 1, "y/a": 1}, mode="full")
    ctx, sync = source.open(sync_run_id="long")
    ctx.inventory().seen("z")
    ctx.inventory().unread("x/")
    ctx.save_state({"page": 1})
    sync.close()
    finish = [lambda _, inventory: inventory.finish()]
    assert source.run(*finish, sync_run_id="long", own={"page": 1}) == [("deleted", "y/a")]


@pytest.mark.parametrize("has_own", [False, True])
def test_a_run_that_lists_from_the_beginning_again_forgets_what_it_has_seen_before(source, has_own):
    source.sync(many(12), mode="full")
    ctx, sync = source.open(mode="full", sync_run_id="long")
    lister(many(12), finish=False)(ctx, ctx.inventory())
    ctx.inventory().unread("d")
    if has_own:
        ctx.save_state({"own": 1})
    ctx.flush()
    sync.close()
    again = [lambda _, inventory: inventory.start_over()] if has_own else []
    rest = source.run(
        *again, lister(many(11)), mode="full", sync_run_id="long", own={"own": 1} if has_own else None
    )
    assert rest == [("deleted", "d11")]


def test_a_run_that_is_resumed_with_another_inventory_deletes_nothing_and_sends_all(source, caplog):
    source.sync(many(3), mode="full")
    assert source.sync({"d2": 1}, sync_run_id="elsewhere", own={"page": 7}) == [("created", "d2")]
    assert "is not that of the checkpoint" in caplog.text
    assert "Source source-1: Nothing was deleted: the inventory does not know" in caplog.text
    assert source.sync({"d0": 1, "d2": 1}) == [("created", "d0"), ("deleted", "d1")]


@pytest.mark.parametrize("is_interrupted", [False, True])
@pytest.mark.parametrize("begins", ["at the checkpoint", "anew", "from nothing"])
def test_a_run_after_one_that_failed_in_the_middle_deletes_only_what_it_has_listed_from_the_beginning(
    source, begins, is_interrupted
):
    """A manager of before 8 June 2026 keeps the checkpoint of a failed run, and so does a partition of any."""
    source.sync(many(4), mode="full")
    ctx, sync = source.open()
    lister({"d0": 1}, finish=False)(ctx, ctx.inventory())
    ctx.save_state({"page": 1})
    sync.close()  # The run fails.
    source.published = None if begins == "from nothing" else {"page": 1}
    listed = {"d1": 1, "d2": 1} if begins == "at the checkpoint" else {"d0": 1, "d1": 1, "d2": 1}
    more = {"sync_run_id": "next"}
    if is_interrupted:
        ctx, sync = source.open(**more)
        if begins == "anew":
            ctx.inventory().start_over()
        lister(listed, finish=False)(ctx, ctx.inventory())
        ctx.save_state({"page": 3})
        sync.close()
        more["own"], listed = {"page": 3}, {}
    steps = [lister(listed)]
    if begins == "anew" and not is_interrupted:
        steps.insert(0, lambda _, inventory: inventory.start_over())
    deleted = [] if begins == "at the checkpoint" else [("deleted", "d3")]
    assert [event for event in source.run(*steps, **more) if event[0] == "deleted"] == deleted
    rest = source.sync({"d0": 1, "d1": 1, "d2": 1})
    assert [event for event in rest if event[0] == "deleted"] == ([] if deleted else [("deleted", "d3")])


@pytest.mark.parametrize("loss", ["reset", "lost"])
def test_where_the_inventory_does_not_belong_to_the_checkpoint_everything_counts_as_changed(
    source, caplog, loss
):
    source.sync({"a": 1, "b": 1}, mode="full")
    if loss == "reset":
        source.published = {"run": "on another machine"}
    else:
        source.terms = InventoryTerms()
    caplog.set_level(logging.WARNING)
    assert source.sync({"a": 1}) == [("created", "a")]  # The checkpoint may be in the middle of the listing.
    assert len([line for line in caplog.messages if "counts as changed" in line]) == 1
    assert source.sync({"a": 1}) == ([("deleted", "b")] if loss == "reset" else [])


def test_an_empty_inventory_of_a_source_that_was_synced_before_is_reported_once(source, caplog):
    """A new machine, or a lost folder; a connector that saves no checkpoint gives no other sign."""

    def remarks():
        ctx, run = source.open()
        ctx.inventory().seen("a")
        ctx.inventory("two").seen("a")
        run.close()
        return [(error.stage, error.document_id) for error in ctx.errors]

    assert remarks() == []
    source.terms = InventoryTerms()
    source.last_sync_at = dt.datetime(2026, 11, 29, tzinfo=dt.UTC)
    assert [remarks(), remarks()] == [[("inventory", "source-1")], []]
    [warning] = [line for line in caplog.messages if "is empty, although it was synced before" in line]
    assert "or remove the source in Omni and add it again" in warning


def test_a_run_whose_end_did_not_arrive_leaves_an_inventory_for_either_checkpoint(source):
    source.sync({"a": 1}, mode="full")
    for is_published in (False, True):
        source.manager.on("complete", SdkClientError("gone"))
        before = source.published
        with pytest.raises(SdkClientError, match="gone"):
            source.sync({"a": 1}, sync_run_id=f"failing-{is_published}")
        source.manager.on("complete", None)
        source.published = {"run": f"failing-{is_published}"} if is_published else before
        assert source.sync({"a": 1}) == []


def refuse(source, name):
    def hook(args):
        if any(name == event.get("document_id") for event in map(loads, args["events"])):
            raise SdkClientError("no", status=400)

    source.manager.on("send_events", hook)


def loads(event):
    import json

    return json.loads(event) if isinstance(event, (bytes, str)) else event


def test_a_source_that_is_asked_for_changes_only_is_listed_from_time_to_time(source, monkeypatch):
    now = [1_000_000.0]
    monkeypatch.setattr("omni_connector.inventory.scopes.time.time", lambda: now[0])
    source.terms = InventoryTerms(storage=source.terms.storage, reconcile_seconds=3600)
    due = []

    def step(_, inventory):
        due.append(bool(inventory.reconciliation_due()))
        inventory.changed("a", 1)
        if due[-1]:
            inventory.finish()

    for mode, passed in (("full", 0), ("incremental", 10), ("incremental", 3600), ("incremental", 3599)):
        now[0] += passed
        source.run(step, mode=mode)
    assert due == [True, False, True, False]
    now[0] += 3600
    ctx, run = source.open(sync_run_id="long")
    step(ctx, ctx.inventory())
    run.close()  # Killed before it has completed.
    now[0] += 10
    source.run(step, sync_run_id="long")
    source.run(step)
    assert due[4:] == [True, True, False]


@pytest.mark.parametrize("then", ["gone", "as before"])
def test_what_arrived_right_before_a_process_was_killed_is_not_forgotten(source, monkeypatch, then):
    """Killed between the manager's answer and what the inventory writes about it."""
    source.sync({"a": 1, "b": 1}, mode="full")
    ctx, sync = source.open(sync_run_id="killed")
    lister({"a": 2, "b": 1, "new": 1}, finish=False)(ctx, ctx.inventory())
    with monkeypatch.context() as patch:
        patch.setattr(sync.inventories, "accepted", lambda events: None)
        ctx.flush()
    rest = {"a": 1, "b": 1} if then == "as before" else {"b": 1}
    expected = (
        [("created", "a"), ("deleted", "new")]
        if then == "as before"
        else [("deleted", "a"), ("deleted", "new")]
    )
    assert source.sync(rest, sync_run_id="killed") == expected


def test_a_run_whose_marks_could_not_be_written_deletes_nothing_and_saves_nothing(source, monkeypatch):
    source.sync(many(4), mode="full")
    ctx, sync = source.open()
    inventory = ctx.inventory()
    for name in many(4):
        inventory.seen(name)
    with monkeypatch.context() as patch:
        patch.setattr(source.terms.storage, "write", fail)
        with pytest.raises(RunStoreError):
            ctx.flush()
    for call in (inventory.finish, lambda: ctx.save_state({"page": 1}), ctx.complete):
        with pytest.raises(RunStoreError):
            call()
    assert ctx.documents_deleted == 0
    assert "run-2" not in source.manager.statuses
    sync.close()


def fail(*_):
    raise RunStoreError("the disk is full")
