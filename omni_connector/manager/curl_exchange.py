"""One handle of libcurl, and what became of the request that it carried."""

import contextlib
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from http import HTTPStatus

import pycurl

from omni_connector.manager.curl_options import CurlOptions
from omni_connector.manager.curl_sockets import Sockets
from omni_connector.manager.pending import Pending
from omni_connector.manager.wire import WireAbortedError, WireAnswer, WireError, WireRequest
from omni_connector.telemetry.spans import TraceHeaders

FINAL, REFUSED = int(HTTPStatus.OK), int(HTTPStatus.MULTIPLE_CHOICES)
WANTS_PASSWORD = int(HTTPStatus.PROXY_AUTHENTICATION_REQUIRED)  # Looking a member up is slow.
EMPTY_LINES = (b"\r\n", b"\n")
LARGE_BODY_BYTES = 65536
BODILESS = frozenset({"GET", "DELETE"})


class Job(Pending[WireAnswer]):
    """A request, and its answer to come."""

    __slots__ = ("request",)

    def __init__(self, request: WireRequest) -> None:
        super().__init__()
        self.request = request

    def answer(self, outcome: WireAnswer | WireError) -> None:
        """Hand the outcome over."""
        if isinstance(outcome, WireError):
            self._decide(None, outcome)
        else:
            self._decide(outcome, None)


class Exchange:
    """A handle, which carries one request after the other.

    Attributes:
        curl: the handle.
        job: what it carries.
        was_sent: the request may have reached the manager.
        is_aborted: it is not to be sent any more.
    """

    def __init__(self, options: CurlOptions, sockets: Sockets) -> None:
        self.curl = pycurl.Curl()
        self.job: Job
        self.was_sent = False
        self.is_aborted = False
        self._options = options
        self._sockets = sockets
        self._fresh = False  # libcurl is asked for a new connection.
        self._refused = ""  # Why the request was not let out.
        self._streamed = False
        self._is_large = False
        self._head: tuple[str, str, str, TraceHeaders] | None = None  # Of the last request, as the seconds.
        self._seconds = 0.0
        self._lines: list[bytes] = []
        self._chunks: list[bytes] = []
        self._configure()

    def prepare(self, job: Job) -> None:
        """Set what differs from the last request.

        Raises:
            ValueError: the request cannot be sent.
        """
        self.job, request = job, job.request
        body, curl = request.body, self.curl
        if self._streamed or not (body is None or isinstance(body, tuple)):
            curl.reset()
            self._configure()
        self._begin(fresh=False)
        head = request.method, request.path, request.content_type, request.headers
        if head != self._head:
            self._set_head(request)
            self._head = head
        if request.seconds != self._seconds:
            curl.setopt(pycurl.TIMEOUT_MS, max(1, int(request.seconds * 1000)))
            self._seconds = request.seconds
        self._is_large = False
        if isinstance(body, tuple):
            data = body[0] if len(body) == 1 else b"".join(body)
            curl.setopt(pycurl.POSTFIELDS, data)
            self._is_large = len(data) > LARGE_BODY_BYTES
        elif body is None:
            self._set_no_body(request.method)
        else:
            self._streamed = True
            curl.setopt(pycurl.POST, 1)
            curl.setopt(pycurl.POSTFIELDSIZE_LARGE, len(body))
            curl.setopt(pycurl.READFUNCTION, self._read)

    def outcome(self, code: int, text: str) -> WireAnswer | WireError | None:
        """Return what came, or None when the request was not sent yet and the handle is to be added again.

        Args:
            code: of libcurl, 0 when the request went well.
            text: libcurl's words for it.
        """
        if self._refused and not self.was_sent and not self._fresh and not self.is_aborted:
            self._begin(fresh=True)
            return None
        status = self.curl.getinfo(pycurl.RESPONSE_CODE)
        by_proxy = status == WANTS_PASSWORD and self._options.forwards
        outcome: WireAnswer | WireError
        if self._has_answer(code, status) and not by_proxy:
            outcome = WireAnswer(status, Headers(self._lines.copy()), b"".join(self._chunks))
        else:
            outcome = WireError(self._reason(code, text, status), was_sent=self.was_sent and not by_proxy)
        self._lines.clear()
        self._chunks.clear()
        if self._is_large:  # Hold on to no large body while there is nothing to do.
            self.curl.setopt(pycurl.POSTFIELDS, b"")
        return outcome

    def close(self) -> None:
        """Free the handle."""
        self.curl.close()

    def _configure(self) -> None:
        self._streamed = self._fresh = False
        self._head = None
        self._seconds = 0.0
        self._options.apply(self.curl)
        self.curl.setopt(pycurl.PREREQFUNCTION, self._may_send)
        self.curl.setopt(pycurl.SOCKOPTFUNCTION, self._sockets.made)
        self.curl.setopt(pycurl.HEADERFUNCTION, self._lines.append)
        self.curl.setopt(pycurl.WRITEFUNCTION, self._chunks.append)

    def _begin(self, *, fresh: bool) -> None:
        if fresh is not self._fresh:
            self.curl.setopt(pycurl.FRESH_CONNECT, int(fresh))
            self._fresh = fresh
        self.was_sent = False
        self._refused = ""
        self._lines.clear()
        self._chunks.clear()

    def _set_head(self, request: WireRequest) -> None:
        more = tuple(f"{name}: {value}" for name, value in request.headers)
        head = "".join((request.path, request.method, request.content_type, *more))
        if not request.path.startswith("/") or not head.isascii() or not head.isprintable():
            raise ValueError(f"{request.method} {request.path!r} ({request.content_type}) cannot be sent")
        self.curl.setopt(pycurl.URL, self._options.base + request.path)
        self.curl.setopt(pycurl.CUSTOMREQUEST, request.method)
        content_type = b"Content-Type: " + request.content_type.encode("ascii")
        lines = (line.encode("ascii") for line in more)
        self.curl.setopt(pycurl.HTTPHEADER, [*self._options.headers, content_type, *lines])

    def _set_no_body(self, method: str) -> None:
        if method in BODILESS:
            self.curl.setopt(pycurl.HTTPGET, 1)
        else:
            self.curl.setopt(pycurl.POSTFIELDS, b"")

    def _may_send(self, _ip: str, _local_ip: str, _port: int, local_port: int) -> int:
        """Let the request out once: libcurl would send it again when a kept connection dies (``PREREQFUNCTION``)."""
        if self.is_aborted:
            self._refused = "aborted"
        elif self.was_sent:
            self._refused = "the connection was closed without an answer"
        elif not self._sockets.is_clean(local_port, fresh=self._fresh):
            self._refused = "bytes came before the request was sent"
        else:
            self.was_sent = True
            return pycurl.PREREQFUNC_OK
        return pycurl.PREREQFUNC_ABORT

    def _read(self, size: int) -> bytes | int:
        body = self.job.request.body
        try:
            return b"" if body is None or isinstance(body, tuple) else body.read(size)
        except Exception as error:  # noqa: BLE001 - libcurl would print it.
            self._refused = f"the body could not be read: {error}"
            return pycurl.READFUNC_ABORT

    def _has_answer(self, code: int, status: int) -> bool:
        """Return whether a whole answer came.

        libcurl takes an end of the connection among the headers for an empty body. And it finds fault with calls that were
        done, such as an upload that the answer cut short: a final status decides, and for a success that its body is whole.
        """
        lines = self._lines
        if not self.was_sent or status < FINAL or not lines:
            return False
        if lines[-1] not in EMPTY_LINES and not _is_head_whole(lines):
            return False
        if code == 0 or status >= REFUSED:
            return True
        expected = self.curl.getinfo(pycurl.CONTENT_LENGTH_DOWNLOAD_T)
        return bool(expected >= 0 and expected == self.curl.getinfo(pycurl.SIZE_DOWNLOAD_T))

    def _reason(self, code: int, text: str, status: int) -> str:
        proxy, asked = self._options.proxy, self.curl.getinfo(pycurl.HTTP_CONNECTCODE)
        if self._refused:
            return f"manager: {self._refused}"
        if not code and status < FINAL:
            return f"manager: answered {status}, which is no answer to this request"
        if proxy and status == WANTS_PASSWORD and self._options.forwards:
            asked = status
        if proxy and asked and not FINAL <= asked < REFUSED:
            remedy = "; does it need another user and password?" if asked == WANTS_PASSWORD else ""
            return f"proxy {proxy} answered {asked}{remedy}"
        if proxy and not self.was_sent and not asked:
            return f"proxy {proxy}: {text}"
        return f"manager: {text or 'the connection was closed in the middle of the answer'}"


class Carrier(Exchange):
    """A handle with a connection of its own, which is performed by the thread that waits for the answer.

    Attributes:
        used_at: ``time.monotonic()`` of the end of its last request.
    """

    def __init__(self, options: CurlOptions) -> None:
        self.used_at = 0.0
        self._open: set[int] = set()  # Its sockets ...
        self._lock = threading.Lock()  # ... of which none is closed while they are shut down.
        super().__init__(options, Sockets())

    def perform(self, job: Job) -> WireAnswer:
        """Send a request, and wait for its answer.

        Raises:
            WireError: there is none.
        """
        self.prepare(job)
        outcome = None
        while outcome is None:
            code, text = 0, ""
            try:
                self.curl.perform()
            except pycurl.error as error:
                number, text = error.args  # type: ignore[misc]  # The stubs know less.
                code = int(number)
            outcome = self.outcome(code, text)
        if self.is_aborted and isinstance(outcome, WireError):
            raise WireAbortedError("aborted", was_sent=self.was_sent)
        if isinstance(outcome, WireError):
            raise outcome
        return outcome

    def break_off(self) -> None:
        """Let the thread that performs it have an error; a look-up of the manager's name comes to its end first."""
        with self._lock:
            self.is_aborted = True
            for fd in self._open:
                # A copy, of whatever family it is.
                with (
                    contextlib.suppress(OSError),
                    socket.fromfd(fd, socket.AF_INET, socket.SOCK_STREAM) as copy,
                ):
                    copy.shutdown(socket.SHUT_RDWR)

    def _configure(self) -> None:
        super()._configure()
        self.curl.setopt(pycurl.SOCKOPTFUNCTION, self._opened)
        self.curl.setopt(pycurl.CLOSESOCKETFUNCTION, self._closed)

    def _opened(self, fd: int, purpose: int) -> int:
        with self._lock:
            self._open.add(fd)
        return self._sockets.made(fd, purpose)

    def _closed(self, fd: int) -> int:
        with self._lock:
            self._open.discard(fd)
            os.close(fd)
        return 0


def _is_head_whole(lines: list[bytes]) -> bool:
    """Return whether the final headers came to their end; libcurl takes the end of a connection for that, too."""
    for line in reversed(lines):
        if line in EMPTY_LINES:
            return True
        if line.startswith(b"HTTP/"):
            break
    return False


class Headers(Mapping[str, str]):
    """The headers of a final answer: neither those of a 103 before it, nor trailers behind it. Parsed when asked for."""

    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines
        self._found: dict[str, str] | None = None

    def __getitem__(self, name: str) -> str:
        return self._parsed()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parsed())

    def __len__(self) -> int:
        return len(self._parsed())

    def _parsed(self) -> dict[str, str]:
        if self._found is None:
            begun = max(at for at, line in enumerate(self._lines) if line.startswith(b"HTTP/"))
            self._found = {}
            for line in self._lines[begun + 1 :]:
                name, colon, value = line.decode("latin-1").partition(":")
                if not colon:  # The empty line at the end.
                    break
                self._found[name.strip().lower()] = value.strip()
        return self._found
