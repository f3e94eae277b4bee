"""The wire that is always there: the connections of a ``requests`` session, used by threads.

A plain session is configured once and its requests go to urllib3 directly, which costs half of what ``requests`` does. A
session with hooks, parameters, cookies or an authentication of its own carries each request itself, over the same kind of
connections. Only a session with an adapter or a class of its own uses its own connections.
"""

import threading
import time
from collections.abc import Callable

import requests
import urllib3
from attrs import define

from omni_connector.forking import begins_anew
from omni_connector.manager.carriers import MOST_THREADS, PoolCarrier, SessionCarrier, carrier_of, reason_of
from omni_connector.manager.pending import Pending
from omni_connector.manager.pooled import Sending, sent_here
from omni_connector.manager.wire import WireAbortedError, WireAnswer, WireError, WireRequest
from omni_connector.pool import WorkerPool

WATCH_SECONDS = 0.2
"""How exactly deadlines are kept."""


@define(eq=False, kw_only=True)
class _Job(Sending):
    """A request that has no answer yet."""

    request: WireRequest
    deadline: float


class SessionWire:
    """Carries requests to one manager in threads; see ``wire.Wire``.

    Args:
        base_url: address of the manager, without a trailing slash.
        session: whose configuration is used; it stays its owner's.
        connect_seconds: longest wait for a new connection.

    Raises:
        OSError: a file with certificates cannot be read.
    """

    def __init__(self, base_url: str, session: requests.Session, *, connect_seconds: float = 5.0) -> None:
        self._base_url = base_url
        self._session = session
        self._connect_seconds = connect_seconds
        self._closed = False
        self._is_idle = False  # The watchdog waits for a job.
        self._threads: WorkerPool
        self._carrier: PoolCarrier | SessionCarrier | None
        self.after_fork()
        self._carrier = carrier_of(base_url, session, connect_seconds)
        begins_anew(self)

    def submit(self, request: WireRequest) -> Pending[WireAnswer]:
        """Send a request; see ``Wire.submit``."""
        return self._begin(request, in_a_thread=True).outcome

    def carry(self, request: WireRequest) -> WireAnswer:
        """Send a request from the calling thread; see ``Wire.carry``."""
        job = self._begin(request, in_a_thread=False)
        self._carry(job)
        return job.outcome.result()

    def abort(self, owner: object) -> None:
        """End the requests of ``owner``; see ``Wire.abort``."""
        self._break(lambda job: job.request.owner is owner, "aborted")

    def close(self) -> None:
        """End every request and release threads and connections."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            watchdog = self._watchdog
        self._break(lambda _: True, "the wire is closed")
        self._threads.close()
        if watchdog is not None:
            watchdog.join()
        if self._carrier is not None:
            self._carrier.close()

    # -- inside -------------------------------------------------------------------------------------------------

    def after_fork(self) -> None:
        """Make everything that belongs to one process: in a child, what the parent had is left alone."""
        self._changed = threading.Condition()  # Protects the following.
        self._jobs: set[_Job] = set()
        self._is_idle = False
        self._watchdog: threading.Thread | None = None
        self._threads = WorkerPool("omni-wire", MOST_THREADS)
        self._carrier = None  # Of a child: made with its first request.

    def _begin(self, request: WireRequest, *, in_a_thread: bool) -> _Job:
        job = _Job(request=request, deadline=time.monotonic() + request.seconds)
        with self._changed:
            self._jobs.add(job)
            if self._is_idle and not self._closed:
                self._is_idle = False
                self._changed.notify()
        try:
            if self._closed or (request.stop is not None and request.stop.is_set()):
                raise WireAbortedError(
                    f"not sent: {'the wire is closed' if self._closed else 'aborted'}", was_sent=False
                )
            self._watch()
            if in_a_thread:
                self._threads.submit(self._carry, job)
        except (RuntimeError, WireError) as error:  # The former: no thread can be started.
            self._end(job, error if isinstance(error, WireError) else WireError(str(error), was_sent=False))
        return job

    def _carry(self, job: _Job) -> None:
        """Send one request, in the thread of its caller or in one of ours."""
        if job not in self._jobs:
            return  # Ended while it waited.
        try:
            carrier = self._way()
            left = max(0.01, job.deadline - time.monotonic())
            with sent_here(job):
                answer = carrier.carry(job.request, left)
        except WireError as error:
            self._end(job, error)
        except (urllib3.exceptions.HTTPError, requests.RequestException, OSError, ValueError) as error:
            was_sent = job.was_sent or self._way().may_have_sent(error)
            self._end(job, WireError(reason_of(error, self._base_url), was_sent=was_sent))
        except BaseException as error:
            self._end(job, WireError(f"{type(error).__name__}: {error}", was_sent=True))
            if not isinstance(error, Exception):
                raise
        else:
            self._end(job, answer)

    def _way(self) -> "PoolCarrier | SessionCarrier":
        with self._changed:
            if self._carrier is None:
                self._carrier = carrier_of(self._base_url, self._session, self._connect_seconds)
            return self._carrier

    def _end(self, job: _Job, outcome: WireAnswer | WireError) -> None:
        with self._changed:
            if job not in self._jobs:
                return
            self._jobs.discard(job)
        if isinstance(outcome, WireError):
            job.outcome.set_exception(outcome)
        else:
            job.outcome.set_result(outcome)

    def _break(self, is_meant: Callable[[_Job], bool], reason: str) -> None:
        with self._changed:
            broken = [job for job in self._jobs if is_meant(job)]
        for job in broken:
            self._end(job, WireAbortedError(reason, was_sent=True))
            job.break_off()

    def _watch(self) -> None:
        if self._watchdog is None:
            with self._changed:
                if self._watchdog is None:
                    watchdog = threading.Thread(
                        target=self._keep_deadlines, name="omni-wire-watch", daemon=True
                    )
                    watchdog.start()
                    self._watchdog = watchdog

    def _keep_deadlines(self) -> None:
        """End what is overdue: a time-out of a socket does not help against a byte now and then."""
        while True:
            with self._changed:
                self._is_idle = not self._jobs
                if not self._closed:
                    self._changed.wait(None if self._is_idle else WATCH_SECONDS)
                self._is_idle = False
                if self._closed:
                    return
                now = time.monotonic()
                overdue = [job for job in self._jobs if job.deadline < now]
            for job in overdue:
                self._end(
                    job, WireError(f"no whole answer within {job.request.seconds:.1f} s", was_sent=True)
                )
                job.break_off()
