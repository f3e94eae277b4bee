"""``python -m benchmarks.hostile --connector 100000 --manager 20000``: hostile requests; none may be answered 5xx, hang, or leave memory.

Half of them are well-formed HTTP with hostile contents, for every endpoint of the OpenAPI documents: values of wrong types, deep
nesting, wrong bytes, odd paths, methods and headers. The others are no HTTP at all or break its rules: wrong lengths and chunks,
two lengths, half requests, other protocols. Some clients send half a request and fall silent. The connector is a real gunicorn
with two workers, the manager a process of its own. The seed makes a run repeatable.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from attrs import define, field

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from support.processes import ListeningSocket, start_gunicorn, start_manager

from benchmarks.hostile_requests import Hostility
from benchmarks.soak import size_of

THREADS = 8
ANSWER_SECONDS = 20.0
"""A complete request that is not answered for so long hangs; actions of this connector take no time."""
SILENT_SECONDS = 100.0
"""So long after the last byte every client that fell silent must have been cut off: 75 s and a look every 5 s in the manager."""
SILENT_SHARE = 0.0003
GROWTH_MIB = 25
"""Between the first and the second half, after the first tenth: threads and caches are there by then."""
EXPECTED_5XX = (
    # The embedded manager emulates the real one, which fails so (PROTOCOL, sections 18 and 19).
    b"invalid byte sequence for encoding",
    b"Failed to get user email",
    # What RFC 9112, section 6.1, asks for: gunicorn and waitress answer 501 to a transfer coding that they do not know.
    b"Unsupported transfer coding",
    b"Transfer-Encoding requested is not supported",
)
SHOWN = 200


@define
class Report:
    """What has happened; each thread adds to it under the lock."""

    lock: threading.Lock = field(factory=threading.Lock)
    statuses: Counter[str] = field(factory=Counter)
    problems: list[str] = field(factory=list)
    sizes: list[tuple[float, int]] = field(factory=list)
    slowest: float = 0.0

    def add(self, sent: bytes, answer: bytes, seconds: float) -> None:
        """Note the first line of an answer."""
        found = re.match(rb"HTTP/1\.[01] (\d{3})", answer)
        status = found[1].decode() if found else "closed" if not answer else "other"
        with self.lock:
            self.slowest = max(self.slowest, seconds)
            if status.startswith("5"):
                if any(text in answer for text in EXPECTED_5XX):
                    status += " as expected"
                else:
                    self.problems.append(f"{status} to {sent[:SHOWN]!r}: {answer[-SHOWN:]!r}")
            self.statuses[status] += 1

    def hang(self, sent: bytes) -> None:
        """Note a request without an answer."""
        with self.lock:
            self.problems.append(
                f"no answer within {ANSWER_SECONDS} s to {sent[:SHOWN]!r} ({len(sent)} bytes)"
            )


# -- what is sent ---------------------------------------------------------------------------------------------------


# -- sending it -----------------------------------------------------------------------------------------------------


def attack(report: Report, side: str, port: int, count: int, seed: int) -> None:
    """Send requests one after the other, each on a connection of its own."""
    hostility = Hostility(side, seed)
    with contextlib.ExitStack() as kept:
        silent: list[tuple[socket.socket, bytes]] = []
        for _ in range(count):
            request, is_complete = hostility.request()
            if not is_complete and request and hostility.random.random() < SILENT_SHARE * 2:
                client = kept.enter_context(_connect(port))
                with contextlib.suppress(OSError):
                    client.sendall(request)
                silent.append((client, request))
                continue
            one(report, port, request, is_complete=is_complete)
        deadline = time.monotonic() + SILENT_SECONDS
        for client, request in silent:
            client.settimeout(max(0.1, deadline - time.monotonic()))
            try:
                while client.recv(65536):
                    """Until the server closes."""
            except TimeoutError:
                report.hang(request)
            except OSError:
                """Reset: cut off as well."""


def one(report: Report, port: int, request: bytes, *, is_complete: bool) -> None:
    """Send a request, and read until an answer is whole or the server has closed."""
    began = time.monotonic()
    answer = b""
    with _connect(port) as client:
        try:
            client.sendall(request)
            if not is_complete:
                client.shutdown(socket.SHUT_WR)
            while not (is_complete and _is_whole(answer)):
                piece = client.recv(65536)
                if not piece:
                    break
                answer += piece
        except TimeoutError:
            report.hang(request)
            return
        except OSError:
            """The server closed while it was sent."""
    report.add(request, answer, time.monotonic() - began)


def _connect(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    found = re.search(rb"(?i)content-length: (\d+)", head)
    return bool(end) and (
        (found is not None and len(body) >= int(found[1]))
        or answer.startswith((b"HTTP/1.1 204", b"HTTP/1.1 304"))
    )


def hostile(side: str, count: int, seed: int, threads: int = THREADS) -> Report:
    """Start a server of that side, send it so many requests, and return what happened."""
    report = Report()
    with contextlib.ExitStack() as stack:
        process, port = _server(side, stack)
        attackers = [
            threading.Thread(
                target=attack,
                args=(report, side, port, count // threads, seed * 1000 + n),
                name=f"client {n}",
            )
            for n in range(threads)
        ]
        for attacker in attackers:
            attacker.start()
        done, steps = -1, 0
        while any(attacker.is_alive() for attacker in attackers):
            attackers[0].join(0.5)
            done = sum(report.statuses.values())
            if done >= steps * count // 20:
                report.sizes.append(size_of(process.popen.pid))
                steps += 1
        one(
            report,
            port,
            b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            is_complete=True,
        )
        report.sizes.append(size_of(process.popen.pid))
        tracebacks = [line for line in process.lines if line.startswith("Traceback")]
        died = [line for line in process.lines if re.search(r"WORKER TIMEOUT|Worker .* was sent", line)]
        if tracebacks or died or process.popen.poll() is not None:
            lines = "\n".join([*died[:10], *process.lines[-40:]])
            report.problems.append(f"{len(tracebacks)} tracebacks in the log, {len(died)} deaths: {lines}")
    steady = [mib for mib, _ in report.sizes[len(report.sizes) // 10 :]]
    half = len(steady) // 2
    if half and max(steady[half:]) > max(steady[:half]) + GROWTH_MIB:
        report.problems.append("memory grows")
    return report


def _server(side: str, stack: contextlib.ExitStack) -> Any:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    manager, url = start_manager(folder / "data")
    stack.callback(manager.end)
    if side == "manager":
        return manager, int(url.rpartition(":")[2])
    address = stack.enter_context(ListeningSocket())
    env = {"CONNECTOR_MANAGER_URL": url, "TMPDIR": str(folder)}
    process = stack.enter_context(
        start_gunicorn(address, "support.hostile_target:Target", "--workers", "2", env=env)
    )
    process.wait_for("Registered at ")
    return process, address.port


def shown(side: str, report: Report) -> str:
    """Return the figures of a report."""
    sizes = " ".join(f"{mib:.0f}" for mib, _ in report.sizes)
    return (
        f"{side}: {sum(report.statuses.values()):,} requests, {dict(report.statuses.most_common())}, slowest {report.slowest:.2f} s\n"
        f"MiB of all processes: {sizes}; descriptors {report.sizes[0][1]} at first, {report.sizes[-1][1]} at last\n"
        f"{len(report.problems)} problems\n" + "".join(f"PROBLEM: {text}\n" for text in report.problems[:20])
    )


def main() -> int:
    """Run it; the exit status is 1 when anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile", description=__doc__)
    parser.add_argument("--connector", type=int, default=100_000)
    parser.add_argument("--manager", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    status = 0
    for side in ("connector", "manager"):
        if count := getattr(options, side):
            report = hostile(side, count, options.seed)
            sys.stdout.write(shown(side, report))
            sys.stdout.flush()
            status |= bool(report.problems)
    return status


if __name__ == "__main__":
    sys.exit(main())
