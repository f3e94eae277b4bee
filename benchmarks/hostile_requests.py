"""Makes hostile requests: whole ones with wrong values, and such as are no HTTP."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from typing import Any

from support.openapi import document


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
