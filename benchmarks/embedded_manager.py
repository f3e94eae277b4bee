"""``python -m benchmarks.embedded_manager``: how many documents a second the embedded manager takes, and what each costs.

Three variants take turns: a bare WSGI application on the same server, which answers the same requests and stores nothing;
the embedded manager with the same lean client; and ``omni-connector run``, whose connector shares the process with the
manager. ``--write`` puts the table into RESULTS.md. Contents have 2 KB, in words that are as common as words of a language.
"""

from __future__ import annotations

import argparse
import datetime as dt
import itertools
import json
import os
import random
import re
import select
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from attrs import define, field

from omni_connector import Connector, Document, DocumentMetadata, DocumentPermissions, SyncContext
from omni_connector.local import HttpServer, LocalManager, StoreError
from omni_connector.local.store import reading

HERE = Path(__file__).resolve()
RESULTS = HERE.with_name("RESULTS.md")
HEADING = "### Embedded manager"
CONNECTIONS = 16
BATCH = 100
WORDS = 280
VOCABULARY = 20_000
TEXTS = 500
SOURCE = "01K3000000000000000000000S"
CONTENT_ID = "01K3CCCCCCCCCCCCCCCCCCCCCC"
WANTED_RATE = 1500
WANTED_RATIO = 0.5
LONGEST_LAG_SECONDS = 2.0
LOOK_SECONDS = 0.05
STAGES = {
    "reading requests; contents: JSON, hash, SQLite": r"local-manager",
    "contents while another thread is writing": r"local-manager-together",
    "events and everything else: Flask, JSON, SQLite": r"local-manager-\d+",
    "search index": r"search-index",
}
"""What the threads do, by pattern of their names."""


def texts() -> list[str]:
    """Return texts in words of which some are common and most are rare (Zipf)."""
    chance = random.Random(1)  # noqa: S311 - the same texts each time.
    words = [f"w{number:05d}" for number in range(VOCABULARY)]
    weights = list(itertools.accumulate(1 / (rank + 2.7) for rank in range(VOCABULARY)))
    return [" ".join(chance.choices(words, cum_weights=weights, k=WORDS)) for _ in range(TEXTS)]


class Texts(Connector):
    """Emits as many documents as the config says."""

    name = "texts"
    version = "1"
    source_types = ["web"]

    def sync(
        self,
        config: dict[str, Any],
        _credentials: dict[str, Any],
        _state: dict[str, Any] | None,
        ctx: SyncContext,
    ) -> None:
        """Emit them."""
        pool = texts()
        for number in range(config["documents"]):
            ctx.emit(
                Document(
                    external_id=f"d{number}",
                    title=f"Document {number}",
                    content=f"document {number} {pool[number % TEXTS]}",
                    metadata=DocumentMetadata(url=f"https://example.com/{number}"),
                    permissions=DocumentPermissions(users=["ann@example.com"], groups=["eng@example.com"]),
                )
            )


def bare(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Read the request and answer it."""
    environ["wsgi.input"].read()
    key = "content_id" if environ["PATH_INFO"] == "/sdk/content" else "sync_run_id"
    answer = json.dumps({key: CONTENT_ID}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
    return [answer]


def serve(variant: str, folder: str) -> None:
    """Life of the server's process: print the address, and at the end of the input the CPU time since then, by stage."""
    if variant == "bare":
        server: HttpServer | LocalManager = HttpServer(bare, name="local-manager").start()
    else:
        server = LocalManager(folder, schedule=False).start()
        server.add_source(source_type="web", source_id=SOURCE)
    began = time.process_time()
    print(server.url, flush=True)  # noqa: T201 - the parent reads it.
    sys.stdin.readline()
    figures = {"all": time.process_time() - began, **cpu_by_stage()}
    server.close()
    print(json.dumps(figures))  # noqa: T201


def cpu_by_stage() -> dict[str, float]:
    """Return the CPU seconds of our threads by what they do."""
    used: dict[str, float] = defaultdict(float)
    for thread in threading.enumerate():
        for stage, pattern in STAGES.items():
            if re.fullmatch(pattern, thread.name):
                nanoseconds = (
                    Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text("ascii").split()[0]
                )
                used[stage] += int(nanoseconds) / 1e9
    return dict(used)


class LeanClient:
    """Sends requests that are ready as bytes over several connections, one at a time over each."""

    def __init__(self, url: str, documents: int) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self._address = (host, int(port))
        self._pool = texts()
        self._documents = iter(range(documents))
        self._run_id = ""
        self._stored: list[dict[str, object]] = []

    def send_all(self) -> None:
        """Send all contents, and a batch of events for each hundred of them."""
        body = {"source_id": SOURCE, "sync_type": "full"}
        with socket.create_connection(self._address) as connection:
            connection.sendall(self._request("/sdk/sync/create", body))
            self._run_id = json.loads(_body_from(connection))["sync_run_id"]
        poll = select.poll()
        busy: dict[int, tuple[socket.socket, int | None]] = {}
        for _ in range(CONNECTIONS):
            connection = socket.create_connection(self._address)
            poll.register(connection, select.POLLIN)
            busy[connection.fileno()] = (connection, self._next(connection))
        while busy:
            for number, _ in poll.poll():
                connection, sent = busy[number]
                answer = json.loads(_body_from(connection))
                if sent is not None:
                    self._stored.append(self._event(sent, answer["content_id"]))
                following = self._next(connection)
                busy[number] = (connection, following)
                if following is None and not self._is_sending:
                    poll.unregister(connection)
                    busy.pop(number)[0].close()

    def _next(self, connection: socket.socket) -> int | None:
        """Send the next request; return the number of the document whose content it is."""
        number = None if len(self._stored) >= BATCH else next(self._documents, None)
        self._is_sending = number is not None or bool(self._stored)
        if number is not None:
            text = f"document {number} {self._pool[number % TEXTS]}"
            connection.sendall(self._request("/sdk/content", {"sync_run_id": self._run_id, "content": text}))
        elif self._stored:
            batch, self._stored = self._stored, []
            body = {"sync_run_id": self._run_id, "source_id": SOURCE, "events": batch}
            connection.sendall(self._request("/sdk/events/batch", body))
        return number

    def _event(self, number: int, content_id: str) -> dict[str, object]:
        return {
            "type": "document_created",
            "sync_run_id": self._run_id,
            "source_id": SOURCE,
            "document_id": f"d{number}",
            "content_id": content_id,
            "metadata": {"title": f"Document {number}", "url": f"https://example.com/{number}"},
            "permissions": {"public": False, "users": ["ann@example.com"], "groups": ["eng@example.com"]},
        }

    def _request(self, path: str, value: object) -> bytes:
        body = json.dumps(value).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body


def _body_from(connection: socket.socket) -> bytes:
    """Read an answer to its end."""
    answer = connection.recv(4096)
    while True:
        head, end, body = answer.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: ([0-9]+)", head, re.IGNORECASE)
        if end and length is not None and len(body) >= int(length[1]):
            break
        more = connection.recv(4096)
        if not more:
            raise SystemExit(f"cut off: {answer!r}")
        answer += more
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"refused: {answer!r}")
    return body


@define
class Figures:
    """What one variant took, over the rounds; CPU in microseconds a document."""

    rates: list[float] = field(factory=list)
    cpu: list[float] = field(factory=list)
    stages: dict[str, list[float]] = field(factory=dict)
    lag_seconds: float = 0.0

    def rate(self) -> float:
        """Return documents a second."""
        return statistics.median(self.rates)


@contextmanager
def lag_of(folder: str, figures: Figures) -> Iterator[None]:
    """Watch how old the oldest document is that cannot be found yet."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(LOOK_SECONDS):
            with suppress(StoreError, sqlite3.OperationalError), reading(Path(folder)) as db:
                oldest = db.execute(
                    "SELECT min(d.updated_at) FROM search_queue JOIN documents d USING (number)"
                ).fetchone()[0]
                if oldest is not None:
                    figures.lag_seconds = max(figures.lag_seconds, time.time() - oldest / 1e6)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def environment(base: Path | None) -> dict[str, str]:
    """Return what has a process use the package of this checkout, or of an older one."""
    return {**os.environ, "PYTHONPATH": str(base or HERE.parents[1])}


def measure_server(variant: str, documents: int, figures: Figures, base: Path | None = None) -> None:
    """Let the lean client send to a server in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(  # noqa: S603 - our own module.
            [sys.executable, str(HERE), "--serve", variant, folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder, env=environment(base),
        )  # fmt: skip
        if process.stdout is None:
            raise RuntimeError("no pipe")
        client = LeanClient(process.stdout.readline().strip(), documents)
        began = time.perf_counter()
        with lag_of(folder, figures):
            client.send_all()
            figures.rates.append(documents / (time.perf_counter() - began))
        answer = json.loads(process.communicate("\n")[0])
    figures.cpu.append(answer.pop("all") / documents * 1e6)
    for stage, seconds in answer.items():
        figures.stages.setdefault(stage, []).append(seconds / documents * 1e6)


def measure_run(documents: int, figures: Figures, base: Path | None = None) -> None:
    """Let the command sync, once with one document, whose CPU time is that of starting and ending."""
    used = []
    for count in (1, documents):
        with tempfile.TemporaryDirectory() as folder:
            before = os.times()
            done = subprocess.run(  # noqa: S603 - our own module.
                [
                    sys.executable, "-m", "omni_connector.cli", "run", f"{HERE}:Texts",
                    "--set", f"documents={count}", "--data", f"{folder}/data", "--json",
                ],
                capture_output=True, text=True, cwd=folder, env=environment(base), check=False,
            )  # fmt: skip
            if done.returncode:
                raise SystemExit(done.stderr[-2000:])
            after = os.times()
            used.append(
                after.children_user + after.children_system - before.children_user - before.children_system
            )
    figures.rates.append(documents / json.loads(done.stdout)["seconds"])
    figures.cpu.append((used[1] - used[0]) / documents * 1e6)


def table(documents: int, found: dict[str, Figures]) -> list[str]:
    """Return what is printed and written."""
    floor, manager = found["bare"], found["manager"]
    ratio = statistics.median(ours / theirs for ours, theirs in zip(manager.rates, floor.rates, strict=True))
    rate = found["run"].rate()
    lines = [
        HEADING,
        "",
        (
            f"`python -m benchmarks.embedded_manager` on {dt.datetime.now(dt.UTC):%Y-%m-%d}: {documents:,} documents of 2 KB "
            f"a round, {len(floor.rates)} rounds in turn, medians. Load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
        ),
        "",
        "| variant | documents/s (lowest to highest) | CPU, µs a document |",
        "|---|---|---|",
    ]
    names = {
        "base manager": "embedded manager of `--base`, lean client",
        "base run": "`omni-connector run` of `--base`",
        "bare": "a WSGI application on the same server that stores nothing",
        "manager": "embedded manager, lean client",
        "run": "`omni-connector run`, connector and manager in one process",
    }
    lines += [
        f"| {name} | {found[key].rate():,.0f} ({min(found[key].rates):,.0f} to {max(found[key].rates):,.0f}) | "
        f"{statistics.median(found[key].cpu):.0f} |"
        for key, name in names.items()
        if key in found
    ]
    lines += ["", "| where the manager's CPU time goes | µs a document |", "|---|---|"]
    lines += [f"| {stage} | {statistics.median(used):.0f} |" for stage, used in manager.stages.items()]
    lines += [
        "",
        f"- `omni-connector run`: {rate:,.0f} documents/s ({'met' if rate >= WANTED_RATE else 'MISSED'}, >= {WANTED_RATE:,}).",
        f"- Embedded manager to bare application: {ratio:.2f} ({'met' if ratio >= WANTED_RATIO else 'MISSED'}, >= {WANTED_RATIO}).",
        (
            f"- The oldest document that could not be found yet was {manager.lag_seconds:.2f} s old "
            f"({'met' if manager.lag_seconds <= LONGEST_LAG_SECONDS else 'MISSED'}, <= {LONGEST_LAG_SECONDS:g} s)."
        ),
    ]
    return lines


def write(lines: list[str]) -> None:
    """Replace our section of RESULTS.md."""
    text = RESULTS.read_text("utf-8")
    before, heading, rest = text.partition(f"{HEADING}\n")
    following = re.search(r"^##", rest, re.MULTILINE)
    after = rest[following.start() :] if following else ""
    before = before if heading else before.rstrip("\n") + "\n\n"
    RESULTS.write_text(before + "\n".join(lines) + "\n" + (f"\n{after}" if after else ""), "utf-8")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.embedded_manager", description=__doc__)
    parser.add_argument("--documents", type=int, default=15_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="also put the figures into RESULTS.md")
    parser.add_argument("--base", type=Path, help="folder of an older checkout, measured beside this one")
    parser.add_argument("--serve", nargs=2, metavar=("VARIANT", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(*options.serve)
        return
    found = {name: Figures() for name in ("bare", "manager", "run")}
    if options.base:
        found |= {"base manager": Figures(), "base run": Figures()}
    for _ in range(options.rounds):
        measure_server("bare", options.documents, found["bare"])
        measure_server("manager", options.documents, found["manager"])
        measure_run(options.documents, found["run"])
        if options.base:
            base = options.base.resolve()
            measure_server("manager", options.documents, found["base manager"], base)
            measure_run(options.documents, found["base run"], base)
    lines = table(options.documents, found)
    print("\n".join(lines))  # noqa: T201
    if options.write:
        write(lines)


if __name__ == "__main__":
    main()
