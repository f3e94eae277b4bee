"""What a busy connector answers, and what it keeps in memory; printed under the table of ``python -m benchmarks``."""

from __future__ import annotations

import http.client
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
RUNS = 20
PROBES = 300
BURST, BURSTS, CAPACITY_REPETITIONS = 50, 200, 5


def serve(manager_url: str, kind: str) -> None:
    """A connector of ``workloads`` behind an HTTP server, until standard input closes."""
    from benchmarks import workloads  # noqa: PLC0415 - only the child needs it.
    from omni_connector import Settings  # noqa: PLC0415
    from omni_connector.local import HttpServer  # noqa: PLC0415
    from omni_connector.server import create_app, services  # noqa: PLC0415

    app = create_app(getattr(workloads, kind)(), settings=Settings(manager_url=manager_url), register=False)
    with HttpServer(app, threads=16) as server:
        print(server.url, flush=True)  # noqa: T201 - the parent reads it.
        sys.stdin.read()
        for service in services(app).values():
            service.close()


@contextmanager
def served(manager_url: str, kind: str) -> Iterator[http.client.HTTPConnection]:
    """Run ``serve`` in a process; yield a connection to it."""
    child = subprocess.Popen(  # noqa: S603 - our own module.
        [sys.executable, "-c", f"from benchmarks.probes import serve; serve({manager_url!r}, {kind!r})"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        if child.stdout is None:
            raise RuntimeError("no pipe")
        parts = urlsplit(child.stdout.readline().strip())
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        yield connection
        connection.close()
    finally:
        child.communicate("")


def answering(manager_url: str) -> list[str]:
    """Return rows: how quickly a process answers that is idle, and one with twenty runs at full speed."""
    with served(manager_url, "Short") as connection:
        rows = [
            row(
                "POST /sync, one short run after the other",
                [asked(connection, "POST", "/sync", number) for number in range(PROBES)],
            )
        ]
    with served(manager_url, "Endless") as connection:
        started = [asked(connection, "POST", "/sync", number) for number in range(RUNS)]
        rows.append(row("POST /sync, the first to the twentieth of endless runs", started))
        for name, path in (("GET /health", "/health"), ("GET /sync/<id>", "/sync/run-0")):
            rows.append(
                row(
                    f"{name}, {RUNS} runs at full speed",
                    [asked(connection, "GET", path) for _ in range(PROBES)],
                )
            )
    return rows


def capacity(manager_url: str) -> list[str]:
    """Return lines: how many contents a second the manager takes from a client that only sends and counts bytes."""
    parts = urlsplit(manager_url)
    body = json.dumps({"sync_run_id": "r", "content": "x" * 2000, "content_type": "text/plain"}).encode()
    head = f"POST /sdk/content HTTP/1.1\r\nHost: m\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    burst = (head + body) * BURST
    with socket.create_connection((parts.hostname or "", parts.port or 80)) as wire:
        wire.sendall(head + body)
        answer = len(wire.recv(1 << 16))  # All are alike.
        rates = []
        for _ in range(CAPACITY_REPETITIONS):
            began = time.perf_counter()
            for _ in range(BURSTS):
                wire.sendall(burst)
                left = answer * BURST
                while left:
                    left -= len(wire.recv(1 << 20))
            rates.append(BURST * BURSTS / (time.perf_counter() - began))
    return [
        "",
        (
            f"The manager takes {statistics.median(rates):,.0f} contents of 2 KB a second ({min(rates):,.0f} to "
            f"{max(rates):,.0f}) from a client that sends {BURST} at a time and only counts bytes: it is not the bottleneck."
        ),
    ]


def asked(connection: http.client.HTTPConnection, method: str, path: str, number: int = 0) -> float:
    """Return the milliseconds that one request took."""
    body = None
    if method == "POST":
        body = json.dumps(
            {"sync_run_id": f"run-{number}", "source_id": f"source-{number}", "sync_mode": "full"}
        )
    began = time.perf_counter()
    connection.request(method, path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    response.read()
    if response.status != http.client.OK:
        raise RuntimeError(f"{method} {path}: {response.status}")
    return (time.perf_counter() - began) * 1000


def row(name: str, milliseconds: list[float]) -> str:
    """Return one row of the table."""
    ordered = sorted(milliseconds)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"| {name} | {len(ordered)} | {statistics.median(ordered):.1f} | {p99:.1f} | {ordered[-1]:.1f} |"


HEAD = [
    "",
    "How quickly a connector answers while it is busy, in milliseconds:",
    "",
    "| request | times | median | p99 | longest |",
    "|---|---|---|---|---|",
]

MEMORY_HEAD = [
    "",
    "Peak memory above the idle process:",
    "",
    "| workload | documents | characters each | MB |",
    "|---|---|---|---|",
]

MEMORY = [
    ("sdk_emit", 10_000, 2_000),
    ("sdk_emit", 50_000, 2_000),
    ("sdk_emit", 200_000, 2_000),
    ("sdk_emit", 1_000_000, 2_000),
    ("sdk_pipelined", 10_000, 2_000),
    ("sdk_pipelined", 50_000, 2_000),
    ("sdk_pipelined", 200_000, 2_000),
    ("sdk_pipelined", 1_000_000, 2_000),
    ("sdk_pipelined", 5_000, 200_000),
]
