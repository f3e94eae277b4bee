"""Which store an address names, and where the workers of a server find theirs."""

from __future__ import annotations

import stat
import sys

import pytest

from omni_connector import ConfigurationError
from omni_connector.runstore.memory import MemoryStore
from omni_connector.runstore.opening import open_store, open_store_of_workers, sqlite_path
from omni_connector.runstore.redis_store import RedisStore
from omni_connector.runstore.sqlite import SqliteStore
from omni_connector.runstore.store import Claim


def test_the_address_chooses_the_store(tmp_path):
    assert isinstance(open_store("memory", "notes"), MemoryStore)
    assert isinstance(open_store(f"sqlite:///{tmp_path}/runs.sqlite3", "notes"), SqliteStore)
    assert isinstance(open_store("redis://:secret@nowhere:6379/0", "notes"), RedisStore)


@pytest.mark.parametrize("url", ["sqlite:///var/lib/my%20runs.db", "sqlite:////var/lib/my runs.db"])
def test_a_path_is_absolute_with_three_slashes_or_four(url):
    assert str(sqlite_path(url)) == "/var/lib/my runs.db"


def test_a_drive_letter_is_no_folder():
    assert str(sqlite_path("sqlite:///C:/runs.db")) == "C:/runs.db"


@pytest.mark.parametrize(("path", "problem"), [("none/runs.db", "there is no folder"), ("", "is a folder")])
def test_a_file_that_can_never_be_opened_stops_the_start(tmp_path, path, problem):
    with pytest.raises(ConfigurationError, match=problem):
        open_store(f"sqlite:///{tmp_path}/{path}", "notes")


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'omni-connector\[redis\]'"):
        open_store("redis://nowhere", "notes")


def test_the_password_of_a_redis_is_in_no_message():
    store = open_store("redis://me:s3cret@127.0.0.1:1/0", "notes")
    with pytest.raises(Exception, match=r"127\.0\.0\.1:1") as failed:
        store.holder("x")
    assert "s3cret" not in str(failed.value)
    store.close()


def test_workers_of_one_connector_at_one_address_meet_in_a_folder_of_their_own(tmp_path):
    stores = [open_store_of_workers("My notes", "http://here:8000", base=tmp_path) for _ in range(2)]
    assert stores[0].take(Claim.of("slot", value=b"1"), 60) is None
    assert stores[1].holder("slot") == b"1"
    (top,) = tmp_path.glob("omni-connector-*")
    (folder,) = top.iterdir()
    assert folder.name.startswith("My-notes-here-8000-")
    assert [stat.S_IMODE(each.stat().st_mode) for each in (top, folder)] == [0o700, 0o700]
    for store in stores:
        store.close()


@pytest.mark.parametrize("other", [("My notes", "http://here:8001"), ("Other", "http://here:8000")])
def test_others_have_another_folder(tmp_path, other):
    one = open_store_of_workers("My notes", "http://here:8000", base=tmp_path)
    assert one.label != open_store_of_workers(*other, base=tmp_path).label


def test_a_folder_that_others_may_write_is_not_used(tmp_path):
    open_store_of_workers("notes", "x", base=tmp_path)
    (top,) = tmp_path.glob("omni-connector-*")
    top.chmod(0o777)
    with pytest.raises(ConfigurationError, match=r"not a folder of this account alone\. Set OMNI_RUN_STORE"):
        open_store_of_workers("notes", "x", base=tmp_path)


def test_a_link_is_not_followed(tmp_path):
    open_store_of_workers("notes", "x", base=tmp_path)
    (top,) = tmp_path.glob("omni-connector-*")
    elsewhere = tmp_path / "elsewhere"
    top.rename(elsewhere)
    top.symlink_to(elsewhere)
    with pytest.raises(ConfigurationError, match="not a folder of this account alone"):
        open_store_of_workers("notes", "x", base=tmp_path)
