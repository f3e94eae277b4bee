"""A document that is in several scopes, or moves from one to another, is deleted when no scope has it any more."""

from __future__ import annotations

import attrs
import pytest
from support.inventory_source import document, lister

from omni_connector.inventory.memory import MemoryInventories
from omni_connector.inventory.of_run import RunInventories
from omni_connector.inventory.standing import RunFacts
from omni_connector.inventory.storage import Changes, Shelf
from omni_connector.inventory.terms import InventoryTerms
from omni_connector.models.events import encode_delete, encode_upsert


def listing(**scopes):
    """Return a step that lists these scopes in this order."""

    def step(ctx, _):
        for scope, names in scopes.items():
            lister(dict.fromkeys(names.split(), 1))(ctx, ctx.inventory(scope))

    return step


@pytest.fixture
def moving(source):
    source.run(listing(one="a b c", two="d e f"), mode="full")
    return source


@pytest.mark.parametrize(
    ("now", "sent"),
    [
        ({"two": "d e f a", "one": "b c"}, [("created", "a")]),
        # It is gone before it is found again.
        ({"one": "b c", "two": "d e f a"}, [("deleted", "a"), ("created", "a")]),
    ],
)
def test_a_document_that_moves_stays(moving, now, sent):
    assert moving.run(listing(**now)) == sent
    assert moving.run(listing(**now)) == []
    assert moving.run(listing(two="d e f", one="b c")) == [("deleted", "a")]


def test_a_document_that_has_moved_in_an_earlier_run_stays_when_only_its_old_scope_is_listed(moving):
    assert moving.run(listing(two="d e f a")) == [("created", "a")]
    assert moving.run(listing(one="b c")) == []
    assert moving.run(listing(two="d e f")) == [("deleted", "a")]


@pytest.mark.parametrize("is_opened", [True, False])
def test_what_one_scope_reports_as_gone_stays_where_another_has_it(moving, is_opened):
    assert moving.run(listing(two="d e f a")) == [("created", "a")]

    def step(ctx, _):
        if is_opened:
            ctx.inventory("two").changed("a", 1)
        ctx.inventory("one").gone("a")

    assert moving.run(step) == []
    assert moving.run(lambda ctx, _: ctx.inventory("two").gone("a")) == [("deleted", "a")]


def test_a_document_that_is_about_to_be_sent_from_another_scope_is_not_deleted(moving):
    def step(ctx, _):
        ctx.inventory("two").changed("a", 2)  # Its content is being read.
        listing(one="b c")(ctx, _)

    assert moving.run(step) == []


def test_what_one_scope_reports_as_gone_stays_where_another_is_about_to_send_it(moving):
    def step(ctx, _):
        ctx.inventory("two").changed("a", 2)
        ctx.inventory("one").gone("a")

    assert moving.run(step) == []
    assert moving.run(listing(two="d e f", one="b c")) == [("deleted", "a")]


def test_a_scope_that_releases_what_it_has_just_sent_does_not_have_it():
    storage = MemoryInventories()
    storage.write([(Shelf("s", "two"), Changes(1, kept={"d": b"1" * 12}))])
    run = RunInventories(RunFacts(sync_run_id="run-1", source="s"), InventoryTerms(storage=storage))
    one, two = run.listing("one", b""), run.listing("two", b"")
    run.see(two, "d")
    assert run.is_changed(one, "d", b"2" * 12)
    event = encode_upsert("document_created", document("d"), sync_run_id="run-1", source_id="s")
    event.mark = run.emitting("d")
    run.sending([event])
    run.accepted([event])  # It is written with the next batch.
    with run.releasing(one, ["d"]) as going:
        assert going == []
    run.close()
    assert storage.find(Shelf("s", "one"), "d") is None
    assert storage.find(Shelf("s", "two"), "d") is not None


def test_what_the_connector_deletes_itself_is_sent_again_by_a_scope_that_is_opened_before_it_leaves():
    storage = MemoryInventories()
    storage.write([(Shelf("s", "two"), Changes(1, kept={"d": b"1" * 12}))])
    run = RunInventories(RunFacts(sync_run_id="run-1", source="s"), InventoryTerms(storage=storage))
    run.see(run.listing("one", b""), "b")
    event = encode_delete("d", sync_run_id="run-1", source_id="s")
    event.mark = run.deleting("d")
    two = run.listing("two", b"")
    assert not run.is_changed(two, "d", b"1" * 12)
    run.sending([event])
    run.accepted([event])
    assert run.is_changed(two, "d", b"1" * 12)
    run.close()
    assert storage.find(Shelf("s", "two"), "d").fingerprint == b""


class Remembering(MemoryInventories):
    """Looks each document up once, as readers of Redis do."""

    def reader(self, shelf):
        return RememberingReader(super().reader(shelf), {})


@attrs.frozen
class RememberingReader:
    reader: object
    found: dict

    def find(self, name):
        if name not in self.found:
            self.found[name] = self.reader.find(name)
        return self.found[name]

    def written(self, changes):
        self.altered(changes.kept.keys() | changes.doubted | changes.deleted | changes.seen)

    def altered(self, names):
        for name in names:
            self.found.pop(name, None)


def test_what_one_scope_has_released_is_looked_up_again(source):
    source.terms = InventoryTerms(storage=Remembering())
    source.run(listing(one="a b", two="a c"), mode="full")

    def step(ctx, _):
        one, two = ctx.inventory("one"), ctx.inventory("two")
        assert not one.changed("a", 1)
        assert not two.changed("a", 1)
        one.gone("a")
        assert two.changed("a", 1)  # Which of the two was sent last is not known.
        assert one.changed("a", 1)

    source.run(step)


def test_what_was_written_is_looked_up_again(source):
    source.terms = InventoryTerms(storage=Remembering())

    def step(ctx, inventory):
        assert inventory.changed("a", 1)
        ctx.emit(document("a"))
        ctx.flush()
        assert not inventory.changed("a", 1)

    source.run(step)


def test_what_the_connector_deletes_itself_is_sent_again_by_a_scope_that_was_not_open(moving):
    def step(ctx, _):
        ctx.inventory("one").seen("b")
        ctx.emit_deleted("d")

    assert moving.run(step) == [("deleted", "d")]
    assert moving.run(listing(two="d e f")) == [("created", "d")]


def test_each_scope_is_due_for_itself_until_it_was_listed(source):
    source.terms = InventoryTerms(reconcile_seconds=3600)

    def step(ctx, _):
        for scope in ("one", "two"):
            ctx.inventory(scope).seen("a")
        ctx.inventory("one").finish()

    source.run(step)
    ctx, _ = source.open()
    assert not ctx.inventory("one").reconciliation_due()
    assert ctx.inventory("two").reconciliation_due()


def test_documents_that_have_moved_need_no_approval(source):
    names = " ".join(f"d{number}" for number in range(20))
    source.run(listing(one=f"a {names}", two="b"), mode="full")
    moved = listing(two=f"b {names}", one="a")
    assert len(source.run(moved)) == 20
    ctx, run = source.open()
    moved(ctx, None)
    assert ctx.errors == []
    run.close()


class Meanwhile(MemoryInventories):
    """Lets something happen in the middle of a deletion, as another thread would."""

    then = None

    def release(self, *args):
        found = super().release(*args)
        then, self.then = self.then, None
        if then is not None:
            then()
        return found


def test_a_document_that_another_thread_sends_while_its_old_scope_deletes_stays(source):
    storage = Meanwhile()
    source.terms = InventoryTerms(storage=storage)
    source.run(listing(one="a b c", two="d e f"), mode="full")

    def step(ctx, _):
        def send():
            assert ctx.inventory("two").changed("a", 2)
            ctx.emit(document("a"))

        one = ctx.inventory("one")
        one.seen("b")
        one.seen("c")
        storage.then = send
        one.finish()

    assert source.run(step) == [("created", "a")]
    assert source.run(listing(two="d e f", one="b c")) == [("deleted", "a")]


def test_what_another_thread_has_delivered_while_deletions_waited_for_room_stays(moving, monkeypatch):
    monkeypatch.setattr("omni_connector.sync.intake.DELETIONS_AT_ONCE", 1)

    def step(ctx, _):
        waits = []

        def wait_for_room(intake):
            waits.append(intake)
            if len(waits) == 1:
                assert ctx.inventory("two").changed("b", 2)
                ctx.emit(document("b"))
                ctx.flush()

        monkeypatch.setattr("omni_connector.sync.intake.Intake.wait_for_room", wait_for_room)
        one = ctx.inventory("one")
        one.seen("c")
        one.finish()

    assert moving.run(step) == [("deleted", "a"), ("created", "b")]


def test_a_document_that_is_not_sent_from_its_new_scope_after_all_is_still_known(moving):
    def step(ctx, _):
        ctx.inventory("two").changed("a", 2)
        listing(one="b c")(ctx, _)

    assert moving.run(step) == []
    assert moving.run(listing(two="d e f", one="b c")) == [("deleted", "a")]


def test_a_document_that_moves_back_with_its_old_version_after_an_interruption_is_sent_again(moving):
    ctx, run = moving.open()
    lister({"a": 1, "b": 1, "c": 1, "d": 2}, finish=False)(ctx, ctx.inventory("one"))
    ctx.flush()
    run.close()  # The manager has version 2 of it, and scope two, which was not listed, knows version 1.
    assert moving.run(listing(one="a b c", two="d e f")) == [("created", "d")]
    assert moving.run(listing(one="a b c", two="d e f")) == []
