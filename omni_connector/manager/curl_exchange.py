"""One handle of libcurl, and what became of the request that it carried."""

import logging
from concurrent.futures import Future, InvalidStateError
from typing import Any

import pycurl
from attrs import define, field

from omni_connector.manager.curl_options import CurlOptions
from omni_connector.manager.curl_sockets import Sockets
from omni_connector.manager.wire import WireAnswer, WireError, WireRequest

log = logging.getLogger(__name__)

FINAL, REFUSED, PROXY_ASKS = 200, 300, 407
LARGE_BODY_BYTES = 65536
BODILESS = frozenset({"GET", "DELETE"})


@define(eq=False)
class Job:
    """A request and the future of its answer."""

    request: WireRequest
    future: "Future[WireAnswer]" = field(factory=Future)

    def answer(self, outcome: WireAnswer | WireError) -> None:
        """Hand the outcome over; whatever a callback raises, the thread goes on, which carries everyone's requests."""
        try:
            if isinstance(outcome, WireAnswer):
                self.future.set_result(outcome)
            else:
                self.future.set_exception(outcome)
        except InvalidStateError:  # Cancelled.
            pass
        except BaseException:
            log.exception("A callback for %s %s failed", self.request.method, self.request.path)


class Exchange:
    """A handle, which carries one request after the other.

    Attributes:
        curl: the handle.
        job: what it carries.
        was_sent: the request may have reached the manager.
    """

    def __init__(self, options: CurlOptions, sockets: Sockets) -> None:
        self.curl = pycurl.Curl()
        self.job: Job
        self.was_sent = False
        self._options = options
        self._sockets = sockets
        self._fresh = False  # libcurl is asked for a new connection.
        self._refused = ""  # Why the request was not let out.
        self._streamed = False
        self._set: dict[int, object] = {}  # Options as they are, of those that differ between requests.
        self._lines: list[bytes] = []
        self._chunks: list[bytes] = []
        self._configure()

    def prepare(self, job: Job) -> None:
        """Set what differs from the last request.

        Raises:
            ValueError: the request cannot be sent.
        """
        self.job, request = job, job.request
        if not request.path.startswith("/") or not request.path.isascii():
            raise ValueError(f"{request.path!r} is not a quoted path")
        if self._streamed or not isinstance(request.body, tuple | None):
            self.curl.reset()
            self._configure()
        self._begin(fresh=False)
        self._option(pycurl.URL, self._options.base + request.path)
        self._option(pycurl.TIMEOUT_MS, max(1, int(request.seconds * 1000)))
        self._option(pycurl.HTTPHEADER, request.content_type)
        self._option(pycurl.CUSTOMREQUEST, request.method)
        self._set_body(request)

    def outcome(self, code: int, text: str) -> WireAnswer | WireError | None:
        """Return what came, or None when the request was not sent yet and the handle is to be added again.

        Args:
            code: of libcurl, 0 when the request went well.
            text: libcurl's words for it.
        """
        if self._refused and not self.was_sent and not self._fresh:
            self._begin(fresh=True)
            return None
        status = self.curl.getinfo(pycurl.RESPONSE_CODE)
        by_proxy = status == PROXY_ASKS and self._options.forwards
        # libcurl may find fault with a call that was done (an upload that was cut short by the answer to it,
        # trailing bytes): a final status decides, and for a success that all of its body came.
        has_answer = self.was_sent and status >= FINAL and not by_proxy
        if has_answer and (code == 0 or status >= REFUSED or self._is_whole()):
            headers = self._headers()
            if headers is not None:
                answer = WireAnswer(status, headers, b"".join(self._chunks))
                self._forget()
                return answer
        error = WireError(self._reason(code, text, status), was_sent=self.was_sent and not by_proxy)
        self._forget()
        return error

    def close(self) -> None:
        """Free the handle."""
        self.curl.close()

    def _configure(self) -> None:
        self._streamed = False
        self._set.clear()
        self._options.apply(self.curl)
        self.curl.setopt(pycurl.PREREQFUNCTION, self._may_send)
        self.curl.setopt(pycurl.SOCKOPTFUNCTION, self._sockets.made)
        self.curl.setopt(pycurl.HEADERFUNCTION, self._lines.append)
        self.curl.setopt(pycurl.WRITEFUNCTION, self._chunks.append)

    def _begin(self, *, fresh: bool) -> None:
        self._fresh = fresh
        self._option(pycurl.FRESH_CONNECT, int(fresh))
        self.was_sent = False
        self._refused = ""
        self._lines.clear()
        self._chunks.clear()

    def _option(self, option: int, value: Any) -> None:
        if self._set.get(option) != value:
            self._set[option] = value
            if option == pycurl.HTTPHEADER:
                value = [*self._options.headers, f"Content-Type: {value}".encode("ascii")]
            self.curl.setopt(option, value)

    def _set_body(self, request: WireRequest) -> None:
        curl, body = self.curl, request.body
        if isinstance(body, tuple) or (body is None and request.method not in BODILESS):
            parts = body or ()
            curl.setopt(pycurl.POSTFIELDS, parts[0] if len(parts) == 1 else b"".join(parts))
        elif body is None:
            curl.setopt(pycurl.HTTPGET, 1)
        else:
            self._streamed = True
            curl.setopt(pycurl.POST, 1)
            curl.setopt(pycurl.POSTFIELDSIZE_LARGE, len(body))
            curl.setopt(pycurl.READFUNCTION, self._read)

    def _may_send(self, _ip: str, _local_ip: str, _port: int, local_port: int) -> int:
        """Let the request out once: libcurl would send it again when a kept connection dies (``PREREQFUNCTION``)."""
        if self.was_sent:
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

    def _is_whole(self) -> bool:
        expected = self.curl.getinfo(pycurl.CONTENT_LENGTH_DOWNLOAD_T)
        return bool(expected >= 0 and expected == self.curl.getinfo(pycurl.SIZE_DOWNLOAD_T))

    def _headers(self) -> dict[str, str] | None:
        """Return the headers of the final answer: neither those of a 103 before it, nor trailers behind it.

        None when the connection ended among them; libcurl takes that for an empty body.
        """
        found: dict[str, str] = {}
        ended = False
        for line in self._lines:
            if line.startswith(b"HTTP/"):
                found, ended = {}, False
            elif line in {b"\r\n", b"\n"}:
                ended = True
            elif not ended:
                name, _, value = line.decode("latin-1").partition(":")
                found[name.strip().lower()] = value.strip()
        return found if ended else None

    def _reason(self, code: int, text: str, status: int) -> str:
        proxy, asked = self._options.proxy, self.curl.getinfo(pycurl.HTTP_CONNECTCODE)
        if self._refused:
            return f"manager: {self._refused}"
        if not code and status < FINAL:
            return f"manager: answered {status}, which is no answer to this request"
        if proxy and status == PROXY_ASKS and self._options.forwards:
            asked = status
        if proxy and asked and not FINAL <= asked < REFUSED:
            remedy = "; does it need another user and password?" if asked == PROXY_ASKS else ""
            return f"proxy {proxy} answered {asked}{remedy}"
        if proxy and not self.was_sent and not asked:
            return f"proxy {proxy}: {text}"
        return f"manager: {text or 'the connection was closed in the middle of the answer'}"

    def _forget(self) -> None:
        """Hold on to no body while there is nothing to do."""
        body = self.job.request.body
        self._lines.clear()
        self._chunks.clear()
        if isinstance(body, tuple) and sum(map(len, body)) > LARGE_BODY_BYTES:
            self.curl.setopt(pycurl.POSTFIELDS, b"")
