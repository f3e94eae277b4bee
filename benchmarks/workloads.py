"""The workloads, each as the SDK, as the floor and as the naive pattern.

The floor sends the same payloads over persistent ``http.client`` connections and does nothing else: from the text of a
document to its body with the standard library's ``json``, one POST a content, batches of 500 events, coalesced counts.
``floor_wire`` is the same with all bodies made before the clock starts, which no client can do: it shows what the wire
alone costs. The naive pattern is one ``requests`` call for each content, each event and each count.

Every function takes a Task and returns when the last document was accepted.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import requests
from attrs import evolve, frozen

from omni_connector import Connector, Document, DocumentMetadata, DocumentPermissions, Settings, SyncContext
from omni_connector.manager import SdkClient
from omni_connector.models import SyncRequest
from omni_connector.runtime.service import ConnectorService

RUN = "01K3ABCDEFGHJKMNPQRSTVWXYZ"
SOURCE = "01K3000000000000000000000S"
CONTENT_ID = "01K3CCCCCCCCCCCCCCCCCCCCCC"
BATCH = 500
WORDS = 'the quick brown fox jumps over the lazy dog, äöü and "quotes"\n'


@frozen
class Task:
    """What to send where.

    Attributes:
        manager_url: base address.
        documents: how many.
        size: characters of each content.
        threads: of the floor, or runs at once.
        parallel: uploads at once; None adapts.
    """

    manager_url: str
    documents: int
    size: int = 2000
    threads: int = 16
    parallel: int | None = None

    def text(self, number: int) -> str:
        """Return the content of one document; no two are alike."""
        return (f"{number} " + WORDS * (self.size // len(WORDS) + 1))[: self.size]


def document(number: int, *, content: str | None = None, content_id: str | None = None) -> Document:
    """Return the document that every SDK workload emits."""
    return Document(
        external_id=f"doc-{number}",
        title=f"Document {number}",
        content=content,
        content_id=content_id,
        metadata=DocumentMetadata(url=f"https://example.com/{number}", mime_type="text/plain", size=2000),
        permissions=DocumentPermissions(users=["ada@example.com"], groups=["eng@example.com"]),
        attributes={"status": "open", "labels": ["a", "b"]},
    )


def event(number: int) -> dict[str, object]:
    """Return the same document as an event on the wire."""
    return {
        "type": "document_created",
        "sync_run_id": RUN,
        "source_id": SOURCE,
        "document_id": f"doc-{number}",
        "content_id": CONTENT_ID,
        "metadata": {
            "title": f"Document {number}",
            "author": None,
            "created_at": None,
            "updated_at": None,
            "content_type": None,
            "mime_type": "text/plain",
            "size": "2000",
            "url": f"https://example.com/{number}",
            "path": None,
            "extra": None,
        },
        "permissions": {"public": False, "users": ["ada@example.com"], "groups": ["eng@example.com"]},
        "attributes": {"status": "open", "labels": ["a", "b"]},
    }


# -- the SDK --------------------------------------------------------------------------------------------------------


def run_connector(connector: Connector, task: Task, *, runs: int = 1) -> Callable[[], None]:
    """Return what runs the connector's sync, ``runs`` times at once, and waits for the end."""
    settings = Settings(manager_url=task.manager_url, parallel_uploads=task.parallel)
    service = ConnectorService(connector, settings, SdkClient(task.manager_url))

    def work() -> None:
        try:
            for number in range(runs):
                request = SyncRequest(
                    sync_run_id=f"{RUN}{number}", source_id=f"{SOURCE}{number}", sync_mode="full"
                )
                service.start_sync(request)
            for thread in threading.enumerate():
                if thread.name.startswith("omni-sync-"):
                    thread.join()
            for number in range(runs):
                report = service.report(f"{RUN}{number}")
                if report is None or report.outcome != "completed" or report.error_count:
                    raise RuntimeError(f"the run did not complete: {report}")
        finally:
            service.close()

    return work


class _Bench(Connector):
    name = "bench"
    version = "1"

    def __init__(self, task: Task) -> None:
        self.task = task


class Pipelined(_Bench):
    """``emit(Document(content=...))``."""

    def sync(self, _config: dict, _credentials: dict, _state: dict | None, ctx: SyncContext) -> None:
        """Emit with content."""
        for number in range(self.task.documents):
            ctx.emit(document(number, content=self.task.text(number)))
            ctx.increment_scanned()


class Sequential(_Bench):
    """``save``, ``emit``, ``increment_scanned`` for each document."""

    def sync(self, _config: dict, _credentials: dict, _state: dict | None, ctx: SyncContext) -> None:
        """Save, then emit."""
        for number in range(self.task.documents):
            content_id = ctx.content_storage.save(self.task.text(number))
            ctx.emit(document(number, content_id=content_id))
            ctx.increment_scanned()


class EmitOnly(_Bench):
    """``emit`` with a content id that is known."""

    def sync(self, _config: dict, _credentials: dict, _state: dict | None, ctx: SyncContext) -> None:
        """Emit without content."""
        for number in range(self.task.documents):
            ctx.emit(document(number, content_id=CONTENT_ID))


class AsyncGather(_Bench):
    """Sixteen ``save`` calls gathered in an ``async def sync``."""

    async def sync(self, _config: dict, _credentials: dict, _state: dict | None, ctx: SyncContext) -> None:
        """Gather the saves, emit in order."""
        for start in range(0, self.task.documents, 16):
            numbers = range(start, min(start + 16, self.task.documents))
            ids = await asyncio.gather(*(ctx.content_storage.save(self.task.text(n)) for n in numbers))
            for number, content_id in zip(numbers, ids, strict=True):
                await ctx.emit(document(number, content_id=content_id))
                await ctx.increment_scanned()


class Endless(Connector):
    """Sequential documents until the run is stopped."""

    name = "endless"
    version = "1"

    def sync(self, _config: dict, _credentials: dict, _state: dict | None, ctx: SyncContext) -> None:
        """Save and emit until stopped."""
        task = Task("", 0)
        number = 0
        while not ctx.is_cancelled():
            content_id = ctx.content_storage.save(task.text(number))
            ctx.emit(document(number, content_id=content_id))
            ctx.increment_scanned()
            number += 1


class Short(Connector):
    """Nothing to sync."""

    name = "short"
    version = "1"

    def sync(self, _config: dict, _credentials: dict, _state: dict | None, ctx: SyncContext) -> None:
        """Return at once."""


def sdk_pipelined(task: Task) -> Callable[[], None]:
    """Contents given to ``emit``."""
    return run_connector(Pipelined(task), task)


def sdk_pipelined_16(task: Task) -> Callable[[], None]:
    """The same with sixteen uploads at once, not more and not fewer."""
    return run_connector(Pipelined(task), evolve(task, parallel=16))


def sdk_sequential(task: Task) -> Callable[[], None]:
    """One call after the other."""
    return run_connector(Sequential(task), task)


def sdk_emit(task: Task) -> Callable[[], None]:
    """Events only."""
    return run_connector(EmitOnly(task), task)


def sdk_async(task: Task) -> Callable[[], None]:
    """An async connector that gathers."""
    return run_connector(AsyncGather(task), task)


def sdk_parallel_runs(task: Task) -> Callable[[], None]:
    """As many sequential runs at once as the task has threads; each has its share of the documents."""
    share = Task(task.manager_url, task.documents // task.threads, task.size)
    return run_connector(Sequential(share), share, runs=task.threads)


# -- the floor ------------------------------------------------------------------------------------------------------


class Wire:
    """A persistent http.client connection."""

    def __init__(self, manager_url: str) -> None:
        parts = urlsplit(manager_url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port)

    def post(self, path: str, body: bytes) -> bytes:
        """Send JSON, read the answer."""
        self._connection.request("POST", path, body, {"Content-Type": "application/json"})
        return self._connection.getresponse().read()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def content_body(task: Task, number: int) -> bytes:
    """Return the body of one ``/sdk/content``, encoded with the standard library."""
    body = {"sync_run_id": RUN, "content": task.text(number), "content_type": "text/plain"}
    return json.dumps(body).encode()


def batch_bodies(task: Task) -> Iterator[bytes]:
    """Yield the bodies of ``/sdk/events/batch``, encoded with the standard library."""
    for start in range(0, task.documents, BATCH):
        events = [event(number) for number in range(start, min(start + BATCH, task.documents))]
        yield json.dumps({"sync_run_id": RUN, "source_id": SOURCE, "events": events}).encode()


def send_all(task: Task, content: Callable[[int], bytes], batch: Callable[[], bytes]) -> None:
    """Send every content, and a batch and a count after each 500, from as many threads as the task has."""
    jobs = iter(range(task.documents))
    lock = threading.Lock()

    def send() -> None:
        wire = Wire(task.manager_url)
        while True:
            with lock:
                number = next(jobs, None)
            if number is None:
                break
            wire.post("/sdk/content", content(number))
            if number % BATCH == BATCH - 1 or number == task.documents - 1:
                wire.post("/sdk/events/batch", batch())
                wire.post(f"/sdk/sync/{RUN}/scanned", b'{"count":500}')
        wire.close()

    threads = [threading.Thread(target=send) for _ in range(task.threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def floor_threads(task: Task) -> Callable[[], None]:
    """The same payloads by as many threads as the task has, from the text to the wire."""
    batches = batch_bodies(task)
    return lambda: send_all(task, lambda number: content_body(task, number), lambda: next(batches))


def floor_wire(task: Task) -> Callable[[], None]:
    """The same, with every body made before the clock starts."""
    contents = [content_body(task, number) for number in range(task.documents)]
    batches = iter(list(batch_bodies(task)))
    return lambda: send_all(task, contents.__getitem__, lambda: next(batches))


def floor_sequential(task: Task) -> Callable[[], None]:
    """The floor with one thread."""
    return floor_threads(Task(task.manager_url, task.documents, task.size, threads=1))


def floor_emit(task: Task) -> Callable[[], None]:
    """Make the same event dicts, encode them with the standard library, post the batches."""

    def work() -> None:
        wire = Wire(task.manager_url)
        for body in batch_bodies(task):
            wire.post("/sdk/events/batch", body)
        wire.close()

    return work


# -- the naive pattern ----------------------------------------------------------------------------------------------


def naive(task: Task) -> Callable[[], None]:
    """One requests call for each content, each event and each count."""

    def work() -> None:
        with requests.Session() as session:
            for number in range(task.documents):
                body = {"sync_run_id": RUN, "content": task.text(number), "content_type": "text/plain"}
                content_id = session.post(f"{task.manager_url}/sdk/content", json=body, timeout=30).json()
                one = {**event(number), "content_id": content_id["content_id"]}
                envelope = {"sync_run_id": RUN, "source_id": SOURCE, "event": one}
                session.post(f"{task.manager_url}/sdk/events", json=envelope, timeout=30)
                session.post(f"{task.manager_url}/sdk/sync/{RUN}/scanned", json={"count": 1}, timeout=30)

    return work


WORKLOADS: dict[str, Callable[[Task], Callable[[], None]]] = {
    "sdk_pipelined": sdk_pipelined,
    "sdk_pipelined_16": sdk_pipelined_16,
    "sdk_sequential": sdk_sequential,
    "sdk_emit": sdk_emit,
    "sdk_async": sdk_async,
    "sdk_parallel_runs": sdk_parallel_runs,
    "floor_threads": floor_threads,
    "floor_wire": floor_wire,
    "floor_sequential": floor_sequential,
    "floor_emit": floor_emit,
    "naive": naive,
}
