"""A manager that is not the bottleneck: it answers at once, or after a set latency, and counts.

Run as a process of its own (``python -m benchmarks.manager``); prints its port. It knows the answers that a run needs and
checks nothing. ``GET /bench/stats`` tells the number of requests by path and the CPU seconds that it has used.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from collections import Counter

try:
    import uvloop
except ImportError:  # Slower, but it works; the table says how fast the manager is.
    uvloop = None

OK = b'{"status":"ok"}'
CONTENT = b'{"content_id":"01K3CCCCCCCCCCCCCCCCCCCCCC"}'
CONFIG = json.dumps(
    {
        "config": {},
        "credentials": {},
        "connector_state": None,
        "checkpoint": None,
        "source_type": "web",
        "user_filter_mode": "all",
        "user_whitelist": None,
        "user_blacklist": None,
    }
).encode()


def answer(body: bytes) -> bytes:
    """Return a whole HTTP answer."""
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )


class Desk:
    """Serves ten contents at a time, each for some milliseconds, and knows how many were there on average."""

    def __init__(self, service_seconds: float) -> None:
        self._service_seconds = service_seconds
        self._places = asyncio.Semaphore(10)
        self._here = 0
        self._area = 0.0
        self._since = self._began = time.monotonic()

    def average(self) -> float:
        """Return how many contents were here, or on their way here and back."""
        self._count(0)
        return self._area / (time.monotonic() - self._began)

    async def serve(self, distance_seconds: float) -> None:
        """Take a content."""
        self._count(1)
        await asyncio.sleep(distance_seconds / 2)
        async with self._places:
            await asyncio.sleep(self._service_seconds)
        await asyncio.sleep(distance_seconds / 2)
        self._count(-1)

    def _count(self, change: int) -> None:
        now = time.monotonic()
        self._area += self._here * (now - self._since)
        self._here, self._since = self._here + change, now


class Manager(asyncio.Protocol):
    """One connection."""

    requests: Counter[str] = Counter()
    latency_seconds = 0.0
    desk: Desk | None = None

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._needed = 0  # Bytes of the request that is being read; 0 while its length is unknown.
        self._path = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every complete request."""
        self._buffer += data
        while True:
            if not self._needed:
                end = self._buffer.find(b"\r\n\r\n")
                if end < 0:
                    return
                head = bytes(self._buffer[:end])
                self._path = head.split(b" ", 2)[1]
                at = head.lower().find(b"content-length:")
                length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
                self._needed = end + 4 + length
            if len(self._buffer) < self._needed:
                return
            del self._buffer[: self._needed]
            self._needed = 0
            self._reply(self._path)

    def _reply(self, path: bytes) -> None:
        if path == b"/bench/stats":
            figures = {"requests": dict(self.requests), "cpu_seconds": time.process_time()}
            body = json.dumps(figures | {"in_air": self.desk.average() if self.desk else None}).encode()
            self._transport.write(answer(body))  # type: ignore[attr-defined]
            return
        if path.startswith(b"/bench/latency/"):
            Manager.latency_seconds = float(path.rsplit(b"/", 1)[1]) / 1000
            self.requests.clear()
            self._transport.write(answer(OK))  # type: ignore[attr-defined]
            return
        if path.startswith(b"/bench/desk/"):
            Manager.desk = Desk(float(path.rsplit(b"/", 1)[1]) / 1000)
            self._transport.write(answer(OK))  # type: ignore[attr-defined]
            return
        if path == b"/sdk/content" and self.desk is not None:
            served = asyncio.ensure_future(self.desk.serve(self.latency_seconds))
            served.add_done_callback(lambda _: self._transport.write(CONTENT_ANSWER))  # type: ignore[attr-defined]
            return
        if path == b"/sdk/content":
            reply = CONTENT_ANSWER
        elif path.endswith(b"/sync-config"):
            reply = CONFIG_ANSWER
        else:
            reply = OK_ANSWER
        self.requests[path.decode()] += 1
        if self.latency_seconds:
            asyncio.get_running_loop().call_later(self.latency_seconds, self._transport.write, reply)  # type: ignore[attr-defined]
        else:
            self._transport.write(reply)  # type: ignore[attr-defined]


OK_ANSWER, CONTENT_ANSWER, CONFIG_ANSWER = answer(OK), answer(CONTENT), answer(CONFIG)


async def main() -> None:
    """Serve, without TLS and with the certificate of the first argument, until the standard input closes."""
    loop = asyncio.get_running_loop()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[1])
    plain = await loop.create_server(Manager, "127.0.0.1", 0, backlog=512)
    tls = await loop.create_server(Manager, "127.0.0.1", 0, backlog=512, ssl=context)
    print(*(server.sockets[0].getsockname()[1] for server in (plain, tls)), flush=True)  # noqa: T201 - the parent reads it.
    await loop.run_in_executor(None, sys.stdin.read)
    plain.close()
    tls.close()


if __name__ == "__main__":
    if uvloop is not None:
        uvloop.run(main())
    else:
        asyncio.run(main())
