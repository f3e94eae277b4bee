"""``python -m benchmarks.hostile --connector 100000 --manager 20000``: hostile requests; none may be answered 5xx, hang, or leave memory.

Half of them are well-formed HTTP with hostile contents, for every endpoint of the OpenAPI documents: values of wrong types, deep
nesting, wrong bytes, odd paths, methods and headers. The others are no HTTP at all or break its rules: wrong lengths and chunks,
two lengths, half requests, other protocols. Some clients send half a request and fall silent. The connector is a real gunicorn
with two workers, the manager a process of its own. The seed makes a run repeatable.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import re
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import define, field

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from support.openapi import document
from support.processes import ListeningSocket, start_gunicorn, start_manager

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


class Hostility:
    """Makes requests for one side; not for several threads."""

    def __init__(self, side: str, seed: int) -> None:
        self.random = random.Random(seed)
        self._endpoints = list(_endpoints(side))

    def request(self) -> tuple[bytes, bool]:
        """Return a request, and whether it is complete, so that it must be answered or refused."""
        if self.random.random() < 0.5:
            return self._well_formed(), True
        return self.random.choice(_MALFORMED)(self)

    def _well_formed(self) -> bytes:
        method, path, fields = self.random.choice(self._endpoints)
        return self.head(method, self._path(path), body := self._body(fields)) + body

    def head(self, method: str, path: str, body: bytes, *lines: str) -> bytes:
        """Return the head of a request with that body, and odd headers in it."""
        kind = self.random.choice(
            ["application/json"] * 8
            + ["", "text/plain", "application/json; charset=\xff", "multipart/form-data"]
        )
        lines = (*lines, f"Content-Length: {len(body)}")
        return "\r\n".join(
            [
                f"{method} {path} HTTP/1.1",
                "Host: localhost",
                f"Content-Type: {kind}",
                *self._headers(),
                *lines,
                "\r\n",
            ]
        ).encode("latin-1")

    def _headers(self) -> list[str]:
        odd = [
            "X: " + "y" * 3000,
            "Authorization: Bearer \xff",
            "Accept-Encoding: x;q=a",
            "Expect: x",
            "Connection: upgrade",
            "X-Forwarded-For: 1",
            "Range: bytes=9-1",
            "Cookie: " + "a=b;" * 500,
            "Content-Encoding: gzip",
            "If-None-Match: *",
        ]
        return self.random.sample(odd, self.random.choice([0, 0, 0, 1, 2]))

    def _path(self, path: str) -> str:
        segment = self.random.choice(
            [
                "x",
                "%00",
                "..",
                "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
                "\xff",
                "%ff",
                "a" * 3000,
                "%",
                "'--",
                "{{7*7}}",
                "%0d%0aX:1",
            ]
        )
        path = re.sub(r"\{\w+\}", lambda _: segment, path)
        more = [
            "",
            "",
            "",
            "",
            "",
            "?a=%00",
            "?" + "a=b&" * 800,
            "/",
            "//",
            "/../health",
            ";a=b",
            "?limit=-1&q=%22",
        ]
        return path + self.random.choice(more)

    def _body(self, fields: tuple[str, ...]) -> bytes:
        kind = self.random.random()
        if kind < 0.15:
            return self.random.choice(_BYTES)
        value: Any = {name: self._value(3) for name in fields if self.random.random() < 0.85}
        if kind < 0.2:
            value = self.random.choice([[value], None, 1, "x", True])
        return json.dumps(value).encode()

    def _value(self, levels: int) -> Any:
        if levels and self.random.random() < 0.3:
            return self.random.choice(
                [
                    [self._value(levels - 1) for _ in range(self.random.randrange(4))],
                    {
                        self.random.choice(_TEXTS): self._value(levels - 1)
                        for _ in range(self.random.randrange(4))
                    },
                ]
            )
        return self.random.choice(
            [*_TEXTS, 0, -1, 2**63, 1e308, True, None, {}, [], "full", "incremental", "realtime", "web", "x"]
        )


def _endpoints(side: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for path, operations in document(side)["paths"].items():
        for method in ("get", "post", "put", "delete"):
            if method in operations:
                yield method.upper(), path, _fields(operations[method])
    if side == "connector":
        yield from (("GET", path, ()) for path in ("/ready", "/metrics"))
    else:
        own = ("sources", "documents", "search", "tick", "runs", "users", "credentials")
        yield from (("GET", f"/local/{name}", ()) for name in own)
        yield from (("POST", f"/local/{name}", ("source_type", "config", "name")) for name in own)


def _fields(operation: dict[str, Any]) -> tuple[str, ...]:
    text = json.dumps(operation.get("requestBody", {}))
    names = set(re.findall(r'"#/components/(?:schemas|requestBodies)/(\w+)"', text))
    known = {
        "sync_run_id", "source_id", "sync_mode", "sync_type", "checkpoint", "action", "params", "credentials", "uri", "name", "arguments",
        "skill_id", "provider", "flow", "events", "content", "content_type", "count", "state", "error", "manifest", "type", "document_id",
    }  # fmt: skip
    return tuple(sorted(known if names or text != "{}" else ()))


_TEXTS = [
    "",
    "\0",
    "\ud800",
    "\u202e",
    "x" * 10_000,
    "../../etc/passwd",
    "'; DROP TABLE sources; --",
    "<script>",
    "%s%n",
    "\r\nX: y",
    "NaN",
    "🦊",
]
_DEEP = [b"[" * n + b"]" * n for n in (150, 300, 900, 1100, 60_000)] + [
    b'{"a":' * n + b"1" + b"}" * n for n in (150, 300, 900, 1100, 9_000)
]
_BYTES = [
    *_DEEP, *(b'{"sync_run_id":"x","params":' + deep + b"}" for deep in _DEEP), b"", b"{", b"\xff\xfe", b"\x00" * 1000, b'{"a":1}' * 2, b"null", b"NaN",
    b'{"sync_run_id":"x","sync_run_id":1}', b"1" * 5000, b"-", b'"\\ud800"', b"[1e999]", b'{"a":' + b"9" * 5000 + b"}", b"x" * 300_000, b"\xef\xbb\xbf{}",
    b'{"count":1.0}', b" " * 100_000, b'{"' + b"k" * 100_000 + b'":1}', b"[" + b"{}," * 50_000 + b"{}]",
]  # fmt: skip


def _wrong_length(h: Hostility) -> tuple[bytes, bool]:
    length = h.random.choice(
        [
            "-1",
            "1e3",
            "0x10",
            "+5",
            "5 5",
            "",
            "99999999999999999999",
            "5\x00",
            "\xef\xbc\x95",
            "5,5",
        ]
    )
    return (
        f"POST /sync HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{{}}abc".encode(
            "latin-1"
        ),
        False,
    )


def _two_lengths(h: Hostility) -> tuple[bytes, bool]:
    lines = ["Content-Length: 2\r\nContent-Length: 5", "Content-Length: 2\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked, identity",
             "Transfer-Encoding: gzip", "Transfer-Encoding: xchunked", "Transfer-Encoding : chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x"]  # fmt: skip
    line = h.random.choice(lines)
    return (
        f"POST /cancel HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{line}\r\n\r\n{{}}\r\n0\r\n\r\n".encode(),
        False,
    )


def _chunks(h: Hostility) -> tuple[bytes, bool]:
    body = h.random.choice([b"z\r\n{}\r\n0\r\n\r\n", b"-1\r\n", b"2\r\n{}0\r\n\r\n", b"ffffffffffffffffff\r\n{}", b"2;" + b"x" * 20_000 + b"\r\n{}\r\n0\r\n\r\n",
                            b"2\n{}\n0\n\n", b"0x2\r\n{}\r\n0\r\n\r\n", b"2\r\n{}\r\n", b"2\r\n{}\r\n0\r\nX: y\r\n", b"5\r\n{}\r\n0\r\n\r\n", b""])  # fmt: skip
    return (
        b"POST /sync HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        + body,
        False,
    )


def _line(h: Hostility) -> tuple[bytes, bool]:
    line = h.random.choice([b"GET", b"GET /health", b"GET /health HTTP/9.9", b"GET  /health HTTP/1.1", b"\x00\x01\x02", b"get /health HTTP/1.1", b"G\xffT / HTTP/1.1",
                            b"GET /" + b"a" * 10_000 + b" HTTP/1.1", b"GET http://[::1/health HTTP/1.1", b"GET * HTTP/1.1", b"CONNECT x:1 HTTP/1.1", b"GET /he\x00lth HTTP/1.1",
                            b"PRI * HTTP/2.0", b"GET /health HTTP/1.1 x", b" GET / HTTP/1.1", b"GET\t/health\tHTTP/1.1", b"GET //[ HTTP/1.1", b"OPTIONS * HTTP/1.1"])  # fmt: skip
    return line + b"\r\nHost: localhost\r\n\r\n", False


def _header(h: Hostility) -> tuple[bytes, bool]:
    header = h.random.choice([b"X: " + b"y" * 300_000, b"X:y\r\n" * 200, b"no colon", b": x", b"X : y", b"X: a\r\n b", b"X\x00: y", b"X: \x00", b"X: a\nY: b", b"\xff: y", b"Host: a\r\nHost: b",
                              b"Content_Length: 5", b"X-\xe2\x98\x83: y", b"Connection: keep-alive, close, upgrade", b"Expect: 100-continue\r\nContent-Length: 5"])  # fmt: skip
    return b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + header + b"\r\n\r\n", False


def _noise(h: Hostility) -> tuple[bytes, bool]:
    return h.random.choice([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + h.random.randbytes(200), h.random.randbytes(500), b"\r\n" * 500, b"\n", b"\x00" * 5000,
                            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00" * 50, b"EHLO x\r\n", b"*1\r\n$4\r\nPING\r\n", b"A" * 100_000, b""]), False  # fmt: skip


def _half(h: Hostility) -> tuple[bytes, bool]:
    whole = h._well_formed()  # noqa: SLF001 - of this module.
    return whole[: h.random.randrange(len(whole))], False


def _several(h: Hostility) -> tuple[bytes, bool]:
    return b"".join(h._well_formed() for _ in range(3)), False  # noqa: SLF001 - of this module.


_MALFORMED = [_wrong_length, _two_lengths, _chunks, _line, _header, _noise, _half, _several]


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
