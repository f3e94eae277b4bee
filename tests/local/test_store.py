import gzip
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest
import requests
from support.waiting import eventually

from omni_connector.local import LocalManager, StoreError, open_store
from omni_connector.local.store import Store, reading


def test_a_directory_belongs_to_one_manager_at_a_time(tmp_path):
    with Store(tmp_path / "deep" / "data"), pytest.raises(StoreError, match="is in use by another manager"):
        Store(tmp_path / "deep" / "data")
    Store(tmp_path / "deep" / "data").close()


def test_a_store_of_a_newer_version_is_refused_clearly(tmp_path):
    Store(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "manager.sqlite3")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match=r"newer omni-connector \(schema 99"):
        Store(tmp_path)
    with pytest.raises(StoreError, match="upgrade the package"):
        open_store(tmp_path)


def test_a_file_that_is_no_database_is_refused_clearly(tmp_path):
    (tmp_path / "manager.sqlite3").write_bytes(b"This is not a database, it is a text." * 100)
    with pytest.raises(StoreError, match="not a usable database"):
        Store(tmp_path)
    with pytest.raises(StoreError, match="not a usable database"):
        open_store(tmp_path)


def test_a_lock_file_that_is_none_is_refused_clearly(tmp_path):
    (tmp_path / "manager.lock").write_bytes(b"This is not a database, it is a text." * 100)
    with pytest.raises(StoreError, match=r"not a lock file of ours .*; delete it"):
        Store(tmp_path)


def test_a_directory_that_cannot_be_made_or_opened_is_refused_clearly(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot make the data directory"):
        Store(tmp_path / "file" / "data")
    (tmp_path / "data" / "manager.sqlite3").mkdir(parents=True)
    with pytest.raises(StoreError, match="cannot open"):
        Store(tmp_path / "data")


def test_an_empty_directory_holds_nothing_to_read(tmp_path):
    with pytest.raises(StoreError, match="holds no documents yet; run a sync into it first"):
        open_store(tmp_path)


def test_a_failed_transaction_leaves_nothing(tmp_path):
    with Store(tmp_path) as store:
        with pytest.raises(sqlite3.IntegrityError), store.transaction() as db:
            db.executemany("INSERT INTO connector_configs VALUES (?, '{}')", [("a",), ("b",), ("a",)])
        with store.lookup() as db:
            assert db.execute("SELECT count(*) FROM connector_configs").fetchone()[0] == 0


def test_readers_read_and_do_not_write(tmp_path):
    with Store(tmp_path), reading(tmp_path) as db, pytest.raises(sqlite3.OperationalError, match="readonly"):
        db.execute("DELETE FROM documents")


def test_a_reader_works_beside_a_manager_and_after_it(manager, emitter, tmp_path, source, run_id):
    emitter.emit(emitter.event(text="hello"), emitter.event(document_id="page-2", text="world"))
    reader = open_store(tmp_path / "data")
    eventually(partial(reader.search, "hello"))  # The index is up to two seconds behind the documents.
    for _ in range(2):
        assert [hit.external_id for hit in reader.search("hello")] == ["page-1"]
        assert [document.external_id for document in reader.documents(source.id)] == ["page-1", "page-2"]
        assert [run.id for run in reader.runs(source.id)] == [run_id]
        assert (reader.count_documents(), reader.count_documents("other")) == (2, 0)
        manager.close()


def test_documents_may_be_left_half_read(manager, emitter):
    emitter.emit(emitter.event(), emitter.event(document_id="page-2"))
    documents = manager.documents()
    assert next(documents).external_id == "page-1"
    emitter.emit(emitter.event("document_deleted", document_id="page-2"))
    documents.close()
    assert [document.external_id for document in manager.documents()] == ["page-1"]


WRITER = """
import sys, threading
from omni_connector.local import LocalManager
manager = LocalManager(sys.argv[1], schedule=False)
client = manager.app.test_client()
source = manager.add_source(source_type="web", source_id="s")
run = client.post("/sdk/sync/create", json={"source_id": "s", "sync_type": "full"}).json["sync_run_id"]
for number in range(100000):
    content = client.post("/sdk/content", json={"sync_run_id": run, "content": f"text {number}"}).json["content_id"]
    ids = {"sync_run_id": run, "source_id": "s"}
    event = {**ids, "type": "document_created", "document_id": str(number), "content_id": content, "metadata": {},
             "permissions": {"public": True, "users": [], "groups": []}}
    assert client.post("/sdk/events", json={**ids, "event": event}).status_code == 200
    print(number, flush=True)
"""


def test_a_killed_process_leaves_a_usable_database(tmp_path):
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(Path.cwd())}
    ) as process:
        for line in process.stdout:
            if int(line) == 50:
                process.send_signal(signal.SIGKILL)
                break
        acknowledged = 50
    reader = open_store(tmp_path)
    assert reader.count_documents() > acknowledged
    assert len(reader.search("text", limit=1000)) == reader.count_documents()
    with LocalManager(tmp_path, schedule=False) as manager:
        (run,) = manager.runs("s")
        assert run.is_running
        assert run.documents_processed == reader.count_documents()


@pytest.fixture
def old_directory(tmp_path):
    """A data directory as version 1 of the schema left it, after two runs."""
    packed = Path(__file__).with_name("data") / "version-1.sqlite3.gz"
    (tmp_path / "manager.sqlite3").write_bytes(gzip.decompress(packed.read_bytes()))
    return tmp_path


def test_the_file_of_version_1_is_upgraded_with_all_that_it_holds(old_directory):
    with LocalManager(old_directory, schedule=False) as manager:
        assert [(event.payload.get("document_id"), event.outcome) for event in manager.events()] == [
            ("kept", "new"),
            ("changed", "new"),
            ("removed", "new"),
            ("quiet", "new"),
            (None, "applied"),
            (None, "applied"),
            ("kept", "unchanged"),
            ("changed", "changed"),
            ("removed", "deleted"),
            ("never there", "absent"),
            ("refused", "refused"),
            ("removed", "new"),
        ]
        assert [hit.external_id for hit in manager.search("figs", person="bob@example.com")] == ["changed"]
        with reading(old_directory) as db:
            rows = db.execute(
                "SELECT external_id, kind, name FROM document_readers JOIN documents USING (number)"
            )
            found = {tuple(row) for row in rows}
    assert found == {
        ("kept", "user", "ann@example.com"),
        ("changed", "group", "all@example.com"),
        ("changed", "group", "eng@example.com"),
        ("removed", "public", ""),
    }


def test_an_old_file_is_upgraded_by_readers_as_well_unless_a_manager_runs_on_it(old_directory):
    with closing(sqlite3.connect(old_directory / "manager.lock", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="in use by another manager"):
            open_store(old_directory)
    assert open_store(old_directory).count_documents() == 4


def test_an_upgrade_that_fails_changes_nothing(old_directory):
    file = old_directory / "manager.sqlite3"
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE search_queue (mine TEXT)")  # What the upgrade makes last.
    with pytest.raises(sqlite3.OperationalError, match="search_queue already exists"):
        Store(old_directory)
    with closing(sqlite3.connect(file)) as db:
        db.execute("DROP TABLE search_queue")
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
    Store(old_directory).close()


SERVER = """
import sys
import threading
from omni_connector.local import LocalManager
with LocalManager(sys.argv[1], schedule=False) as manager:
    manager.add_source(source_type="web", source_id="s")
    print(manager.url, flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
def test_a_manager_that_is_killed_loses_nothing_that_it_has_answered(tmp_path):
    command = [sys.executable, "-c", SERVER, str(tmp_path)]
    answered: dict[str, str] = {}
    emitted: list[str] = []

    def send(number: int) -> None:
        gone = (
            requests.ConnectionError,
            requests.exceptions.ChunkedEncodingError,
        )  # Before an answer, or in one.
        with suppress(*gone), requests.Session() as session:
            for count in range(100_000):
                name = f"{number}-{count}"
                body = {"sync_run_id": run, "content": f"text {name}"}
                answered[name] = session.post(f"{url}/sdk/content", json=body).json()["content_id"]
                event = {**ids, "type": "document_created", "document_id": name, "content_id": answered[name]}
                event |= {"metadata": {}, "permissions": {"public": True, "users": [], "groups": []}}
                session.post(f"{url}/sdk/events/batch", json={**ids, "events": [event]}).raise_for_status()
                emitted.append(name)

    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().strip()
        body = {"source_id": "s", "sync_type": "full"}
        run = requests.post(f"{url}/sdk/sync/create", json=body, timeout=60).json()["sync_run_id"]
        ids = {"sync_run_id": run, "source_id": "s"}
        threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        eventually(lambda: len(emitted) > 100)
        process.kill()
        for thread in threads:
            thread.join()
    with reading(tmp_path) as db:
        contents = dict(tuple(row) for row in db.execute("SELECT id, content FROM contents"))
    assert {name: contents.get(answered[name]) for name in answered} == {
        name: f"text {name}" for name in answered
    }
    reader = open_store(tmp_path)
    assert {hit.external_id for hit in reader.search("text", limit=100_000)} >= set(emitted)
    assert len(reader.search("text", limit=100_000)) == reader.count_documents()
