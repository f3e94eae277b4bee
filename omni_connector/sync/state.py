"""The state of one run: what may still be taken from its connector, and what may still be sent to the manager.

Every question "may I still?" is answered here; the table of what each operation does in each state is in
docs/explanation/architecture.md.
"""

import enum
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from omni_connector.exceptions import (
    SdkClientError,
    SyncCancelledError,
    SyncFinishedError,
    SyncInterruptedError,
)

log = logging.getLogger(__name__)


class Phase(enum.Enum):
    """Where a run stands."""

    OPEN = "open"
    """It takes documents and sends them."""

    DRAINING = "draining"
    """It takes nothing more and sends what it has: the process shuts down, or the run is about to end."""

    FENCED = "fenced"
    """It was cancelled, or is over at the manager: nothing of it may reach the manager any more."""

    ENDED = "ended"
    """Its final call was made, or its thread has ended."""


class Fence(threading.Event):
    """Set when nothing of a run may reach the manager any more.

    Attributes:
        is_assured: says whether the run is still this process's, where another could have it; asked before each request, and
            quick as a rule.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_assured: Callable[[], bool] | None = None
        self._was_set = False

    def set(self) -> None:
        """Set it, for good."""
        self._was_set = True
        super().set()

    def is_set(self) -> bool:
        """Say whether it was set, or another process has the run. Called several times for each document."""
        return self._was_set or (self.is_assured is not None and not self.is_assured())


class RunState:
    """The state of one run. Safe to use from many threads.

    Attributes:
        stopped: set when the connector should stop, by a cancellation or by the shutdown of the process.
        fence: set by a cancellation, and when another process has the run.
        is_open: the connector may go on; one look for each document, so it is kept and not found out.
    """

    def __init__(self, sync_run_id: str) -> None:
        self.sync_run_id = sync_run_id
        self.stopped = threading.Event()
        self.fence = Fence()
        self.is_open = True
        self._lock = threading.Lock()  # Protects the following.
        self._error: SyncCancelledError | None = None
        self._is_winding_down = False
        self._is_ending = False
        self._is_closed = False
        self._outcome: str | None = None
        self._callbacks: dict[object, Callable[[], object]] = {}
        self._final_call = threading.Lock()  # Held during the final call, so that nothing overtakes it.
        self._is_answered = False
        self.before_final: Callable[[], object] = _nothing
        """Called right before the final call. The manager may start the source's next run while that call is still being
        answered, so the slot has to be free by then."""

    # -- questions ------------------------------------------------------------------------------------------------

    @property
    def phase(self) -> Phase:
        """Where the run stands."""
        if self._outcome is not None or self._is_closed:
            return Phase.ENDED
        if self.fence.is_set():
            return Phase.FENCED
        if self._is_ending or self.stopped.is_set():
            return Phase.DRAINING
        return Phase.OPEN

    @property
    def may_send(self) -> bool:
        """What was taken may be sent."""
        return self.phase in {Phase.OPEN, Phase.DRAINING}

    @property
    def outcome(self) -> str | None:
        """``completed`` or ``failed`` when the manager has accepted it, or None."""
        return self._outcome if self._is_answered else None

    @property
    def has_ended(self) -> bool:
        """A final call was made, or is being made."""
        return self._outcome is not None

    @property
    def reason(self) -> str:
        """Why the run stops; empty while it does not."""
        if self._error is not None:
            return self._error.reason
        return "another process has it" if self.fence.is_set() else ""

    def require_open(self) -> None:
        """Let the connector go on, or tell it why not.

        Raises:
            SyncFinishedError: the run has ended, or is about to.
            SyncCancelledError: it was cancelled.
            SyncInterruptedError: the process shuts down.
        """
        if self.is_open:
            return
        if self._outcome is not None:
            raise SyncFinishedError(self.sync_run_id, self._outcome)
        self.raise_if_stopped()
        raise SyncFinishedError(self.sync_run_id, "ending" if not self._is_closed else "left to the manager")

    def raise_if_stopped(self) -> None:
        """Raise the error that stops the connector.

        Raises:
            SyncCancelledError: the run was cancelled.
            SyncInterruptedError: the process shuts down.
        """
        is_fenced = self.fence.is_set()  # Perhaps before ``cancel`` is called: another process has the run.
        if not (self.stopped.is_set() or is_fenced):
            return
        if isinstance(self._error, SyncInterruptedError) and not is_fenced:
            raise SyncInterruptedError(self.sync_run_id)
        raise SyncCancelledError(self.sync_run_id, self.reason)

    def raise_if_fenced(self) -> None:
        """As ``raise_if_stopped``, but let a shutdown pass: what was taken is still delivered then."""
        if self.fence.is_set():
            self.raise_if_stopped()

    def naming_cancellation(self) -> "NamingCancellation":
        """Around a call to the manager: one that a cancellation breaks off is not reported as a manager that is away.

        Raises:
            SyncCancelledError: in place of an SdkClientError of a run that is cancelled.
        """
        return NamingCancellation(self)

    # -- changes --------------------------------------------------------------------------------------------------

    def cancel(self, reason: str = "cancelled by the manager") -> None:
        """Stop and fence the run. A cancellation also overrides an earlier shutdown."""
        with self._lock:
            self.fence.set()
            self._error = SyncCancelledError(self.sync_run_id, reason)
        self._wake()

    def interrupt(self) -> None:
        """Stop the run because the process shuts down; what it has taken is still delivered."""
        with self._lock:
            if self._error is None:
                self._error = SyncInterruptedError(self.sync_run_id)
        self._wake()

    def wind_down(self) -> None:
        """Let the run go on to its next checkpoint, and interrupt it there: the process shuts down."""
        self._is_winding_down = True

    def reached_checkpoint(self) -> None:
        """A checkpoint was saved: a run that winds down stops here."""
        if self.is_winding_down:
            self.interrupt()

    @property
    def is_winding_down(self) -> bool:
        """It goes on to its next checkpoint only."""
        return self._is_winding_down

    def begin_end(self) -> None:
        """Take nothing more from now on, so that nothing is left behind when the run ends."""
        self.is_open = False
        self._is_ending = True

    @contextmanager
    def final_call(self, outcome: str) -> Iterator[bool]:
        """Give the right to end the run to the first caller, and to none once the run is stopped.

        A final call that fails is not followed by another: the manager finds the run lost and resumes it.
        """
        with self._final_call:
            is_first = self._outcome is None and not self.stopped.is_set()
            if is_first:
                self.is_open = False
                self._outcome = outcome
                self.before_final()
            yield is_first
            self._is_answered = self._is_answered or is_first  # Not reached when the final call fails.

    def wait_for_final_call(self) -> None:
        """Wait for a final call that another thread is making."""
        with self._final_call:
            pass

    def close(self) -> None:
        """End a run whose thread ends, however it ended: what other threads still send is refused."""
        self.is_open = False
        self._is_closed = True

    def on_stop(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Call ``callback`` when the run is stopped, at once if it is; return how to forget it."""
        key = object()
        with self._lock:
            already = self.stopped.is_set()
            if not already:
                self._callbacks[key] = callback
        if already:
            callback()

        def forget() -> None:
            with self._lock:
                self._callbacks.pop(key, None)

        return forget

    def _wake(self) -> None:
        with self._lock:
            self.is_open = False
            self.stopped.set()
            callbacks = list(self._callbacks.values())
        for callback in callbacks:  # Outside the lock: a callback may take locks of its own.
            try:
                callback()
            except Exception:  # One that fails must not keep the others from being called.
                log.exception("A callback of run %s failed", self.sync_run_id)


def _nothing() -> None:
    """Do nothing."""


class NamingCancellation:
    """See ``RunState.naming_cancellation``. One is made for each stored content, as of ``run_parts.Waiting``."""

    __slots__ = ("_state",)

    def __init__(self, state: RunState) -> None:
        self._state = state

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, SdkClientError) and self._state.fence.is_set():
            raise SyncCancelledError(self._state.sync_run_id, self._state.reason) from error
