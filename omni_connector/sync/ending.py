"""How a run ends: with exactly one report, decided here."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from omni_connector.exceptions import ConnectorError, SyncFinishedError
from omni_connector.manager.api import ManagerApi
from omni_connector.sync.cancellation import StopSignal
from omni_connector.sync.delivery import Delivery
from omni_connector.sync.redaction import error_text, redact
from omni_connector.sync.run_info import RunInfo

log = logging.getLogger(__name__)

FLUSH_SECONDS = 30.0
"""How long a failing run tries to deliver what it has buffered."""

LONGEST_ERROR = 4000
"""Characters of an error text that are reported; the manager has no limit of its own."""


class Ending:
    """Guards the final call of one run.

    Args:
        run: the run.
        stop: its stop signal; a stopped run makes no final call (PROTOCOL, section 8).
        on_final: called right before the final call. The manager may start the source's next run while that call
            is still being answered, so the slot has to be free by then.
    """

    def __init__(self, run: RunInfo, stop: StopSignal, on_final: Callable[[], None]) -> None:
        self._run = run
        self._stop = stop
        self._on_final = on_final
        self._final_call = threading.Lock()  # Held during the final call, so that nobody overtakes it.
        self._outcome: str | None = None
        self._answered = False

    @property
    def ended(self) -> bool:
        """A final call was made, or is being made."""
        return self._outcome is not None

    @property
    def reported(self) -> str | None:
        """``completed`` or ``failed`` when the manager has accepted it, or None."""
        return self._outcome if self._answered else None

    def check(self) -> None:
        """Refuse to go on after the end.

        Raises:
            SyncFinishedError: the run has ended.
        """
        if self._outcome is not None:
            raise SyncFinishedError(self._run.sync_run_id, self._outcome)

    @contextmanager
    def claim(self, outcome: str) -> Iterator[bool]:
        """Give the right to make the final call to the first who asks, and to nobody once the run is stopped.

        A final call that fails is not followed by another: the manager finds the run lost and resumes it.
        """
        with self._final_call:
            claimed = self._outcome is None and not self._stop.event.is_set()
            if claimed:
                self._outcome = outcome
                self._on_final()
            yield claimed
            self._answered = self._answered or claimed  # Not reached when the final call fails.

    def fail(self, error: str | BaseException, delivery: Delivery, manager: ManagerApi) -> None:
        """Deliver what is buffered as far as possible, then report the failure without secrets."""
        try:
            delivery.barrier(timeout_seconds=FLUSH_SECONDS, final=True)
        except ConnectorError as trouble:
            log.warning(
                "Not everything that was emitted could be delivered: %s",
                trouble,
                extra={"sync_run_id": self._run.sync_run_id},
            )
        text = error_text(error)
        with self.claim("failed") as claimed:
            if claimed:
                manager.fail(self._run.sync_run_id, redact(text, self._run.secrets)[:LONGEST_ERROR])

    def settle(self) -> None:
        """Wait for a final call that another thread is making."""
        with self._final_call:
            pass
