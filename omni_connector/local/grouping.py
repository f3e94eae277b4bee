"""Requests that a server answers many at a time and without WSGI, in the thread that reads them.

Handing a small request to another thread, and making an environment and headers for it, costs several times what there
is to do for it; and what many of them store fits into one transaction. This extends waitress where it lets its users do so:
the dispatcher, ``channel_class`` and ``task_class``. Keeping connections alive, order and errors stay its business.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol
from wsgiref.handlers import format_date_time

from waitress.channel import HTTPChannel
from waitress.task import Task, WSGITask

from omni_connector.local.errors import StoreBusyError
from omni_connector.local.request_parser import Request

log = logging.getLogger(__name__)

LARGEST_GROUP = 64
BYTES_IN_LOOP = 512 * 1024
"""Bodies of a group that may keep all other connections waiting."""


class Together(Protocol):
    """Answers requests of one kind together."""

    def wants(self, target: str, headers: dict[str, str]) -> bool:
        """Return whether a POST request is of that kind; called by the thread that reads all sockets.

        Args:
            target: path and query, as sent.
            headers: by name in capitals, with underscores.
        """
        ...

    def answer(self, bodies: list[bytes], *, wait: bool) -> list[bytes | None]:
        """Return the body of each answer, or None for what the application is to answer.

        Raises ``StoreBusyError`` where ``wait`` is false and it would have to wait for another thread.
        """
        ...

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Headers of the answers, beside their length and date."""
        ...


class Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types.
    """A connection, whose next request may have been answered already."""

    parser_class = Request
    answer: bytes | None = None
    """The whole answer to the first of ``requests``."""

    def reply(self, answer: bytes) -> None:
        """Send the answer to the first of ``requests``."""
        sent, connection = 0, self.socket
        is_alone = not self.total_outbufs_len and self.request is None and len(self.requests) == 1
        if is_alone and self.connected and connection is not None:
            with self.outbuf_lock, contextlib.suppress(OSError):
                sent = connection.send(answer)
        if sent == len(answer):
            self.requests.pop().close()  # pyright: ignore[reportAttributeAccessIssue]  # A list.
            self.last_activity = time.time()
            self.server.pull_trigger()
        else:  # Waitress knows what to do.
            self.answer = answer[sent:]
            _serve(self)

    @property
    def task_class(self) -> type[Task]:  # pyright: ignore[reportIncompatibleVariableOverride]  # Waitress only reads it.
        """What ``service`` does: pass the answer on, or call the application."""
        return WSGITask if self.answer is None else _Answered


class _Answered(Task):  # type: ignore[misc]
    """Passes a prepared answer on."""

    def service(self) -> None:
        """Send it."""
        channel: Any = self.channel
        answer, channel.answer = channel.answer, None
        self.wrote_header = True
        channel.write_soon(answer)


class Grouping:
    """Answers what comes together: in the thread that reads all sockets, or in another one where that takes long.

    Args:
        together: answers.
        run: has a connection's next request answered by the application.
        name: what the thread is called.
    """

    def __init__(self, together: Together, run: Callable[[Channel], None], name: str) -> None:
        self._together = together
        self._run = run
        self._head = "".join(f"{name}: {value}\r\n" for name, value in together.headers)
        self._waiting: deque[Channel] = deque()
        self._news = threading.Event()
        self._is_busy = False  # Whether what comes is for the thread.
        self._is_ending = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def takes(self, channel: Channel) -> bool:
        """Take the next request of a connection, if it is of the kind."""
        request: Any = channel.requests[0]  # The stubs know less of it than there is.
        wanted = (
            request.error is None
            and request.command == "POST"
            and request.version == "1.1"
            and not request.connection_close
            and self._together.wants(request.request_uri, request.headers)
        )
        if wanted:
            self._waiting.append(channel)
            if self._is_busy:
                self._news.set()
        return wanted

    def answer(self) -> None:
        """Answer what was taken; called by the thread that reads all sockets, when it has read them."""
        while self._waiting and not self._is_busy:
            group = self._next()
            if not self._is_answered_now(group):
                self._is_busy = True
                self._waiting.extendleft(reversed(group))
                self._news.set()

    def end(self) -> None:
        """End after what was taken."""
        self._is_ending = True
        self._news.set()
        self._thread.join()

    def _work(self) -> None:
        """Life of the thread."""
        while True:
            self._news.wait()
            self._news.clear()
            is_ending = self._is_ending  # Before looking, so that what came until then is answered.
            while group := self._next():
                self._answer(group, wait=True)
            self._is_busy = False
            if is_ending:
                return

    def _is_answered_now(self, group: list[Channel]) -> bool:
        """Answer a group unless that takes long."""
        if sum(channel.requests[0].content_length for channel in group) > BYTES_IN_LOOP:
            return False
        try:
            self._answer(group, wait=False)
        except StoreBusyError:
            return False
        return True

    def _next(self) -> list[Channel]:
        """Return the requests that are answered next."""
        group: list[Channel] = []
        with contextlib.suppress(IndexError):
            while len(group) < LARGEST_GROUP:
                group.append(self._waiting.popleft())
        return group

    def _answer(self, group: list[Channel], *, wait: bool) -> None:
        requests: list[Any] = [channel.requests[0] for channel in group]
        bodies = [request.whole_body() for request in requests]
        try:
            answers = self._together.answer(bodies, wait=wait)
        except StoreBusyError:
            raise
        except Exception:
            log.exception("Requests could not be answered together; each is tried alone")
            answers = [None] * len(group)
        date = format_date_time(time.time())
        for channel, answer in zip(group, answers, strict=True):
            if answer is None:
                self._run(channel)
            else:
                head = f"HTTP/1.1 200 OK\r\n{self._head}Content-Length: {len(answer)}\r\nDate: {date}\r\n\r\n"
                channel.reply(head.encode("latin-1") + answer)


def _serve(channel: Channel) -> None:
    try:
        channel.service()
    except Exception:  # As in waitress's own threads: the others go on.
        log.exception("An answer could not be sent")
