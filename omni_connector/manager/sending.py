"""One call on its way to the manager: attempt after attempt, until it has an outcome."""

import contextlib
import logging
import time
from http import HTTPStatus
from queue import Empty, SimpleQueue
from typing import TypeVar

from omni_connector.exceptions import (
    ManagerUnreachableError,
    SdkClientError,
    ServiceOverloadedError,
)
from omni_connector.manager.calls import Call
from omni_connector.manager.means import Means, Owner
from omni_connector.manager.multipart import MultipartForm
from omni_connector.manager.pending import Pending
from omni_connector.manager.repeating import delay_after, with_attempts
from omni_connector.manager.retry import RetryPolicy
from omni_connector.manager.wire import Body, WireAnswer, WireError, WireRequest
from omni_connector.telemetry.log_context import call_in_run, current_run
from omni_connector.telemetry.spans import CallSpan, TraceHeaders

log = logging.getLogger(__name__)

T = TypeVar("T")

SLOWEST_BYTES_PER_SECOND = 100_000
"""A large body has more time than a small one."""
MAY_TRY, HAS_ENDED = True, False
OK_STATUS, UNREACHABLE = "200", "unreachable"
"""As a ``CallObserver`` learns of them."""


class Sending(Pending[T]):
    """One call on its way, and its outcome to come.

    Args:
        means: what all calls share.
        owner: what it belongs to.
        body: in place of the call's own, where thousands of calls differ in nothing else.

    Attributes:
        gate: what limits how many such calls are under way, or None.
        turns: of a call that a thread waits for: MAY_TRY for each attempt, HAS_ENDED at the end.
    """

    __slots__ = (
        "_attempt",
        "_began",
        "_body",
        "_call",
        "_failing",
        "_failing_since",
        "_form",
        "_headers",
        "_means",
        "_owner",
        "_run",
        "_size",
        "_span",
        "_started",
        "gate",
        "turns",
    )

    def __init__(
        self, means: Means, call: Call[T], owner: Owner, body: tuple[bytes, ...] | None = None
    ) -> None:
        super().__init__()
        self._call = call
        self.gate = means.gates.get(call.gate)
        self.turns: SimpleQueue[bool] | None = None
        self._means = means
        self._owner = owner
        self._body = body
        self._attempt = 0
        self._began = 0.0  # The first attempt ...
        self._started = 0.0  # ... and the last.
        self._failing = 0  # Answers with 500 in a row ...
        self._failing_since = 0.0  # ... and when the first of them came.
        self._form: MultipartForm | None = None
        self._size = 0  # Bytes of the body.
        self._run = current_run()  # Whose log lines those are that the threads of the wire write.
        self._span: CallSpan | None = None
        self._headers: TraceHeaders = ()
        if means.tracer is not None:
            is_upload, parent = call.gate == "uploads", owner.parent
            if is_upload and parent is not None and parent.skips_uploads:
                self._headers = parent.headers
            else:
                self._span = means.tracer.begin_call(call.method, call.endpoint, parent, is_upload=is_upload)
        owner.calls.add(self)
        means.open.add(self)

    @property
    def operation(self) -> str:
        """What it does, for messages."""
        return self._call.operation

    def enter(self, *, again: bool = False) -> None:
        """Wait for a turn, without blocking; ``again`` before those that have made no attempt yet."""
        if self._means.is_closed:
            self.stop("the client is closed")
        elif self.gate is None:
            self.begin()
        else:
            self.gate.enter(self, first=again)

    def begin(self) -> None:
        """Make an attempt, or let the thread make it that waits for the outcome; it has a place in the gate now."""
        if self.turns is None:
            self.attempt()
            return
        self.turns.put(MAY_TRY)
        if self.done():
            self.return_turns()

    def stop(self, reason: str) -> None:
        """Let it fail because it is not to be sent, unless it has an outcome already."""
        message = f"{self.operation}: not sent, because {reason}"
        self._end(SdkClientError(message, operation=self.operation))

    def return_turns(self) -> None:
        """Leave the gate for a turn that came too late to be used."""
        if self.turns is None or self.turns.empty():
            return
        with contextlib.suppress(Empty):
            while True:
                if self.turns.get_nowait():
                    self._leave()

    def attempt(self) -> None:
        """Make an attempt, with a place in the gate."""
        if self._owner.stop.is_set():
            self.stop("the run was stopped")
        if self._is_done:
            self._leave()
            return
        self._attempt += 1
        self._started = time.monotonic()
        self._began = self._began or self._started
        means = self._means
        answered = answer = None
        try:
            request = self._request()
            if self._call.is_stream:
                answered = means.streams.submit(request)
            elif self.turns is None:
                answered = means.wire.submit(request)
            else:
                answer = means.wire.carry(request)
        except WireError as failure:
            self._failed(self._unreachable(failure))
        except BaseException as error:  # noqa: BLE001 - a file that cannot be opened, or memory that is short.
            self._leave()
            self._end(error)
        else:
            if answered is not None:
                answered.add_done_callback(self._answered)
            elif answer is not None:
                self._took(answer)

    def _request(self) -> WireRequest:
        call, policies = self._call, self._means.policies
        body: Body = self._body
        if body is None:
            body = call.body if isinstance(call.body, tuple | None) else call.body()
        content_type, seconds = "application/json", policies.read_seconds
        if isinstance(body, tuple):
            self._size = sum(map(len, body))
        elif isinstance(body, MultipartForm):
            self._form, self._size = body, len(body)
            content_type, seconds = body.content_type, policies.extraction_read_seconds
        # In whole seconds, so that most requests have the same.
        seconds += self._size // SLOWEST_BYTES_PER_SECOND
        policy = policies.of(call.policy)
        if policy.is_deadline:
            seconds = max(0.1, min(seconds, policy.total_seconds - (self._started - self._began)))
        return WireRequest(
            method=call.method,
            path=call.path,
            body=body,
            content_type=content_type,
            seconds=seconds,
            owner=self._owner,
            stop=self._owner.stop,
            headers=self._headers if self._span is None else self._span.headers,
        )

    def _answered(self, answered: Pending[WireAnswer]) -> None:
        """Take the outcome of an attempt, in a thread of the wire."""
        failure = answered.exception()
        if failure is None:
            self._took(answered.result())
        else:
            self._failed(self._unreachable(failure))

    def _took(self, answer: WireAnswer) -> None:
        try:
            result = self._call.result_of(answer)
        except SdkClientError as error:
            self._failed(error)
            return
        except BaseException as error:  # Nothing that was taken is forgotten.
            log.exception("%s: the answer could not be read", self.operation)
            self._leave()
            self._end(error)
            return
        means = self._means
        if means.observer is not None:
            seconds = time.monotonic() - self._started
            means.observer.attempted(self._call.endpoint, OK_STATUS, seconds, self._size)
        self._leave(measured=True)
        presence = means.presence
        back = presence.is_in_doubt and call_in_run(self._run, presence.answered, means.waiting)
        if self.set_result(result) and self._span is not None:
            self._span.end(OK_STATUS, is_error=False)
        if back:
            means.clock.hasten()

    def _failed(self, error: SdkClientError) -> None:
        if self._is_done:  # The run was stopped: that is no fault of the manager's.
            self._leave()
            return
        call_in_run(self._run, self._repeat, error)

    def _repeat(self, error: SdkClientError) -> None:
        """Note that an attempt has failed, and let another follow if its policy says so."""
        means = self._means
        observer, reason = means.observer, UNREACHABLE if error.status is None else str(error.status)
        if observer is not None:
            seconds = time.monotonic() - self._started
            observer.attempted(self._call.endpoint, reason, seconds, self._size)
        if isinstance(error, ServiceOverloadedError) and self._call.gate != "extractions":
            means.uploads.overloaded()
        self._leave()
        means.presence.failed(error)
        policy = means.policies.of(self._call.policy)
        seconds = time.monotonic() - self._began
        delay = delay_after(error, self._attempt, policy)
        is_last = policy.attempts is not None and self._attempt >= policy.attempts
        if self._call.is_divisible:
            is_last = self._fails_for_long(error, policy, delay or 0.0) or is_last
        if delay is None or is_last or seconds + delay > policy.total_seconds or self._owner.stop.is_set():
            if observer is not None:
                observer.failed(self._call.endpoint, reason)
            self._end(with_attempts(error, self._attempt, seconds))
            return
        if observer is not None:
            observer.repeated(self._call.endpoint, reason)
        if self._span is not None:
            self._span.repeated(reason)
        log.debug("%s failed, attempt %d follows: %s", self.operation, self._attempt + 1, error)
        try:
            is_asked = isinstance(error, ServiceOverloadedError) and error.retry_after is not None
            can_hasten = error.status != HTTPStatus.INTERNAL_SERVER_ERROR and not is_asked
            means.clock.after(delay, self._again, can_hasten=can_hasten)
        except Exception:  # noqa: BLE001 - no thread can be started, or the client was closed: the call still gets its answer.
            self._end(error)

    def _fails_for_long(self, error: SdkClientError, policy: RetryPolicy, delay: float) -> bool:
        if error.status != HTTPStatus.INTERNAL_SERVER_ERROR:
            self._failing = 0
            return False
        now = time.monotonic()
        if not self._failing:
            self._failing_since = now
        self._failing += 1
        seconds = now + delay - self._failing_since
        return self._failing >= policy.failing_attempts or seconds > policy.failing_seconds

    def _again(self) -> None:
        """Try again, in the thread of the clock."""
        self.enter(again=True)

    def _end(self, error: BaseException) -> None:
        if self.set_exception(error) and self._span is not None:
            status = getattr(error, "status", None)
            self._span.end(type(error).__name__ if status is None else str(status), is_error=True)

    def _decide(self, result: T | None, error: BaseException | None) -> bool:
        is_decided_now = super()._decide(result, error)
        if is_decided_now:
            self._owner.calls.discard(self)
            self._means.open.discard(self)
            if self.turns is not None:
                self.turns.put(HAS_ENDED)
        return is_decided_now

    def _call_back(self) -> None:
        call_in_run(self._run, super()._call_back)

    def _leave(self, *, measured: bool = False) -> None:
        if self._form is not None:
            self._form.close()
            self._form = None
        if self.gate is not None:
            self.gate.leave(self._started if measured else None)

    def _unreachable(self, failure: BaseException) -> SdkClientError:
        operation = self.operation
        message = f"{operation}: no answer from the manager at {self._means.address} ({failure})"
        was_sent = not isinstance(failure, WireError) or failure.was_sent
        if was_sent and self._means.policies.of(self._call.policy).unless_sent:
            return SdkClientError(
                f"{message}; not repeated, because it may have arrived", operation=operation
            )
        return ManagerUnreachableError(message, operation=operation)
