"""The search index follows the documents; what it has not reached yet survives a crash."""

import queue
import threading

from support.untimely import SetTooEarly
from support.waiting import eventually

from omni_connector.local import LocalManager, open_store
from omni_connector.local.search_index import SearchIndex, wait_for_index, waiting_documents
from omni_connector.local.store import reading


def waiting(manager):
    with reading(manager.data_dir) as db:
        return db.execute("SELECT count(*) FROM search_queue").fetchone()[0]


def found(reader, query):
    return [hit.external_id for hit in reader.search(query)]


def test_documents_are_answered_before_they_can_be_found_and_found_without_being_asked_for(emitter, manager):
    emitter.emit(emitter.event(text="apples"))
    eventually(lambda: waiting(manager) == 0)
    assert found(open_store(manager.data_dir), "apples") == ["page-1"]


def test_a_number_that_is_used_again_before_the_index_is_reached_leaves_nothing_of_the_old_text(
    emitter, manager
):
    emitter.emit(emitter.event(document_id="old", text="apples"))
    assert found(manager, "apples") == ["old"]
    with manager._services.search_index._turn:
        emitter.emit(emitter.event("document_deleted", document_id="old"))
        emitter.emit(emitter.event(document_id="new", text="pears"))
        emitter.emit(emitter.event(document_id="new", text="plums"))
        assert waiting(manager) == 1
    assert (found(manager, "apples"), found(manager, "pears"), found(manager, "plums")) == ([], [], ["new"])
    with reading(manager.data_dir) as db:  # The index agrees with its texts.
        assert db.execute("SELECT count(*) FROM search_index").fetchone()[0] == 1


def test_contents_that_the_index_still_needs_are_not_swept(emitter, manager, clock):
    emitter.emit(emitter.event(text="apples"))
    assert found(manager, "apples") == ["page-1"]
    with manager._services.search_index._turn:
        emitter.emit(emitter.event(text="pears"))
        manager._services.contents.sweep()
        clock.advance(minutes=60 * 24 * 8)
        manager._services.contents.sweep()
    assert (found(manager, "apples"), found(manager, "pears")) == ([], ["page-1"])


def test_a_search_catches_up_with_what_a_killed_manager_left(tmp_path):
    with LocalManager(tmp_path, schedule=False) as manager:
        source = manager.add_source(source_type="web")
        client = manager.app.test_client()
        body = {"source_id": source.id, "sync_type": "full"}
        run = client.post("/sdk/sync/create", json=body).json["sync_run_id"]
        content = client.post("/sdk/content", json={"sync_run_id": run, "content": "apples"}).json[
            "content_id"
        ]
    ids = {"source_id": source.id, "sync_run_id": run}
    event = {
        **ids,
        "type": "document_created",
        "document_id": "d",
        "content_id": content,
        "metadata": {},
        "permissions": {"public": True, "users": [], "groups": []},
    }
    manager = LocalManager(tmp_path, schedule=False)
    with manager._services.search_index._turn:
        manager._services.search_index._thread = object()
        manager.app.test_client().post("/sdk/events", json={**ids, "event": event})
    manager._services.store.close()
    assert waiting(manager) == 1
    manager._services.search_index._thread = None
    manager._closed = True
    assert found(open_store(tmp_path), "apples") == ["d"]
    assert waiting(manager) == 0


def test_who_brings_more_than_may_wait_indexes_it(emitter, manager, monkeypatch):
    monkeypatch.setattr("omni_connector.local.search_index.BACKLOG", 1)
    monkeypatch.setattr("omni_connector.local.search_index.PAUSE_SECONDS", 3600)
    emitter.emit(emitter.event(document_id="a", text="apples"), emitter.event(document_id="b", text="apples"))
    assert waiting(manager) == 0
    assert sorted(found(open_store(manager.data_dir), "apples")) == ["a", "b"]


def test_a_search_beside_a_running_manager_waits_for_its_index(emitter, manager, monkeypatch):
    """As ``omni-connector search`` does, which is another process."""
    waits, answers = threading.Event(), queue.SimpleQueue()

    def wait(db, numbers):
        waits.set()
        wait_for_index(db, numbers)

    monkeypatch.setattr("omni_connector.local.reader.wait_for_index", wait)
    reader = open_store(manager.data_dir)
    with manager._services.search_index._turn:
        emitter.emit(emitter.event(text="apples"))
        searching = threading.Thread(target=lambda: answers.put(found(reader, "apples")))
        searching.start()
        assert waits.wait(60)
        assert answers.empty()
    searching.join()
    assert answers.get_nowait() == ["page-1"]


def test_a_search_does_not_wait_for_ever(emitter, manager):
    reader = open_store(manager.data_dir)
    with manager._services.search_index._turn:
        emitter.emit(emitter.event(text="apples"))
        with reading(manager.data_dir) as db:
            wait_for_index(db, waiting_documents(db), seconds=0.0)
    assert found(reader, "apples") == ["page-1"]


class Idle(SearchIndex):
    """Has nothing to index."""

    def catch_up(self):
        pass


def test_an_end_in_the_moment_in_which_its_thread_takes_note_of_documents_is_not_missed(monkeypatch):
    monkeypatch.setattr("omni_connector.local.search_index.PAUSE_SECONDS", 0)
    index = Idle(None)
    index._news = SetTooEarly(index._ending.set)
    index.start()
    index._thread.join(30)
    assert not index._thread.is_alive()
