"""How a run learns that it shall stop."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from omni_connector.exceptions import SdkClientError, SyncCancelledError, SyncInterruptedError

log = logging.getLogger(__name__)


class StopSignal:
    """Set once, by a cancellation or by the shutdown of the process; whoever waits is woken.

    Attributes:
        event: set in both cases; what ``is_cancelled`` looks at.
        fence: set by a cancellation only. From then on nothing of the run may reach the manager; after a shutdown
            what is buffered still travels.
    """

    def __init__(self, sync_run_id: str) -> None:
        self.event = threading.Event()
        self.fence = threading.Event()
        self._sync_run_id = sync_run_id
        self._error: SyncCancelledError | None = None
        self._lock = threading.Lock()  # Protects _callbacks and _error.
        self._callbacks: dict[object, Callable[[], object]] = {}

    @property
    def reason(self) -> str:
        """Why the run stops; empty while it does not."""
        return self._error.reason if self._error else ""

    def cancel(self, reason: str = "cancelled by the manager") -> None:
        """Stop and fence the run. A cancellation also overrides an earlier shutdown."""
        with self._lock:
            self.fence.set()
            self._error = SyncCancelledError(self._sync_run_id, reason)
        self._wake()

    def interrupt(self) -> None:
        """Stop the run because the process shuts down."""
        with self._lock:
            if self._error is None:
                self._error = SyncInterruptedError(self._sync_run_id)
        self._wake()

    def raise_if_set(self) -> None:
        """Raise the error that tells the connector to stop.

        Raises:
            SyncCancelledError: the run was cancelled.
            SyncInterruptedError: the process shuts down.
        """
        if not self.event.is_set():
            return
        error = self._error
        if isinstance(error, SyncInterruptedError):
            raise SyncInterruptedError(self._sync_run_id)
        raise SyncCancelledError(self._sync_run_id, self.reason)

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Around a call to the manager: tell one that a cancellation has broken as such, not as a manager that is away.

        Raises:
            SyncCancelledError: in place of an SdkClientError of a run that is cancelled.
        """
        try:
            yield
        except SdkClientError as error:
            if self.fence.is_set():
                raise SyncCancelledError(self._sync_run_id, self.reason) from error
            raise

    def on_set(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Call ``callback`` when the signal is set, at once if it is; return how to forget it."""
        key = object()
        with self._lock:
            already = self.event.is_set()
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
            self.event.set()
            callbacks = list(self._callbacks.values())
        for callback in callbacks:  # Outside the lock: a callback may take locks of its own.
            try:
                callback()
            except Exception:  # One that fails must not keep the others from being woken.
                log.exception("A callback of run %s failed", self._sync_run_id)
