"""Loaders and readers by their shape; real ones are in test_real_loaders.py."""

import threading
import uuid
from functools import partial
from importlib import import_module
from types import SimpleNamespace

import pytest
from support.waiting import QUICKLY

from omni_connector import Document, DocumentPermissions
from omni_connector.bridges.loader_documents import Ids, default_document
from omni_connector.bridges.loader_reading import LoaderReading
from omni_connector.bridges.loaders import LoaderConnector
from omni_connector.runtime.run_stack import thread_of_run
from omni_connector.testing import serve_connector


def langchain(text, **metadata):
    return SimpleNamespace(page_content=text, metadata=metadata, id=None)


def llama(text, **metadata):
    return SimpleNamespace(text=text, metadata=metadata, id_=str(uuid.uuid4()))


class Shelf(LoaderConnector):
    name = "shelf"
    version = "1.0.0"

    def __init__(self, *documents):
        self.documents = list(documents)
        self.make = lambda: SimpleNamespace(lazy_load=lambda: iter(self.documents))

    def loader(self, config, credentials):
        return self.make()


def test_only_what_changed_is_sent_and_what_is_gone_is_deleted(run_sync):
    shelf = Shelf(*(langchain(f"text {n}", source=f"/s/{n}.md") for n in range(12)))
    first = run_sync(shelf)
    assert (first.status, len(first.documents), first.scanned) == ("completed", 12, 12)
    assert first.documents["/s/3.md"].title == "3.md"
    shelf.documents[3] = langchain("changed", source="/s/3.md")
    del shelf.documents[7]
    second = run_sync(shelf, mode="incremental")
    assert ({name: each.content for name, each in second.documents.items()}, second.deletions) == (
        {"/s/3.md": "changed"},
        ["/s/7.md"],
    )


def test_nothing_is_public_or_readable_by_anybody_unless_the_connector_says_so(run_sync):
    class Own(Shelf):
        def permissions(self, loaded, config):
            return DocumentPermissions(users=[loaded.metadata["owner"], config["admin"]])

    one = langchain("x", source="a", owner="Ann@example.com")
    assert run_sync(Shelf(one)).documents["a"].permissions == {"public": False, "users": [], "groups": []}
    own = run_sync(Own(one), source_id="other", config={"admin": "root@example.com"})
    assert own.documents["a"].permissions["users"] == ["ann@example.com", "root@example.com"]


def test_ids_are_the_documents_own_or_made_of_their_source_or_their_text():
    ids = Ids()
    known, random = "ticket-7", str(uuid.uuid4())
    assert ids.stable_id(known, "t", {"source": "a"}) == "ticket-7"
    assert ids.stable_id(random, "t", {"file_path": "/f"}) == "/f"
    assert ids.stable_id(random, "t", {"file_path": "/f"}) == "/f#1"
    assert ids.stable_id(random, "t", {"url": f"https://n.example/{random}"}) == random
    assert Ids(trusts_ids=True).stable_id(random, "t", {"file_path": "/f"}) == random
    assert [ids.stable_id(None, "t", {"source": name}) for name in ("b#1", "b", "b", "b#1")] == [
        "b#1",
        "b",
        "b#2",
        "b#1#1",
    ]
    assert ids.stable_id(None, "t", {}) == Ids().stable_id(random, "t", {"n": 3})
    assert ids.stable_id(None, "u", {}) != Ids().stable_id(None, "t", {})
    assert len(ids.stable_id(None, "t", {"source": "x" * 600})) == 400
    assert ids.stable_id(None, "t", {"source": "x" * 599 + "y"}) != ids.stable_id(
        None, "t", {"source": "x" * 599 + "z"}
    )


def given_in(shape, documents):
    async def lazily():
        for each in documents:
            yield each

    async def at_once():
        return documents

    def unwritten():
        raise NotImplementedError

    return {
        "lazy_load_data": lambda: SimpleNamespace(lazy_load_data=lambda: iter(documents)),
        "load_data": lambda: SimpleNamespace(lazy_load_data=unwritten, load_data=lambda: documents),
        "iter_data": lambda: SimpleNamespace(iter_data=lambda: iter([documents[:1], documents[1:]])),
        "alazy_load": lambda: SimpleNamespace(lazy_load=unwritten, alazy_load=lazily),
        "aload_data": lambda: SimpleNamespace(aload_data=at_once),
        "a function": lambda: partial(list, documents),
        "an iterable": lambda: documents,
        "an async iterable": lazily,
    }[shape]


SHAPES = ["lazy_load_data", "load_data", "iter_data", "alazy_load", "aload_data"]


@pytest.mark.parametrize("shape", [*SHAPES, "a function", "an iterable", "an async iterable"])
def test_every_shape_of_loader_is_read(shape):
    shelf = Shelf()
    shelf.make = given_in(shape, [llama("a"), llama("b")])
    reading = LoaderReading(shelf, {}, {}, lambda stop: lambda: None)
    assert [each.text for each in reading.documents()] == ["a", "b"]


def test_what_is_no_loader_and_what_it_gives_that_is_no_document_are_named(run_sync):
    shelf = Shelf()
    shelf.make = lambda: 7
    assert "Shelf.loader() returned int: return a LangChain loader" in run_sync(shelf).error
    result = run_sync(Shelf(langchain("a", source="a"), object()), source_id="other")
    assert (result.status, set(result.documents)) == ("completed", {"a"})
    assert "give objects with an attribute page_content or text, not a object" in result.errors[0].reason


@pytest.mark.parametrize("fault", ["a document fails", "the loader fails", "the loader skips errors"])
def test_nothing_is_deleted_when_not_everything_was_read(run_sync, fault):
    class Picky(Shelf):
        def document(self, loaded):
            return Document(external_id=loaded.id, title=loaded.metadata["title"], content=loaded.text)

    shelf = Picky(*(langchain("t", source=str(n), title="T") for n in range(3)))
    assert len(run_sync(shelf).index) == 3
    del shelf.documents[0]
    if fault == "a document fails":
        del shelf.documents[0].metadata["title"]
    elif fault == "the loader fails":
        shelf.make = lambda: (1 / 0 if n else each for n, each in enumerate(shelf.documents))
    else:
        shelf.make = lambda: SimpleNamespace(load=lambda: shelf.documents, silent_errors=True)
    result = run_sync(shelf)
    assert (result.deletions, len(result.index)) == ([], 3)
    assert (result.status == "failed") is (fault == "the loader fails")


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"continue_on_failure": True}, "continue_on_failure=False"),
        ({"_fail_on_error": False}, "fail_on_error=True"),
        ({"continue_on_failure": False, "raise_on_error": True, "silent_errors": None}, None),
    ],
)
@pytest.mark.parametrize("shape", ["a reader", "its method", "among others"])
def test_a_reader_that_skips_what_it_cannot_read_proves_nothing(options, remedy, shape, caplog):
    class Reader:
        def load_data(self, texts=()):
            return [llama(text) for text in texts]

    reader = Reader()
    vars(reader).update(options)
    shelf = Shelf()
    shelf.make = {
        "a reader": lambda: reader,
        "its method": lambda: partial(reader.load_data, texts=["a"]),
        "among others": lambda: SimpleNamespace(loaders=[Shelf(), reader], load=list),
    }[shape]
    reading = LoaderReading(shelf, {}, {}, lambda stop: lambda: None)
    list(reading.documents())
    assert reading.skips_errors is (remedy is not None)
    if remedy:
        assert (
            f"Reader skips what it cannot read, so that nothing is deleted. Give it {remedy}" in caplog.text
        )


def test_metadata_fills_what_a_document_has():
    shelf = {
        "title": "Plan",
        "url": "https://w.example/p",
        "author": "Ann",
        "last_modified": "2026-03-01T10:00:00+01:00",
    }
    given = langchain("text", **shelf, last_accessed_date="2026-11-30", odd=object(), created_at="yesterday")
    document = default_document(Ids().loaded(given))
    metadata = document.metadata
    assert (document.title, metadata.url, metadata.author, metadata.created_at) == (
        "Plan",
        shelf["url"],
        "Ann",
        None,
    )
    assert metadata.updated_at.isoformat() == "2026-03-01T10:00:00+01:00"
    assert metadata.extra == {**shelf, "created_at": "yesterday"}


def test_a_cancelled_run_ends_although_the_loader_waits(omni_manager):
    waiting, go_on = threading.Event(), threading.Event()

    def load():
        yield langchain("a", source="a")
        waiting.set()
        go_on.wait(60)

    shelf = Shelf()
    shelf.make = lambda: load
    try:
        with serve_connector(shelf, omni_manager) as served:
            run_id = omni_manager.trigger(served.put_source(), "full")
            assert waiting.wait(60)
            omni_manager.cancel(run_id)
            thread = thread_of_run(run_id)
            assert thread is None or thread.join(QUICKLY) or not thread.is_alive()
    finally:
        go_on.set()
    assert omni_manager.run(run_id).status == "cancelled"


class Async(Shelf):
    async def loader(self, config, credentials):
        return []


class AsyncDocument(Shelf):
    async def document(self, loaded):
        return []


class Incomplete(LoaderConnector):
    name = "incomplete"
    version = "1.0.0"


class Imports(Shelf):
    def loader(self, config, credentials):
        return import_module("no_such_library").Loader()


@pytest.mark.parametrize(
    ("connector", "problem"),
    [
        (Async(), "Async.loader: write def, not async def"),
        (AsyncDocument(), "AsyncDocument.document: write def, not async def"),
        (Incomplete(), "Incomplete has no loader(config, credentials): define it"),
        (Imports(), "Imports.loader() needs the module no_such_library, which is not installed"),
    ],
)
def test_what_a_connector_lacks_is_named(run_sync, connector, problem):
    result = run_sync(connector)
    assert result.status == "failed"
    assert problem in result.error


def test_a_document_that_fails_is_reported_once_with_its_error_and_its_place(run_sync, caplog):
    class Keys(Shelf):
        def document(self, loaded):
            return loaded.metadata["owner"]

    result = run_sync(Keys(langchain("a", source="a")))
    [error] = result.errors
    assert error.document_id == "document 1"
    assert error.reason.startswith("KeyError: 'owner' (in ")
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [each.split(" (")[0] for each in warnings] == [
        "Document 'document 1' did not arrive as it should",
        "Nothing is deleted in this run, because of rows that could not be read: 1",
    ]
