"""Sends one request as often as it takes: within the rate, with a deadline, and no longer than its run goes on.

How often, after which statuses and errors, and with which methods is a ``urllib3.Retry``'s to say. That ``Retry`` does not do the
repeating itself, because its waits cannot be interrupted, and because it has ended before the body is read: an answer that
breaks off in its body is repeated here as well.
"""

import logging
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests
import urllib3
from attrs import define
from urllib3 import Retry
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, ProtocolError, ReadTimeoutError

from omni_connector.manager.carriers import reason_of
from omni_connector.manager.pooled import sent_here
from omni_connector.masking import mask
from omni_connector.sources.attempts import Attempt, read_body, rewind
from omni_connector.sources.errors import ResponseTooLargeError, SourceTimeoutError, SourceUnreachableError
from omni_connector.sources.rates import RateGate, RequestRate
from omni_connector.sources.responses import SourceResponse
from omni_connector.sources.source_run import SourceRun
from omni_connector.sources.streams import Body

log = logging.getLogger(__name__)

SHORTEST_WAIT_SECONDS = 0.5
"""Before the first repeat."""
LONGEST_BACKOFF_SECONDS = 60.0
"""Between two attempts, where a rate limit does not say when it ends."""
RATE_LIMIT = "the rate limit of its source"
REPEAT = "a repeated request"

HOPELESS = (
    requests.exceptions.SSLError,
    requests.exceptions.InvalidURL,
    urllib3.exceptions.LocationValueError,
)
"""Certificates do not become valid, nor addresses, by asking again."""

_is_repeatable: ContextVar[bool] = ContextVar("_is_repeatable", default=False)


@contextmanager
def repeatable(is_so: bool) -> Iterator[None]:  # noqa: FBT001 - one flag, passed on.
    """Around requests that may be sent again although they may have been carried out."""
    token = _is_repeatable.set(is_so)
    try:
        yield
    finally:
        _is_repeatable.reset(token)


@define(eq=False, kw_only=True)
class Exchanges:
    """How the requests of one session are sent."""

    run: SourceRun
    rate: RequestRate | None
    retries: Retry
    connect_seconds: float
    read_seconds: float
    total_seconds: float
    patience_seconds: float = 0.0
    max_bytes: int | None = None

    def __attrs_post_init__(self) -> None:
        self.patience_seconds = self.run.patience_seconds


class _Adapter(Protocol):
    """Of the session."""

    def send_once(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a request once, and return the head of its answer."""
        ...


class Exchange:
    """One request and its repeats."""

    def __init__(
        self,
        exchanges: Exchanges,
        adapter: _Adapter,
        request: requests.PreparedRequest,
        *,
        stream: bool,
        timeout: Any,
        kwargs: dict[str, Any],
    ) -> None:
        self._settings = exchanges
        self._run = exchanges.run
        self._adapter = adapter
        self._request = request
        self._stream = stream
        self._timeout = timeout
        self._kwargs = kwargs
        parts = urlsplit(request.url or "")
        host = parts.hostname or ""
        self._place = parts.netloc.rpartition("@")[2]
        self._gate: RateGate = self._run.shared.gate(self._run.source_id, host)
        self._retries = exchanges.retries
        if _is_repeatable.get():
            self._retries = self._retries.new(allowed_methods=None)
        self._waited = 0.0
        self._limited = 0
        self._attempts = 0

    def answer(self) -> SourceResponse:
        """Return the answer."""
        while True:
            self._await_turn()
            self._run.raise_if_stopped()
            self._attempts += 1
            try:
                answer = self._attempt()
            except ResponseTooLargeError:
                raise
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                self._run.raise_if_stopped()  # Broken off.
                self._count_failure(error)
                pause = max(SHORTEST_WAIT_SECONDS, self._retries.get_backoff_time())
                self._log_repeat(reason_of(error, self._request.url or ""), pause)
                self._pause(pause, REPEAT)
                continue
            wait = self._wait_after(answer)
            if wait is None:
                return answer
            answer.close()
            if not answer.is_rate_limited:
                self._log_repeat(f"{answer.status_code} {answer.reason}", wait)
            self._pause(wait, RATE_LIMIT if answer.is_rate_limited else REPEAT)

    # -- waiting --------------------------------------------------------------------------------------------------

    def _await_turn(self) -> None:
        """Wait until the host allows another request, and the rate does."""
        while (left := self._gate.seconds_left) > 0:
            if self._waited + left > self._settings.patience_seconds:
                self._refuse(left)
            self._pause(left, RATE_LIMIT)
        if self._settings.rate is not None:
            wait = self._run.shared.spend(self._run.source_id, self._settings.rate)
            if wait > 0:
                self._run.wait(wait, RATE_LIMIT)

    def _log_repeat(self, reason: str, seconds: float) -> None:
        """Log the first repeat; without its query, which may hold anything."""
        if self._attempts == 1:
            path = urlsplit(self._request.url or "").path
            what = mask(f"{self._request.method} {self._place}{path}: {reason}")
            log.warning("%s, repeated in %.3g s, 1 of %s", what, seconds, self._settings.retries.total)

    def _pause(self, seconds: float, why: str) -> None:
        self._waited += seconds
        self._run.wait(seconds, why)

    def _refuse(self, seconds: float) -> None:
        """Raise RateLimitedError for a request that is not sent."""
        answer = SourceResponse()
        answer.status_code, answer.reason = HTTPStatus.TOO_MANY_REQUESTS, "by an earlier answer, and not sent"
        answer.request, answer.url = self._request, self._request.url or ""
        answer.headers["Retry-After"] = str(round(seconds))
        answer.raise_for_status()

    # -- one attempt ------------------------------------------------------------------------------------------------

    def _attempt(self) -> SourceResponse:
        attempt = self._last = Attempt()
        total = self._settings.total_seconds
        timer = threading.Timer(total, attempt.be_late)
        timer.daemon, timer.name = True, "omni-source-deadline"
        timer.start()
        forget = self._run.on_stop(attempt.break_off)
        try:
            with sent_here(attempt), self._run.alive(f"{self._request.method} {self._place}"):
                answer = SourceResponse.of(
                    self._adapter.send_once(self._request, timeout=self._time_outs(), **self._kwargs)
                )
                if not self._stream:
                    attempt.raw = answer.raw
                    read_body(answer, self._settings.max_bytes, time.monotonic() + total)
        finally:
            timer.cancel()
            forget()
        # A body whose end is that of its connection seems whole when it was broken off.
        self._run.raise_if_stopped()
        if attempt.is_late:
            answer.close()
            raise requests.ReadTimeout(request=self._request)
        if self._stream:
            answer.body = Body(self._run, answer.raw, self._request, self._settings.max_bytes, total)
        return answer

    def _time_outs(self) -> tuple[float | None, float | None]:
        """Return those for connecting and reading: of the call, or of the session."""
        settings, given = self._settings, self._timeout
        if given is None:
            return settings.connect_seconds, settings.read_seconds
        return given if isinstance(given, tuple) else (given, given)

    # -- what follows -----------------------------------------------------------------------------------------------

    def _wait_after(self, answer: SourceResponse) -> float | None:
        """Return how long to wait before the request is repeated; None when it is not."""
        limit = answer.rate_limit
        if answer.is_rate_limited:
            return self._wait_after_limit(limit.wait)
        if limit.is_exhausted and limit.reset is not None:
            self._gate.close_for(limit.reset)
        if not self._retries.is_retry(
            self._request.method or "GET", answer.status_code, limit.retry_after is not None
        ):
            return None
        try:
            self._retries = self._retries.increment(
                self._request.method, self._request.url, response=answer.raw
            )
        except MaxRetryError:
            answer.note = f"after {self._attempts} attempts"
            return None
        wait = max(SHORTEST_WAIT_SECONDS, self._retries.get_backoff_time(), limit.retry_after or 0.0)
        is_too_long = self._waited + wait > self._settings.patience_seconds
        return None if is_too_long or not rewind(self._request) else wait

    def _wait_after_limit(self, wished: float | None) -> float | None:
        """A refusal because of a rate limit was not carried out: it is repeated, whatever the method, for a while."""
        self._limited += 1
        backoff = min(LONGEST_BACKOFF_SECONDS, SHORTEST_WAIT_SECONDS * 2**self._limited)
        wait = max(wished or 0.0, backoff * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, guards nothing.
        self._gate.close_for(wait)
        is_allowed = self._retries.total is not False and self._retries.total != 0
        is_too_long = self._waited + wait > self._settings.patience_seconds
        return wait if is_allowed and not is_too_long and rewind(self._request) else None

    def _count_failure(self, error: Exception) -> None:
        """Return when the request may be repeated.

        Raises:
            SourceUnreachableError: it may not; says why.
        """
        attempt, method = self._last, self._request.method or "GET"
        # Whether it was sent is known exactly here; urllib3 would conclude it from the kind of the error.
        kind = ProtocolError("broken off") if attempt.was_sent else ConnectTimeoutError("not connected")
        note = ""
        try:
            if isinstance(error, HOPELESS) and not attempt.was_sent:
                raise kind
            self._retries = self._retries.increment(method, self._request.url, error=kind)
        except MaxRetryError:
            note = f" (after {self._attempts} attempts)" if self._attempts > 1 else ""
        except urllib3.exceptions.HTTPError:
            if attempt.was_sent:
                note = (
                    f". It is not repeated, because a {method} may have been carried out; pass repeat=True if that does "
                    "no harm"
                )
        else:
            if rewind(self._request):
                return
            note = ". It is not repeated, because its body cannot be read a second time"
        is_late = attempt.is_late or isinstance(error, requests.Timeout | ReadTimeoutError)
        total = self._settings.total_seconds
        late = f"timed out, no whole answer within {total:g} s" if attempt.is_late else "timed out"
        reason = late if is_late else reason_of(error, self._request.url or "")
        kind_of_error = SourceTimeoutError if is_late else SourceUnreachableError
        raise kind_of_error(self._request, reason + note, was_sent=attempt.was_sent) from error
