"""Sends calls over the wire, as many at once as help, and repeats them as their policy says."""

import contextlib
import logging
import threading
import time
from collections import Counter
from http import HTTPStatus
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from attrs import define, field

from omni_connector.exceptions import (
    ManagerUnreachableError,
    SdkClientError,
    ServiceOverloadedError,
)
from omni_connector.forking import begins_anew
from omni_connector.manager.calls import Call, NoSuccessError
from omni_connector.manager.clock import Clock
from omni_connector.manager.first_event import FirstEvents
from omni_connector.manager.gate import Gate, Permits, SharedGate
from omni_connector.manager.limit import AdaptiveLimit
from omni_connector.manager.multipart import MultipartForm
from omni_connector.manager.pending import Pending
from omni_connector.manager.presence import Presence
from omni_connector.manager.refusals import LASTING
from omni_connector.manager.retry import RETRIED_STATUSES, UNHANDLED_STATUSES, Policies, RetryPolicy
from omni_connector.manager.wire import Body, Wire, WireAnswer, WireError, WireRequest
from omni_connector.telemetry.call_observer import CallObserver
from omni_connector.telemetry.log_context import current_run, enter_run, leave_run
from omni_connector.telemetry.spans import CallSpan, CallTracer

log = logging.getLogger(__name__)

T = TypeVar("T")

PARALLEL_EXTRACTIONS = 2
SLOWEST_BYTES_PER_SECOND = 100_000
"""A large body has more time than a small one."""
MAY_TRY, HAS_ENDED = True, False
OK_STATUS, UNREACHABLE = "200", "unreachable"
"""As a ``CallObserver`` learns of them."""


@define(eq=False)
class Owner:
    """What calls belong to, such as a run, and ends them.

    Attributes:
        stop: no call is sent once it is set.
        calls: those that have no outcome yet; adding and discarding are atomic.
        span: below which they are traced, where the thread that makes them has none.
    """

    stop: threading.Event = field(factory=threading.Event)
    calls: "set[Sending[Any]]" = field(factory=set)
    span: object | None = None


class _Extractions:
    """Two at once in a process, whatever it asks how many managers (PROTOCOL, section 21); a child has two of its own."""

    def __init__(self) -> None:
        self.after_fork()
        begins_anew(self)

    def after_fork(self) -> None:
        self.gate = Gate(AdaptiveLimit(PARALLEL_EXTRACTIONS))


_extractions = _Extractions()


class Sender:
    """The way of all calls to one manager. ``close`` it. Safe to use from many threads, and after a fork.

    Args:
        wire: carries single requests ...
        streams: ... but for those whose answer has no end.
        address: of the manager, as messages show it.
        policies: when calls are repeated, and how long answers are waited for.
        parallel_uploads: fixes the number of contents that are uploaded at once; left out, it adapts.

    Attributes:
        observer: learns of every request, if there is one.
        tracer: lets calls belong to traces, if there is one.
    """

    def __init__(
        self,
        wire: Wire,
        streams: FirstEvents,
        address: str,
        policies: Policies,
        *,
        parallel_uploads: int | None = None,
    ) -> None:
        self.wire = wire
        self.streams = streams
        self.address = address
        self.policies = policies
        self.presence = Presence(address)
        self.observer: CallObserver | None = None
        self.tracer: CallTracer | None = None
        self._parallel_uploads = parallel_uploads
        self._closed = False
        self._shared_extractions: SharedGate | None = None
        self.after_fork()
        begins_anew(self)

    def send(self, call: Call[T], owner: Owner) -> Pending[T]:
        """Begin a call, which never blocks for the network.

        Returns:
            What the answer says, to come, or the SdkClientError after the last attempt.
        """
        sending = Sending(self, call, owner)
        sending.enter()
        return sending.outcome

    def call(self, call: Call[T], owner: Owner) -> T:
        """Make a call in this thread: wait for its turn, and carry each attempt.

        Raises:
            SdkClientError: the last attempt failed.
        """
        sending = Sending(self, call, owner)
        turns = sending.turns = SimpleQueue()
        sending.enter()
        try:
            while not sending.outcome.done():
                if turns.get():
                    sending.attempt()
        finally:
            if not sending.outcome.done():
                sending.end(sending.stopped("its thread was interrupted"))
            sending.return_turns()
        return sending.outcome.result()

    def waiting(self) -> str:
        """Return which calls have no outcome yet, such as ``12 store_content, 1 send_events``."""
        counts = Counter(sending.call.operation for sending in list(self.open))
        return ", ".join(f"{count} {operation}" for operation, count in counts.most_common()) or "nothing"

    @property
    def is_closed(self) -> bool:
        """No call is begun any more."""
        return self._closed

    def abort(self, owner: Owner) -> None:
        """End the calls of an owner at once, whose ``stop`` was set before."""
        for sending in list(owner.calls):
            sending.end(sending.stopped("the run was stopped"))
        self.wire.abort(owner)

    def share_extractions(self, permits: Permits) -> None:
        """Extract only what has a permit, too: other processes of the connector extract as well."""
        self._shared_extractions = SharedGate(_extractions.gate, permits)

    def close(self) -> None:
        """End everything."""
        self._closed = True
        if self._shared_extractions is not None:
            self._shared_extractions.close()
        self.clock.close()
        for sending in list(self.open):
            sending.end(sending.stopped("the client is closed"))
        self.wire.close()
        self.streams.close()

    def after_fork(self) -> None:
        """Begin anew: what the parent has under way stays the parent's."""
        self.open: set[Sending[Any]] = set()  # Adding and discarding are atomic.
        self.clock = Clock("omni-retry")
        self.uploads = Gate(AdaptiveLimit(self._parallel_uploads))

    def gate_of(self, call: Call[Any]) -> Gate | SharedGate | None:
        """Return what limits a call, if anything does."""
        if not call.gate:
            return None
        return self.uploads if call.gate == "uploads" else self._shared_extractions or _extractions.gate


class Sending(Generic[T]):
    """One call on its way: attempt after attempt, until it has an outcome.

    Attributes:
        outcome: to come.
        gate: what limits how many such calls are under way, or None.
        turns: of a call that a thread waits for: MAY_TRY for each attempt, HAS_ENDED at the end.
    """

    __slots__ = (
        "_attempt",
        "_began",
        "_failing",
        "_failing_since",
        "_form",
        "_run",
        "_size",
        "_span",
        "_started",
        "call",
        "gate",
        "outcome",
        "owner",
        "sender",
        "turns",
    )

    def __init__(self, sender: Sender, call: Call[T], owner: Owner) -> None:
        self.sender = sender
        self.call = call
        self.owner = owner
        self.gate = sender.gate_of(call)
        self.outcome: Pending[T] = Pending()
        self.turns: SimpleQueue[bool] | None = None
        self._attempt = 0
        self._began = 0.0  # The first attempt ...
        self._started = 0.0  # ... and the last.
        self._failing = 0  # Answers with 500 in a row ...
        self._failing_since = 0.0  # ... and when the first of them came.
        self._form: MultipartForm | None = None
        self._size = 0  # Bytes of the body.
        self._run = current_run()  # Whose log lines those are that the threads of the wire write.
        tracer = sender.tracer
        self._span: CallSpan | None = None
        if tracer is not None:
            is_upload = call.gate == "uploads"
            self._span = tracer.begin_call(call.method, call.endpoint, owner.span, is_upload=is_upload)
        owner.calls.add(self)
        sender.open.add(self)

    def enter(self, *, again: bool = False) -> None:
        """Wait for a turn, without blocking; ``again`` before those that have made no attempt yet."""
        if self.sender.is_closed:
            self.end(self.stopped("the client is closed"))
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
        if self.outcome.done():
            self.return_turns()

    def end(self, error: BaseException) -> None:
        """Let it fail, unless it has an outcome already."""
        if self.outcome.set_exception(error):
            if self._span is not None:
                status = getattr(error, "status", None)
                self._span.end(type(error).__name__ if status is None else str(status), is_error=True)
            self._ended()

    def return_turns(self) -> None:
        """Leave the gate for a turn that came too late to be used."""
        if self.turns is None or self.turns.empty():
            return
        with contextlib.suppress(Empty):
            while True:
                if self.turns.get_nowait():
                    self._leave()

    def stopped(self, reason: str) -> SdkClientError:
        """Return the error of a call that is not sent."""
        operation = self.call.operation
        return SdkClientError(f"{operation}: not sent, because {reason}", operation=operation)

    def attempt(self) -> None:
        """Make an attempt, with a place in the gate."""
        if self.owner.stop.is_set():
            self.end(self.stopped("the run was stopped"))
        if self.outcome.done():
            self._leave()
            return
        self._attempt += 1
        self._started = time.monotonic()
        self._began = self._began or self._started
        answered = answer = None
        try:
            request = self._request()
            if self.call.is_stream:
                answered = self.sender.streams.submit(request)
            elif self.turns is None:
                answered = self.sender.wire.submit(request)
            else:
                answer = self.sender.wire.carry(request)
        except WireError as failure:
            self._failed(self._unreachable(failure))
        except BaseException as error:  # noqa: BLE001 - a file that cannot be opened, or memory that is short.
            self._leave()
            self.end(error)
        else:
            if answered is not None:
                answered.add_done_callback(self._answered)
            elif answer is not None:
                self._took(answer)

    def _request(self) -> WireRequest:
        call, policies = self.call, self.sender.policies
        body: Body = call.body if isinstance(call.body, tuple | None) else call.body()
        content_type = "application/json"
        if isinstance(body, MultipartForm):
            self._form, content_type = body, body.content_type
        length = sum(map(len, body)) if isinstance(body, tuple) else 0 if body is None else len(body)
        self._size = length
        seconds = policies.read_seconds if self._form is None else policies.extraction_read_seconds
        seconds += length / SLOWEST_BYTES_PER_SECOND
        policy = policies.of(call.policy)
        if policy.is_deadline:
            seconds = max(0.1, min(seconds, policy.total_seconds - (self._started - self._began)))
        return WireRequest(
            method=call.method,
            path=call.path,
            body=body,
            content_type=content_type,
            seconds=seconds,
            owner=self.owner,
            stop=self.owner.stop,
            headers=() if self._span is None else self._span.headers,
        )

    def _answered(self, answered: Pending[WireAnswer]) -> None:
        """Take the outcome of an attempt, in a thread of the wire."""
        token = enter_run(self._run)
        try:
            failure = answered.exception()
            if failure is None:
                self._took(answered.result())
            else:
                self._failed(self._unreachable(failure))
        finally:
            leave_run(token)

    def _took(self, answer: WireAnswer) -> None:
        try:
            result = self.call.result_of(answer)
        except SdkClientError as error:
            self._failed(error)
        except BaseException as error:  # Nothing that was taken is forgotten.
            log.exception("%s: the answer could not be read", self.call.operation)
            self._leave()
            self.end(error)
        else:
            if self.sender.observer is not None:
                self._observe(self.sender.observer, OK_STATUS)
            self._leave(measured=True)
            back = self.sender.presence.answered(self.sender.waiting)
            if self.outcome.set_result(result):
                if self._span is not None:
                    self._span.end(OK_STATUS, is_error=False)
                self._ended()
            if back:
                self.sender.clock.hasten()

    def _failed(self, error: SdkClientError) -> None:
        if self.outcome.done():  # The run was stopped: that is no fault of the manager's.
            self._leave()
            return
        observer, reason = self.sender.observer, UNREACHABLE if error.status is None else str(error.status)
        if observer is not None:
            self._observe(observer, reason)
        if isinstance(error, ServiceOverloadedError) and self.call.gate != "extractions":
            self.sender.uploads.overloaded()
        self._leave()
        self.sender.presence.failed(error)
        policy = self.sender.policies.of(self.call.policy)
        seconds = time.monotonic() - self._began
        delay = _delay(error, self._attempt, policy)
        is_last = policy.attempts is not None and self._attempt >= policy.attempts
        if self.call.is_divisible:
            is_last = self._fails_for_long(error, policy, delay or 0.0) or is_last
        if delay is None or is_last or seconds + delay > policy.total_seconds or self.owner.stop.is_set():
            if observer is not None:
                observer.failed(self.call.endpoint, reason)
            self.end(_with_attempts(error, self._attempt, seconds))
            return
        if observer is not None:
            observer.repeated(self.call.endpoint, reason)
        if self._span is not None:
            self._span.repeated(reason)
        log.debug("%s failed, attempt %d follows: %s", self.call.operation, self._attempt + 1, error)
        try:
            is_asked = isinstance(error, ServiceOverloadedError) and error.retry_after is not None
            can_hasten = error.status != HTTPStatus.INTERNAL_SERVER_ERROR and not is_asked
            self.sender.clock.after(delay, self._again, can_hasten=can_hasten)
        except Exception:  # noqa: BLE001 - no thread can be started, or the client was closed: the call still gets its answer.
            self.end(error)

    def _observe(self, observer: CallObserver, status: str) -> None:
        seconds = time.monotonic() - self._started
        observer.attempted(self.call.endpoint, status, seconds, self._size)

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
        token = enter_run(self._run)
        try:
            self.enter(again=True)
        finally:
            leave_run(token)

    def _ended(self) -> None:
        self.owner.calls.discard(self)
        self.sender.open.discard(self)
        if self.turns is not None:
            self.turns.put(HAS_ENDED)

    def _leave(self, *, measured: bool = False) -> None:
        form, self._form = self._form, None
        if form is not None:
            form.close()
        if self.gate is not None:
            self.gate.leave(self._started if measured else None)

    def _unreachable(self, failure: BaseException) -> SdkClientError:
        operation = self.call.operation
        message = f"{operation}: no answer from the manager at {self.sender.address} ({failure})"
        was_sent = not isinstance(failure, WireError) or failure.was_sent
        if was_sent and self.sender.policies.of(self.call.policy).unless_sent:
            return SdkClientError(
                f"{message}; not repeated, because it may have arrived", operation=operation
            )
        return ManagerUnreachableError(message, operation=operation)


def _delay(error: SdkClientError, attempt: int, policy: RetryPolicy) -> float | None:
    """Return the seconds until the next attempt, or None where none makes sense."""
    if isinstance(error, LASTING):
        return None
    if isinstance(error, ServiceOverloadedError):
        return policy.delay_seconds(attempt, error.retry_after)
    if isinstance(error, NoSuccessError):
        return None if policy.unless_sent else policy.delay_seconds(attempt, None)
    repeated = UNHANDLED_STATUSES if policy.unless_sent else RETRIED_STATUSES
    if isinstance(error, ManagerUnreachableError) or error.status in repeated:
        return policy.delay_seconds(attempt, None)
    return None


def _with_attempts(error: SdkClientError, attempts: int, seconds: float) -> SdkClientError:
    """Say how often it was tried."""
    error.attempts = attempts
    if attempts > 1:
        error.args = (f"{error} (tried {attempts} times in {seconds:.1f} s)",)
    return error
