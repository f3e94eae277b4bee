"""One contract for the three places of inventories."""

from __future__ import annotations

import contextlib
import stat
import uuid

import pytest

from omni_connector.exceptions import RunStoreError
from omni_connector.inventory.memory import MemoryInventories
from omni_connector.inventory.storage import Changes, Entry, Shelf
from omni_connector.runstore.inventory_opening import beside, open_inventories
from omni_connector.runstore.inventory_redis import RedisInventories
from omni_connector.runstore.inventory_sqlite import SqliteInventories
from omni_connector.runstore.redis_reader import BUCKETS

SHELF = Shelf("source-1")
V1, V2 = b"1" * 12, b"2" * 12


@pytest.fixture(params=["memory", "sqlite", "redis"])
def make_storage(request, tmp_path):
    """Open the same inventories again and again, of one connector unless it is named."""
    names, memory = f"-{uuid.uuid4().hex}", {}
    with contextlib.ExitStack() as stack:

        def make(namespace="notes"):
            if request.param == "memory":
                return memory.setdefault(namespace, MemoryInventories())
            if request.param == "sqlite":
                storage = SqliteInventories(lambda: tmp_path / "inventory.sqlite3", namespace)
            else:
                storage = RedisInventories(request.getfixturevalue("redis_server").url, namespace + names)
            stack.callback(storage.close)
            return storage

        yield make


@pytest.fixture
def storage(make_storage):
    return make_storage()


def changes(run, **what):
    return Changes(run, **{name: value if name == "kept" else set(value) for name, value in what.items()})


def write(storage, run, shelf=SHELF, **what):
    storage.write([(shelf, changes(run, **what))])


def find(storage, name, shelf=SHELF):
    return storage.reader(shelf).find(name)


def all_unseen(storage, run, limit=100):
    found, after = [], ""
    while page := storage.unseen(SHELF, run, after, limit):
        found += page
        after = page[-1]
    return sorted(found)


def test_what_is_kept_is_found_with_the_run_that_has_sent_it(storage):
    write(storage, 3, kept={"a": V1, "é\n/": b""})
    assert find(storage, "a") == Entry(V1, 3, 3)
    assert find(storage, "é\n/") == Entry(b"", 0, 3)
    assert find(storage, "b") is None
    assert storage.count(SHELF) == 2


def test_each_change_does_what_it_says_and_nothing_to_what_is_not_known(storage):
    write(storage, 1, kept=dict.fromkeys("abcd", V1))
    write(storage, 2, kept={"a": V2}, doubted=["b", "x"], deleted=["c", "y"], seen=["d", "b", "z"])
    assert [find(storage, name) for name in "abcdxyz"] == [
        Entry(V2, 2, 2),
        Entry(b"", 0, 2),
        None,
        Entry(V1, 1, 2),
        None,
        None,
        None,
    ]
    assert storage.count(SHELF) == 3


def test_changes_are_written_together_with_a_note(storage):
    def change(note):
        note["n"] = 1

    storage.write_noting([(SHELF, changes(1, kept={"a": V1}))], "source-1", change)
    storage.write_noting([], "source-2", change)
    assert (find(storage, "a"), storage.note("source-1")) == (Entry(V1, 1, 1), {"n": 1})
    assert storage.note("source-2") == {"n": 1}


def test_a_shelf_forgets_what_another_one_has_and_the_other_keeps_it(storage):
    two, three = Shelf("source-1", "two"), Shelf("source-1", "three")
    write(storage, 1, kept={"a": V1, "é\n/": b"", "b": V1})
    write(storage, 1, shelf=two, kept={"a": V2})
    write(storage, 1, shelf=three, kept={"é\n/": V2, "c": V2})
    assert storage.release(SHELF, ["b", "é\n/", "a", "c"], [two, three]) == {"a", "é\n/", "c"}
    assert (all_unseen(storage, 9), storage.count(two), storage.count(three)) == (["b"], 1, 2)
    assert storage.release(two, ["a"], [SHELF, three]) == set()


@pytest.mark.parametrize(
    ("own", "other", "source", "is_doubted"),
    [
        (0, 2, "source-1", True),  # In which version it was sent is not known.
        (2, 1, "source-1", True),
        (2, 2, "source-1", True),
        (1, 2, "source-1", False),
        (1, 2, "source-1/key", True),
    ],
)
def test_the_version_of_another_shelf_is_doubted_where_it_may_not_be_the_last_that_was_sent(
    storage, own, other, source, is_doubted
):
    two = Shelf(source, "two")
    write(storage, own or 1, kept={"a": V1 if own else b""})
    write(storage, other, shelf=two, kept={"a": V2, "b": V2})
    write(storage, 9, shelf=two, seen=["a"])
    reader = storage.reader(two)
    assert reader.find("a") == Entry(V2, other, 9)
    assert storage.release(SHELF, ["a", "b"], [two]) == {"a", "b"}
    reader.altered(["a"])
    assert reader.find("a") == (Entry(b"", 0, 9) if is_doubted else Entry(V2, other, 9))
    assert find(storage, "b", two) == Entry(V2, other, other)


def test_what_was_removed_is_gone_and_nothing_else(make_storage):
    storage = make_storage()
    other = Shelf("source-2")
    for shelf in (SHELF, other):
        write(storage, 1, shelf=shelf, kept=dict.fromkeys("abc", V1))
        storage.update(shelf.source, lambda note: note.update(n=1))
    assert storage.names() == ["source-1", "source-2"]
    assert make_storage("other").names() == []
    storage.remove("source-1", [SHELF])
    assert (storage.names(), storage.note("source-1")) == (["source-2"], {})
    assert (storage.count(SHELF), storage.count(other)) == (0, 3)


def test_a_run_that_is_over_does_not_take_back_that_a_later_one_has_seen_a_document(storage):
    write(storage, 5, kept={"a": V1})
    write(storage, 4, seen=["a"])
    assert find(storage, "a").seen == 5


def test_unseen_documents_come_page_by_page_while_they_are_deleted(storage):
    names = [f"folder/{number}" for number in range(500)]
    write(storage, 1, kept=dict.fromkeys(names, V1))
    write(storage, 2, seen=names[::2])
    found, after = [], ""
    while page := storage.unseen(SHELF, 2, after, 30):
        write(storage, 2, deleted=page)
        found += page
        after = page[-1]
    assert sorted(found) == sorted(names[1::2])
    assert all_unseen(storage, 2) == []
    assert all_unseen(storage, 3) == sorted(names[::2])


def test_a_reader_knows_what_its_run_has_written_and_another_one_as_well(storage):
    reader = storage.reader(SHELF)
    names = [f"d{number}" for number in range(300)]
    assert reader.find(names[0]) is None
    for what in (
        {"kept": dict.fromkeys(names, V1)},
        {"doubted": names[:3], "seen": names[:2]},
        {"deleted": names[3:6]},
    ):
        write(storage, 1, **what)
        reader.written(changes(1, **what))
        assert [reader.find(name) for name in names] == [find(storage, name) for name in names]
    assert reader.find("d0") == Entry(b"", 0, 1)
    assert reader.find("d4") is None


def test_shelves_and_connectors_do_not_meet(make_storage):
    storage, other = make_storage(), make_storage("other")
    shelves = [
        Shelf("source-1", "drive"),
        Shelf("source-2"),
        Shelf("source-1/drive"),
        Shelf("source-1/", "drive"),
    ]
    write(storage, 1, kept={"a": V1})
    assert [find(storage, "a", shelf) for shelf in shelves] == [None] * 4
    assert find(other, "a") is None
    storage.update("x", lambda note: note.update(n=1))
    assert other.note("x") == {}


def test_a_note_is_altered_in_one_step(make_storage):
    storage, again = make_storage(), make_storage()
    assert storage.note("n") == {}
    assert storage.update("n", lambda note: note.update(v=1, unknown=[2])) is None
    assert again.update("n", lambda note: note.pop("v")) == 1
    assert storage.note("n") == {"unknown": [2]}


def test_another_opening_sees_the_same_also_after_it_was_closed(make_storage):
    storage, again = make_storage(), make_storage()
    write(storage, 1, kept={"a": V1})
    storage.close()
    assert find(again, "a") == Entry(V1, 1, 1)
    assert find(storage, "a") == Entry(V1, 1, 1)


def test_two_that_alter_a_note_at_once_lose_nothing(redis_server):
    one, other = (RedisInventories(redis_server.url, f"two-{redis_server.port}") for _ in range(2))
    seen = []

    def change(note):
        if not seen:
            seen.append(True)
            other.update("n", lambda note: note.update(other=1))
        note["one"] = 1

    one.update("n", change)
    assert one.note("n") == {"one": 1, "other": 1}
    one.close()
    other.close()


def test_a_reader_of_redis_stays_small(redis_server, monkeypatch):
    monkeypatch.setattr("omni_connector.runstore.redis_reader.CACHED_BYTES", 5_000)
    storage = RedisInventories(redis_server.url, f"small-{redis_server.port}")
    names = [f"d{number}" for number in range(2 * BUCKETS)]
    write(storage, 1, kept=dict.fromkeys(names, V1))
    reader = storage.reader(SHELF)
    assert all(reader.find(name) == Entry(V1, 1, 1) for name in names[:200])
    assert sum(map(len, reader._buckets.values())) == reader._size <= 5_000
    storage.close()


def test_the_file_is_for_its_owner_only_and_one_that_is_no_database_is_named(tmp_path):
    storage = SqliteInventories(lambda: tmp_path / "inventory.sqlite3", "notes")
    write(storage, 1, kept={"a": V1})
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("inventory*")}
    storage.close()
    assert set(modes.values()) == {0o600}
    assert "inventory.sqlite3-wal" in modes
    (tmp_path / "inventory.sqlite3").write_text("text, and enough of it to be looked at" * 100)
    with pytest.raises(RunStoreError, match=r"The inventory .*inventory\.sqlite3 cannot be used now"):
        write(storage, 1, kept={"a": V1})
    storage.close()


def test_a_file_that_vanishes_is_made_anew(tmp_path):
    storage = SqliteInventories(lambda: tmp_path / "inventory.sqlite3", "notes")
    write(storage, 1, kept={"a": V1})
    for path in list(tmp_path.glob("inventory*")):
        path.unlink()
    assert find(storage, "a") is None
    write(storage, 1, kept={"b": V1}, shelf=Shelf("another"))
    assert find(storage, "b") is None
    storage.close()


def test_inventories_are_beside_a_run_store_that_lasts(tmp_path):
    assert beside(None) is beside("memory") is None
    assert beside("redis://host:6379/0") == "redis://host:6379/0"
    url = beside(f"sqlite:///{tmp_path}/a%20b.sqlite3")
    storage = open_inventories(url, "notes")
    write(storage, 1, kept={"a": V1})
    storage.close()
    assert (tmp_path / "a b-inventory.sqlite3").is_file()
    assert "lost with the process" in open_inventories("memory", "notes").remark
