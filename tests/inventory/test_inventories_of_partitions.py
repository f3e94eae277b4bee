"""Partitions have inventories of their own, and the rules hold for each of them."""

from __future__ import annotations

from support.inventory_source import document

from omni_connector import Connector, ErrorLimits, Partition
from omni_connector.inventory.memory import MemoryInventories
from omni_connector.inventory.of_run import RunInventories
from omni_connector.inventory.standing import PARTITION_RUNS, RunFacts
from omni_connector.inventory.storage import Changes, Shelf
from omni_connector.inventory.terms import InventoryTerms
from omni_connector.models.events import encode_delete, encode_upsert


class Drives(Connector):
    name = "drives"
    version = "1.0.0"
    source_types = ["web"]
    sync_modes = ["full", "incremental"]
    partition_workers = 2
    broken = ""

    def __init__(self, drives):
        self.drives = drives
        self.attempts = 0

    def partitions(self, source_config, credentials, state, ctx):
        return [Partition(key=key) for key in self.drives]

    def sync_partition(self, partition, source_config, credentials, state, ctx):
        inventory = ctx.inventory()
        for name, version in self.drives[partition.key].items():
            if inventory.changed(name, version):
                ctx.emit(document(name, str(version)))
        if partition.key == self.broken:
            raise RuntimeError("no")
        inventory.finish()
        ctx.complete({"n": 1})


def test_each_partition_finds_its_own_changes_and_deletions(run_sync):
    drives = {
        "one": {f"one-{number}": 1 for number in range(8)},
        "two": {f"two-{number}": 1 for number in range(8)},
    }
    connector = Drives(drives)
    assert len(run_sync(connector).documents) == 16
    result = run_sync(connector, mode="incremental")
    assert (result.events, result.errors) == ([], [])
    drives["one"]["one-0"] = 2
    del drives["two"]["two-7"]
    result = run_sync(connector, mode="incremental")
    assert (set(result.documents), result.deletions) == ({"one-0"}, ["two-7"])


def test_an_empty_partition_is_withheld_and_the_others_go_on(run_sync):
    drives = {key: {f"{key}-{number}": 1 for number in range(4)} for key in ("one", "two")}
    connector = Drives(drives)
    run_sync(connector)
    drives["one"].clear()
    del drives["two"]["two-0"]
    result = run_sync(connector, mode="incremental")
    assert (result.status, result.deletions) == ("completed", ["two-0"])
    [withheld] = [error for error in result.errors if error.stage == "withheld"]
    assert "4 of 4 documents of partition 'one' were" in withheld.reason


def test_a_partition_of_a_failed_run_is_known_to_the_next_one(run_sync, caplog):
    drives = {key: {f"{key}-{number}": 1 for number in range(4)} for key in ("one", "two")}
    connector = Drives(drives)
    run_sync(connector)
    connector.broken = "two"
    drives["one"]["one-0"] = 2
    assert run_sync(connector, mode="incremental").status == "failed"
    connector.broken = ""
    result = run_sync(connector, mode="incremental")
    assert (result.status, result.events) == ("completed", [])
    assert "counts as changed" not in caplog.text


class Pages(Connector):
    """Lists pages of one document, from the one that the state names."""

    name = "pages"
    version = "1.0.0"
    source_types = ["web"]
    sync_modes = ["full", "incremental"]
    error_limits = ErrorLimits(partitions=3)
    broken = None

    def partitions(self, source_config, credentials, state, ctx):
        return [Partition(key="one"), Partition(key="two")]

    def sync_partition(self, partition, source_config, credentials, state, ctx):
        inventory = ctx.inventory()
        for page in range((state or {}).get("page", 0), 6):
            if (partition.key, page) == self.broken:
                raise RuntimeError("no")
            name = f"{partition.key}-{page}"
            if inventory.changed(name, 1):
                ctx.emit(document(name))
            ctx.save_state({"page": page + 1})
        inventory.finish()
        ctx.complete({"page": 0})


def test_a_partition_that_goes_on_where_another_run_has_failed_deletes_nothing(run_sync):
    connector = Pages()
    run_sync(connector)
    connector.broken = ("one", 1)
    assert run_sync(connector, mode="incremental").status == "completed"
    connector.broken = None
    for _ in range(2):
        result = run_sync(connector, mode="incremental")
        assert (result.deletions, len(result.index)) == ([], 12)


def test_partitions_itself_has_no_inventory(run_sync):
    class Listing(Drives):
        def partitions(self, source_config, credentials, state, ctx):
            ctx.inventory().seen("x")
            return []

    result = run_sync(Listing({}))
    assert result.status == "failed"
    assert "open an inventory in sync_partition()" in result.error


def test_a_document_that_moves_to_another_partition_stays(run_sync):
    drives = {"one": {f"one-{number}": 1 for number in range(8)}, "two": {"x": 1}}
    connector = Drives(drives)
    connector.partition_workers = 1
    run_sync(connector)
    for old, new in (("one", "two"), ("two", "one")):  # The partition that is read first, and the other.
        drives[new]["one-0"] = drives[old].pop("one-0")
        result = run_sync(connector, mode="incremental")
        # A deletion before the creation is right, too; one after it would lose the document.
        assert [each["type"] for each in result.events][-1] == "document_created"
        assert "one-0" in result.index
        # Which of two partitions has sent it last is not known, so that it may be sent once more.
        assert set(run_sync(connector, mode="incremental").documents) <= {"one-0"}
        assert run_sync(connector, mode="incremental").events == []
    del drives["one"]["one-0"]
    assert run_sync(connector, mode="incremental").deletions == ["one-0"]


def test_a_document_that_is_deleted_while_another_partition_sends_it_is_sent_again():
    storage = MemoryInventories()
    runs = {
        key: RunInventories(
            RunFacts(sync_run_id="run-1", source=f"s/{key}", partition_of="s"),
            InventoryTerms(storage=storage),
        )
        for key in ("one", "two")
    }
    listings = {key: run.listing("", b"") for key, run in runs.items()}
    event = encode_delete("a", sync_run_id="run-1", source_id="s")
    sent = encode_upsert("document_created", document("a"), sync_run_id="run-1", source_id="s")
    for key in ("one", "two"):
        runs[key].see(listings[key], "other")
    with runs["one"].releasing(listings["one"], ["a"]) as going:
        assert going == ["a"]
        event.mark = runs["one"].deleting("a", listings["one"])
    runs["two"].is_changed(listings["two"], "a", b"1" * 12)
    sent.mark = runs["two"].emitting("a")
    for run, each in ((runs["two"], sent), (runs["one"], event)):
        run.sending([each])
        run.accepted([each])
        run.close()
    assert storage.find(Shelf("s/two"), "a").fingerprint == b""


def test_partitions_that_are_read_no_more_keep_no_document_from_being_deleted():
    storage = MemoryInventories()

    def gone(run, *partitions):
        """Return whether the last of the partitions deletes a document that it does not find."""
        for key in partitions:
            facts = RunFacts(sync_run_id=run, source=f"s/{key}", partition_of="s")
            inventories = RunInventories(facts, InventoryTerms(storage=storage))
            listing = inventories.listing("", b"")
            inventories.see(listing, "other")
        with inventories.releasing(listing, ["a"]) as going:
            return bool(going)

    storage.write([(Shelf("s/old"), Changes(1, kept={"a": b"1" * 12}))])
    for number in range(PARTITION_RUNS + 1):
        assert not gone(f"both-{number}", "old", "new")
    for number in range(1, PARTITION_RUNS):
        assert not gone(f"run-{number}", "new")
    assert gone("run-last", "new")


def test_an_empty_inventory_is_reported_for_all_partitions_at_once_and_not_for_a_new_partition():
    storage, reports = MemoryInventories(), []
    for key in ("one", "two", "new"):
        facts = RunFacts(sync_run_id="run-1", source=f"s/{key}", partition_of="s", was_synced=True)
        run = RunInventories(facts, InventoryTerms(storage=storage), reports.append)
        run.see(run.listing("", b""), "a")
    assert len(reports) == 1


def test_a_document_of_any_scope_of_another_partition_is_not_deleted():
    storage = MemoryInventories()
    storage.write([(Shelf("s/one", "x"), Changes(1, kept={"a": b"1" * 12}))])
    for key, scopes in (("one", "xy"), ("two", "x")):
        facts = RunFacts(sync_run_id="run-1", source=f"s/{key}", partition_of="s")
        run = RunInventories(facts, InventoryTerms(storage=storage))
        for scope in scopes:
            listing = run.listing(scope, b"")
            run.see(listing, "other")
    with run.releasing(listing, ["a"]) as going:
        assert going == []
