"""What keeps a document from being deleted, or forgotten, by mistake: each guard for itself, event by event."""

from __future__ import annotations

import copy

import pytest
from support.inventory_source import document, lister

from omni_connector.exceptions import SdkClientError
from omni_connector.inventory.memory import MemoryInventories
from omni_connector.inventory.of_run import RunInventories
from omni_connector.inventory.standing import KEPT_RUNS, RunFacts, begin, set_basis
from omni_connector.inventory.storage import Changes, Shelf
from omni_connector.inventory.terms import InventoryTerms
from omni_connector.models.codec import digest
from omni_connector.models.events import EncodedEvent
from omni_connector.runstore.inventory_sqlite import SqliteInventories
from omni_connector.runstore.sqlite_file import SqliteFile

V1, V2 = b"1" * 12, b"2" * 12


class Run:
    """One run of a source with the scopes ``one`` and ``two``; its threads take turns here."""

    def __init__(self, storage=None, **facts):
        self.storage = storage or MemoryInventories()
        self.facts = RunFacts(**{"sync_run_id": "run-1", "source": "s", "is_full": False, **facts})
        self.inventories = RunInventories(self.facts, InventoryTerms(storage=self.storage))
        self.one, self.two = (self.inventories.listing(scope, b"") for scope in ("one", "two"))

    def knew(self, scope, *names):
        """Let an earlier run have sent documents."""
        self.storage.write([(Shelf(self.facts.source, scope), Changes(0, kept=dict.fromkeys(names, V1)))])

    def found(self, scope, name):
        return self.storage.find(Shelf(self.facts.source, scope), name)

    def emit(self, name):
        return EncodedEvent(name, "document_created", b"", self.inventories.emitting(name))

    def delete(self, name, listing=None):
        return EncodedEvent(name, "document_deleted", b"", self.inventories.deleting(name, listing))

    def deliver(self, *events):
        self.inventories.sending(events)
        self.inventories.accepted(events)

    def unseen(self, listing):
        return [name for page in self.inventories.unseen(listing) for name in page]


@pytest.fixture
def run():
    return Run()


# -- another scope, and another thread --------------------------------------------------------------------------------


@pytest.mark.parametrize("is_sent", [True, False])
def test_a_document_that_another_scope_finds_in_the_moment_of_its_deletion_stays_and_is_known_there(
    run, is_sent
):
    run.knew("one", "a")
    run.inventories.see(run.one, "b")
    with run.inventories.releasing(run.one, ["a"]) as going:
        assert going == ["a"]
        assert run.inventories.is_changed(run.two, "a", V2)
        assert run.delete("a", run.one).mark is None
    if is_sent:
        run.deliver(run.emit("a"))
    run.inventories.close()
    assert run.found("one", "a") is None
    assert run.found("two", "a").fingerprint == (V2 if is_sent else b"")


def test_nothing_is_written_until_the_deletions_of_what_was_released_were_taken(run):
    run.knew("one", "a")
    run.inventories.see(run.one, "b")
    with run.inventories.releasing(run.one, ["a"]):
        assert run.inventories._committing.locked()
    assert not run.inventories._committing.locked()


def test_a_deletion_on_its_way_in_one_scope_is_no_sign_that_it_has_the_document(run):
    run.knew("two", "a")
    run.inventories.see(run.one, "b")
    assert run.delete("a", run.one).mark is not None
    assert run.delete("a", run.two).mark is not None


def test_what_a_scope_has_just_sent_itself_does_not_keep_it_from_being_deleted(source):
    def step(ctx, _):
        one = ctx.inventory("one")
        assert one.changed("a", 1)
        ctx.emit(document("a"))
        one.gone("a")
        one.gone("a")

    assert source.run(step) == [("created", "a"), ("deleted", "a")]


def test_a_document_that_was_found_and_is_then_reported_as_gone_is_gone_in_every_scope(source):
    source.run(*(lambda ctx, _, scope=scope: ctx.inventory(scope).changed("a", 1) and ctx.emit(document("a")) for scope in ("one", "two")))  # fmt: skip

    def step(ctx, _):
        ctx.inventory("one").changed("a", 2)  # It turns out to be no document any more.
        for scope in ("one", "two"):
            ctx.inventory(scope).gone("a")

    assert source.run(step) == [("deleted", "a")]


def test_a_document_that_another_scope_has_asked_for_is_looked_up_and_seen_in_this_one(run):
    run.knew("one", "a")
    assert run.inventories.is_changed(run.two, "a", V2)
    assert not run.inventories.is_changed(run.one, "a", V1)
    run.inventories.commit()
    assert run.unseen(run.one) == []


class Meanwhile(MemoryInventories):
    """Lets something happen while unseen documents are looked for."""

    then = None

    def unseen(self, *args):
        found = super().unseen(*args)
        if self.then is not None:
            self.then()
        return found


@pytest.mark.parametrize("is_emitted", [True, False])
def test_what_another_thread_has_found_since_the_listing_was_looked_through_is_not_unseen(is_emitted):
    run = Run(Meanwhile())
    run.knew("one", "a", "b")
    run.inventories.see(run.one, "c")

    def find():
        if run.inventories.is_changed(run.one, "a", V2) and is_emitted:
            run.emit("a")

    run.storage.then = find
    assert run.unseen(run.one) == ["b"]


def test_a_document_that_was_emitted_again_before_its_deletion_was_written_is_on_its_way(run):
    run.knew("two", "a")
    run.inventories.see(run.two, "b")
    run.deliver(run.delete("a", run.one))
    run.inventories.is_changed(run.one, "a", V2)
    run.emit("a")
    run.inventories.commit()
    with run.inventories.releasing(run.two, ["a"]) as going:
        assert going == []
    assert run.unseen(run.two) == []


def test_documents_that_another_partition_may_have_sent_are_doubted_once():
    run = Run(source="s/one", partition_of="s")
    other = Run(run.storage, source="s/two", partition_of="s")
    for each in (run, other):
        each.inventories.see(each.one, "b")
    run.knew("one", "a")
    run.deliver(run.delete("a", run.one))
    run.inventories.commit()
    other.knew("one", "a")
    run.inventories.see(run.one, "c")
    run.inventories.commit()
    assert other.found("one", "a").fingerprint == V1


# -- which version the manager has ------------------------------------------------------------------------------------


def test_the_version_that_was_asked_for_last_is_the_one_that_is_sent(run):
    for version in (V1, V2):
        assert run.inventories.is_changed(run.one, "a", version)
    first = run.emit("a")
    assert run.inventories.is_changed(run.one, "a", V1)
    assert first.mark.fingerprint == V2
    assert run.emit("a").mark.fingerprint == V1


def test_a_second_event_of_a_document_that_is_refused_leaves_it_in_doubt(run):
    run.inventories.is_changed(run.one, "a", V1)
    first, second = run.emit("a"), run.emit("a")
    run.deliver(first)
    run.inventories.refused(second)
    run.inventories.close()
    assert run.found("one", "a").fingerprint == b""


def test_without_a_fingerprint_a_document_is_changed_whenever_it_is_asked_for(source):
    twice = lister({"a": None}, finish=False)
    assert [source.run(twice, twice) for _ in range(2)] == [[("created", "a")] * 2] * 2


def test_what_was_refused_is_sent_again_when_it_is_asked_for_again(run):
    run.inventories.is_changed(run.one, "a", V1)
    run.inventories.refused(run.emit("a"))
    run.inventories.commit()
    assert run.inventories.is_changed(run.one, "a", V1)


def test_a_document_that_a_full_run_has_not_emitted_is_sent_by_the_next_one(source):
    source.sync({"a": 1}, mode="full")
    source.run(lambda _, inventory: inventory.changed("a", 1), mode="full")
    assert source.sync({"a": 1}) == [("created", "a")]


def test_what_is_remembered_no_more_before_it_is_emitted_is_known(run, monkeypatch):
    monkeypatch.setattr("omni_connector.inventory.in_flight.MOST_WANTED", 1)
    for name in ("a", "b"):
        run.inventories.is_changed(run.one, name, V1)
    run.inventories.close()
    assert run.found("one", "a").fingerprint == b""


def test_a_document_that_is_deleted_to_be_made_anew_is_known(source):
    source.sync({"a": 1}, mode="full")

    def step(ctx, inventory):
        if inventory.changed("a", 2):
            ctx.emit_deleted("a")
            ctx.emit(document("a"))
        inventory.finish()

    assert source.run(step) == [("deleted", "a"), ("created", "a")]
    assert source.run(step) == []


def test_what_the_connector_deletes_itself_is_known_no_more(run):
    run.knew("one", "a")
    run.inventories.see(run.one, "b")
    run.deliver(run.delete("a"))
    run.inventories.close()
    assert run.found("one", "a") is None


# -- interruptions, and the end of a listing --------------------------------------------------------------------------


def many(count):
    return {f"d{number:03}": 1 for number in range(count)}


def test_an_error_that_is_written_before_anything_was_listed_keeps_the_document(source):
    source.sync({"a": 1, "b": 1}, mode="full")

    def step(ctx, inventory):
        ctx.emit_error("b", "no")
        ctx.flush()
        inventory.seen("a")
        inventory.finish()

    assert source.run(step) == []


def test_what_was_sent_before_the_scope_was_started_over_is_not_seen(run):
    run.inventories.is_changed(run.one, "a", V1)
    run.deliver(run.emit("a"))
    run.inventories.start_over(run.one)
    run.inventories.commit()
    assert run.unseen(run.one) == ["a"]


@pytest.mark.parametrize("how", ["start_over", "begins again"])
@pytest.mark.parametrize(("names", "deleted"), [([], []), (["x/b"], [("deleted", "x/a")])])
def test_neither_what_was_seen_nor_what_was_unread_counts_once_a_scope_is_listed_anew(
    source, how, names, deleted
):
    """The process is killed before it has noted anything since."""
    source.sync({"x/a": 1, "x/b": 1}, mode="full")
    ctx, run = source.open(sync_run_id="long")
    inventory = ctx.inventory()
    inventory.seen("x/a")
    inventory.unread("x/")
    ctx.flush()
    own = {"page": 1} if how == "start_over" else None
    if own:
        ctx.save_state(own)
        inventory.start_over()
    else:
        ctx.inventory("two").seen("y")  # How far the first is, is noted.
    run.close()
    steps = [lister(dict.fromkeys(names, 1))]
    assert source.run(*steps, sync_run_id="long", own=own) == deleted


def test_a_run_that_begins_again_in_the_middle_is_not_whole_because_it_was_started_over_before(source):
    source.sync({"a": 1, "b": 1}, mode="full")
    source.published = {"page": 1}  # Of a run that has failed.
    ctx, run = source.open(sync_run_id="long")
    ctx.inventory().start_over()
    ctx.inventory("two").seen("y")  # How far the first is, is noted.
    run.close()
    assert source.sync({"b": 1}, sync_run_id="long") == [("created", "b")]


def test_a_scope_that_was_started_over_is_so_after_an_interruption(source):
    source.sync({"a": 1, "b": 1}, mode="full")
    ctx, run = source.open(sync_run_id="long")
    inventory = ctx.inventory()
    inventory.seen("b")
    inventory.start_over()
    inventory.seen("a")
    ctx.save_state({"page": 1})
    run.close()
    finish = [lambda _, inventory: inventory.finish()]
    assert source.run(*finish, sync_run_id="long", own={"page": 1}) == [("deleted", "b")]


def test_a_listing_that_is_empty_after_it_was_started_over_is_withheld(source):
    source.sync(many(5), mode="full")

    def step(_, inventory):
        inventory.seen("d000")
        inventory.start_over()
        inventory.finish()

    assert source.run(step) == []


def test_deletions_are_compared_with_what_was_known_before_the_run_also_after_an_interruption(source):
    source.sync(many(12), mode="full")
    ctx, run = source.open(sync_run_id="long")
    lister(many(100), finish=False)(ctx, ctx.inventory())
    ctx.save_state({"page": 1})
    run.close()
    rest = source.terms.storage
    rest.write([(Shelf("source-1"), Changes(0, kept=dict.fromkeys(["x", "y", "z"], V1)))])
    steps = [lambda _, inventory: inventory.finish()]
    assert source.run(*steps, sync_run_id="long", own={"page": 1}) == []  # 3 of 12, not of 103.


def test_a_run_that_begins_again_deletes_little_of_what_it_has_sent_itself(source):
    ctx, run = source.open(sync_run_id="long")
    lister(many(100), finish=False)(ctx, ctx.inventory())
    ctx.flush()
    run.close()
    assert [event for event in source.sync(many(20), sync_run_id="long") if event[0] == "deleted"] == []


def test_many_deletions_are_found_again_page_by_page(source, monkeypatch):
    monkeypatch.setattr("omni_connector.inventory.finishing.FEW", 1)
    monkeypatch.setattr("omni_connector.inventory.of_run.PAGE", 1)
    source.sync(many(4), mode="full")
    assert source.sync(many(1)) == [("deleted", f"d{number:03}") for number in (1, 2, 3)]


def test_more_unread_parts_than_are_kept_apart_keep_everything(source, monkeypatch):
    monkeypatch.setattr("omni_connector.inventory.listing.MOST_UNREAD", 1)
    source.sync(many(3), mode="full")

    def step(_, inventory):
        for part in ("x/", "y/"):
            inventory.unread(part)
        inventory.seen("d000")
        inventory.finish()
        assert not inventory.is_reconciled

    assert source.run(step) == []


def test_the_decision_to_list_nothing_holds_through_an_interruption_and_a_clock_that_is_put_back(
    source, monkeypatch
):
    now = [1_000_000.0]
    monkeypatch.setattr("omni_connector.inventory.scopes.time.time", lambda: now[0])
    source.terms = InventoryTerms(storage=source.terms.storage, reconcile_seconds=3600)
    source.sync({"a": 1})

    def is_due(sync_run_id):
        ctx, run = source.open(sync_run_id=sync_run_id)
        due = bool(ctx.inventory().reconciliation_due())
        run.close()
        return due

    assert not is_due("long")
    now[0] += 4000
    assert not is_due("long")
    assert is_due("next")
    now[0] -= 5000
    assert is_due("one after that")


def test_a_cursor_lists_everything_where_that_is_due_and_may_be_awaited(either):
    found = []

    def step(_, inventory):
        found.append(inventory.cursor("at", {"at": {"number": 9}}, start=7))

    async def async_step(_, inventory):
        found.append(await inventory.cursor("at", {"at": {"number": 9}}, start=7))

    for mode in ("full", "incremental"):
        either.run(step if either.loop is None else async_step, mode=mode)
    assert [(cursor.since, cursor.lists_all) for cursor in found] == [(7, True), (9, False)]


def list_by_cursor(rows, asked, *, until=None):
    """Return a step that lists rows by their number, as far as it gets."""

    def step(ctx, inventory):
        cursor = inventory.cursor("at", ctx.state, start=0)
        asked.append(cursor.since)
        for number in (each for each in rows if each >= cursor.since):
            if inventory.changed(str(number), 1):
                ctx.emit(document(str(number)))
            ctx.save_state(cursor.take(number).state)
            if number == until:
                return
        inventory.finish(complete=cursor.lists_all)

    return step


@pytest.mark.parametrize("then", ["resumed", "resumed elsewhere", "failed", "published"])
def test_a_listing_by_a_cursor_goes_on_in_the_middle_and_deletes_only_what_it_has_proven_to_be_gone(
    source, then
):
    asked = []
    source.run(list_by_cursor([1, 2, 3, 4, 5], asked), mode="full")
    ctx, run = source.open(mode="full", sync_run_id="long")
    list_by_cursor([1, 2, 4, 5], asked, until=2)(ctx, ctx.inventory())
    saved = source.manager.checkpoints["long"]
    if then == "published":  # A connector that does not say how its listing ends.
        ctx.complete()
    run.close()
    more = {"sync_run_id": "long", "own": saved} if "resumed" in then else {}
    if then == "resumed elsewhere":
        source.terms = InventoryTerms()
    if then in {"failed", "published"}:
        source.published = saved
    steps = [list_by_cursor([1, 2, 4, 5], asked)]
    deleted = [name for kind, name in source.run(*steps, mode="full", **more) if kind == "deleted"]
    assert asked[1:] == [0, 2 if "resumed" in then else 0]
    assert deleted == ([] if then in {"resumed elsewhere", "failed"} else ["3"])


def test_a_checkpoint_waits_for_the_disk_once(source, tmp_path, monkeypatch):
    storage = SqliteInventories(lambda: tmp_path / "inventory.sqlite3", "notes")
    source.stack.callback(storage.close)
    source.terms = InventoryTerms(storage=storage)
    ctx, _ = source.open()
    lister({"a": 1}, finish=False)(ctx, ctx.inventory())
    ctx.flush()
    transactions = []
    writing = SqliteFile.writing

    def counting(file):
        transactions.append(file)
        return writing(file)

    monkeypatch.setattr(SqliteFile, "writing", counting)
    ctx.inventory().seen("b")
    ctx.save_state({"page": 1})
    assert len(transactions) == 1
    assert storage.note("source-1")["runs"]["run-1"]["checkpoints"][-1] == digest({"page": 1})


def test_a_run_is_resumed_from_the_checkpoint_before_one_that_did_not_arrive(source):
    source.sync(many(3), mode="full")
    ctx, run = source.open(sync_run_id="long")
    inventory = ctx.inventory()
    inventory.seen("d000")
    ctx.save_state({"page": 1})
    source.manager.on("save_checkpoint", SdkClientError("gone"))
    inventory.seen("d001")
    with pytest.raises(SdkClientError):
        ctx.save_state({"page": 2})
    source.manager.on("save_checkpoint", None)
    run.close()
    steps = [lambda _, inventory: inventory.finish()]
    assert source.run(*steps, sync_run_id="long", own={"page": 1}) == [("deleted", "d002")]


def test_what_was_read_is_not_kept_after_the_run(run):
    run.inventories.is_changed(run.one, "a", V1)
    run.inventories.close()
    assert run.one.reader is None


# -- how a run stands to the inventory --------------------------------------------------------------------------------

OLD, NEW = {"n": 1}, {"n": 2}


def stands(note, run_id="run-9", checkpoint=OLD, **facts):
    return begin(note, RunFacts(sync_run_id=run_id, source="s", checkpoint=checkpoint, **facts))


def note_of(checkpoint=OLD):
    return {"next": 5, "basis": [digest(checkpoint)]}


@pytest.mark.parametrize(
    ("facts", "is_trusted", "is_whole"),
    [
        ({}, True, True),
        ({"checkpoint": NEW}, False, False),
        ({"checkpoint": None}, False, True),
        ({"checkpoint": NEW, "starts_from_nothing": True}, False, True),
        ({"has_own_checkpoint": True}, False, False),  # Of a run that is not known here.
    ],
)
def test_a_run_trusts_an_inventory_of_its_checkpoint_and_is_whole_where_it_begins_at_the_beginning(
    facts, is_trusted, is_whole
):
    standing = stands(note_of(), **facts)
    assert (standing.is_trusted, standing.is_whole) == (is_trusted, is_whole)


def test_a_run_that_is_resumed_from_a_checkpoint_of_another_place_begins_anew():
    note = note_of()
    first = stands(note)
    again = stands(note, checkpoint=NEW, has_own_checkpoint=True)
    assert (again.is_trusted, again.is_whole) == (False, False)
    assert again.valid_from == again.number > first.number


def test_the_runs_that_began_last_are_kept():
    note = note_of()
    for number in range(KEPT_RUNS + 3):
        stands(note, run_id=f"run-{number}")
    assert sorted(note["runs"]) == sorted(f"run-{number}" for number in range(3, KEPT_RUNS + 3))


def test_a_note_that_was_lost_while_a_run_was_in_progress_does_not_get_its_end():
    note = {}
    set_basis(note, "run-1", digest(OLD), is_certain=True)
    assert note == {}


def test_once_a_run_has_completed_the_checkpoint_before_is_that_of_another_inventory(source):
    source.sync({"a": 1}, mode="full")
    before = source.published
    source.sync({"a": 1})
    assert source.terms.storage.note("source-1")["runs"] == {}
    source.published = before
    assert source.sync({"a": 1}) == [("created", "a")]


def test_a_partition_that_is_done_may_begin_from_either_checkpoint_until_its_run_has_completed():
    run = Run(source="s/one", partition_of="s")
    run.inventories.see(run.one, "a")
    run.inventories.completing(NEW)
    run.inventories.scopes.completed(NEW)
    note = run.storage.note("s/one")
    assert all(
        stands(copy.deepcopy(note), run_id="run-2", checkpoint=each).is_trusted for each in (None, NEW)
    )


def test_the_end_of_a_full_run_does_not_take_back_what_a_later_one_has_said():
    first = Run(is_full=True)
    first.inventories.see(first.one, "a")
    later = Run(first.storage, sync_run_id="run-2", checkpoint=NEW)
    later.inventories.see(later.one, "a")
    first.inventories.completing(OLD)
    assert first.storage.note("s")["valid_from"] == later.inventories.scopes.begin().number
