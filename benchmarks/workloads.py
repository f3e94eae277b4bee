"""The workloads, each as the SDK, as the floor and as the naive pattern.

The floor sends the same payloads over persistent ``http.client`` connections and does nothing else: from the text of a
document to its body with the standard library's ``json``, one POST a content, batches of 500 events, coalesced counts.
``floor_multi`` sends them with a raw ``CurlMulti``, ``floor_urllib3`` with urllib3. ``floor_wire`` is the first with all bodies made before the clock starts, which no client can do: it shows what the wire
alone costs. The naive pattern is one ``requests`` call for each content, each event and each count.

Every function takes a Task and returns when the last document was accepted.
"""

from __future__ import annotations

import asyncio
import http.client
import io
import itertools
import json
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from urllib.parse import urlsplit

import pycurl
import requests
import urllib3
from attrs import evolve, frozen

from omni_connector import Connector, Document, DocumentMetadata, DocumentPermissions, Settings, SyncContext
from omni_connector.config import LogSettings
from omni_connector.manager import SdkClient
from omni_connector.manager.curl_wire import CurlWire
from omni_connector.manager.session_wire import SessionWire
from omni_connector.manager.wire import Wire, WireAnswer, WireRequest
from omni_connector.models import SyncRequest
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.runtime.service import ConnectorService

log = logging.getLogger(__name__)

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
        without_curl: over the connections of the session.
    """

    manager_url: str
    documents: int
    size: int = 2000
    threads: int = 16
    parallel: int | None = None
    without_curl: bool = False

    def wire(self) -> Wire | None:
        """Return what carries the requests, None where the client chooses."""
        return SessionWire(self.manager_url, requests.Session()) if self.without_curl else None

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


def run_connector(
    connector: Connector,
    task: Task,
    *,
    runs: int = 1,
    options: RuntimeOptions | None = None,
    settings: Settings | None = None,
) -> Callable[[], None]:
    """Return what runs the connector's sync, ``runs`` times at once, and waits for the end."""
    settings = settings or Settings(manager_url=task.manager_url)
    client = SdkClient(task.manager_url, parallel_uploads=task.parallel, wire=task.wire())
    service = ConnectorService(connector, settings, client, options=options)
    client.observe(service.instruments.metrics, service.instruments.tracing)

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


class Talkative(_Bench):
    """``emit`` with a content id that is known, and a line of the log for each batch."""

    def sync(self, _config: dict, _credentials: dict, _state: dict | None, ctx: SyncContext) -> None:
        """Emit without content."""
        for number in range(self.task.documents):
            ctx.emit(document(number, content_id=CONTENT_ID))
            if number % BATCH == 0:
                log.info("Read %d documents", number)


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


def sdk_session(task: Task) -> Callable[[], None]:
    """Contents given to ``emit``, without libcurl."""
    return run_connector(Pipelined(task), evolve(task, without_curl=True))


def sdk_session_16(task: Task) -> Callable[[], None]:
    """The same with as many uploads at once as the task has threads."""
    return run_connector(Pipelined(task), evolve(task, without_curl=True, parallel=task.threads))


def sdk_sequential(task: Task) -> Callable[[], None]:
    """One call after the other."""
    return run_connector(Sequential(task), task)


def sdk_emit(task: Task) -> Callable[[], None]:
    """Events only."""
    return run_connector(EmitOnly(task), task)


def sdk_emit_log_off(task: Task) -> Callable[[], None]:
    """Events only, a connector that logs, and nothing of it written."""
    settings = Settings(manager_url=task.manager_url, log=LogSettings("CRITICAL"), progress_seconds=0)
    return run_connector(Talkative(task), task, settings=settings)


def sdk_emit_log_on(task: Task) -> Callable[[], None]:
    """The same with everything written as JSON, progress every second."""
    settings = Settings(manager_url=task.manager_url, log=LogSettings("INFO", "json"), progress_seconds=1)
    return run_connector(Talkative(task), task, settings=settings)


def sdk_async(task: Task) -> Callable[[], None]:
    """An async connector that gathers."""
    return run_connector(AsyncGather(task), task)


def sdk_parallel_runs(task: Task) -> Callable[[], None]:
    """As many sequential runs at once as the task has threads; each has its share of the documents."""
    share = evolve(task, documents=task.documents // task.threads)
    return run_connector(Sequential(share), share, runs=task.threads)


# -- the floor ------------------------------------------------------------------------------------------------------


class BareConnection:
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
        wire = BareConnection(task.manager_url)
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
        wire = BareConnection(task.manager_url)
        for body in batch_bodies(task):
            wire.post("/sdk/events/batch", body)
        wire.close()

    return work


def requests_of(task: Task) -> Iterator[tuple[str, bytes]]:
    """Yield path and body of everything that is sent, each made when it is asked for."""
    batches = batch_bodies(task)
    for number in range(task.documents):
        yield "/sdk/content", content_body(task, number)
        if number % BATCH == BATCH - 1 or number == task.documents - 1:
            yield "/sdk/events/batch", next(batches)
            yield f"/sdk/sync/{RUN}/scanned", b'{"count":500}'


def floor_multi(task: Task) -> Callable[[], None]:
    """The same payloads by a raw ``CurlMulti``, with as many connections as the task has threads."""

    def work() -> None:
        multi, ignored = pycurl.CurlMulti(), io.BytesIO()
        free, jobs = [], requests_of(task)
        for _ in range(task.threads):
            curl = pycurl.Curl()
            curl.setopt(pycurl.HTTPHEADER, ["Content-Type: application/json", "Expect:"])
            curl.setopt(pycurl.WRITEDATA, ignored)
            free.append(curl)
        busy = 0
        while True:
            while free and (job := next(jobs, None)) is not None:
                curl = free.pop()
                curl.setopt(pycurl.URL, task.manager_url + job[0])
                curl.setopt(pycurl.POSTFIELDS, job[1])
                multi.add_handle(curl)
                busy += 1
            if not busy:
                break
            multi.perform()
            queued, done, failed = multi.info_read()
            if failed:
                raise RuntimeError(failed)
            for curl in done:
                multi.remove_handle(curl)
            free += done
            busy -= len(done)
            if not queued and not done:
                multi.select(1.0)

    return work


def floor_urllib3(task: Task) -> Callable[[], None]:
    """The same payloads by urllib3, from as many threads as the task has."""

    def work() -> None:
        jobs, lock = requests_of(task), threading.Lock()
        pool = urllib3.PoolManager(maxsize=task.threads, retries=False)

        def send() -> None:
            while True:
                with lock:
                    job = next(jobs, None)
                if job is None:
                    return
                pool.request(
                    "POST",
                    task.manager_url + job[0],
                    body=job[1],
                    headers={"Content-Type": "application/json"},
                )

        threads = [threading.Thread(target=send) for _ in range(task.threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        pool.clear()

    return work


def wire_curl(task: Task) -> Callable[[], None]:
    """The same payloads over the wire that the SDK has, with nothing above it."""
    wire = CurlWire.for_session(task.manager_url, requests.Session(), connect_seconds=5.0)
    if wire is None:
        raise RuntimeError("no wire over libcurl")
    jobs, done, ended = requests_of(task), threading.Event(), itertools.count(1)

    def go_on(answered: Future[WireAnswer] | None = None) -> None:
        if answered is not None and answered.result().status != http.HTTPStatus.OK:
            raise RuntimeError(answered)
        job = next(jobs, None)
        if job is not None:
            request = WireRequest(method="POST", path=job[0], body=(job[1],))
            wire.submit(request).add_done_callback(go_on)
        elif next(ended) == task.threads:
            done.set()

    def work() -> None:
        first = [next(jobs) for _ in range(task.threads)]
        for path, body in first:
            wire.submit(WireRequest(method="POST", path=path, body=(body,))).add_done_callback(go_on)
        done.wait()
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
    "sdk_session": sdk_session,
    "sdk_session_16": sdk_session_16,
    "sdk_sequential": sdk_sequential,
    "sdk_emit": sdk_emit,
    "sdk_emit_log_off": sdk_emit_log_off,
    "sdk_emit_log_on": sdk_emit_log_on,
    "sdk_async": sdk_async,
    "sdk_parallel_runs": sdk_parallel_runs,
    "floor_threads": floor_threads,
    "floor_wire": floor_wire,
    "floor_sequential": floor_sequential,
    "floor_emit": floor_emit,
    "floor_multi": floor_multi,
    "floor_urllib3": floor_urllib3,
    "wire_curl": wire_curl,
    "naive": naive,
}
