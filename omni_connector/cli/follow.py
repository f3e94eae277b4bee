"""Stays with a run until it has ended, and cancels it when that is wished."""

import time

from omni_connector.cli.errors import ManagerRefusedError
from omni_connector.cli.manager_calls import ManagerCalls
from omni_connector.cli.progress import ProgressView
from omni_connector.cli.signals import StopSignals
from omni_connector.local_service import LocalService
from omni_connector.runtime.run import RunReport
from omni_connector.runtime.run_stack import stack_of_run, thread_of_run

LOOK_SECONDS = 0.04
"""Between two looks at the run, which cost microseconds; drawing is rarer."""

FINAL_CALL_SECONDS = 1.0
"""How long the manager's row may lag behind the connector's last word; both are in this process."""

PATIENCE_SECONDS = 2.0
"""How long a cancelled connector is waited for without a word; then its stack is shown."""

STOPPING_SECONDS = 5.0
"""How long a cancelled connector may take to notice."""

CANCELLING = (
    "Cancelling; the next run does not go on from what this one has saved. Press Ctrl-C again to end at once."
)


class RunFollower:
    """Follows one run.

    Args:
        run_id: the run.
        served: the connector at work, beside the embedded manager.
        view: is shown the figures.
        signals: say when the user wants to stop.

    Attributes:
        timed_out: the run was cancelled because it took too long.
        stopped: it was cancelled here, for that reason or by a signal.
    """

    def __init__(
        self,
        run_id: str,
        *,
        served: LocalService,
        view: ProgressView,
        signals: StopSignals,
    ) -> None:
        self._run_id = run_id
        self._served = served
        self._service = served.service
        self._manager = served.manager
        self._view = view
        self._signals = signals
        self._last = RunReport(sync_run_id=run_id, outcome="running")
        self._began = time.monotonic()
        self.timed_out = False
        self.stopped = False

    def elapsed_seconds(self) -> float:
        """Return how long ago this began."""
        return time.monotonic() - self._began

    def until_ended(self, label: str, timeout_seconds: float | None) -> RunReport:
        """Wait for the end, or bring it about: on a signal, and when the time is over.

        Returns:
            The connector's last figures. At the manager the run has ended, unless the connector left it without a
            word; then it is still ``running`` there.
        """
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while self._goes_on():
            self._show(label)
            if self._signals.wait(LOOK_SECONDS):
                self._cancel(CANCELLING)
                break
            if deadline is not None and time.monotonic() >= deadline:
                self.timed_out = True
                self._cancel(f"Cancelling, because the sync is not done after {timeout_seconds:g} s.")
                break
        self._look()
        return self._last

    def _goes_on(self) -> bool:
        """Say whether there is something to wait for; a realtime run goes on when the connector has returned."""
        if self._service.is_running(self._run_id):
            return True
        run = self._manager.run(self._run_id)
        if not run.is_running:
            return False
        if run.slot_class == "realtime":
            return True  # The manager's scheduler starts it again, or gives it up.
        try:
            self._manager.wait_for_run(self._run_id, FINAL_CALL_SECONDS)
        except TimeoutError:
            return self._service.is_running(self._run_id)
        return False

    def _cancel(self, why: str) -> None:
        """Cancel through the protocol, and give the connector time to stop."""
        self._look()
        self.stopped = True
        self._view.say(why)
        try:
            ManagerCalls(self._manager.url).cancel(self._run_id)
        except ManagerRefusedError:
            return  # It ended by itself meanwhile.
        thread = thread_of_run(self._run_id)
        cancelled = time.monotonic()
        is_shown = False
        while thread is not None and thread.is_alive() and time.monotonic() < cancelled + STOPPING_SECONDS:
            if not is_shown and time.monotonic() > cancelled + PATIENCE_SECONDS:
                is_shown = True
                where = stack_of_run(self._served.connector, thread)
                self._view.say(f"The connector has not stopped yet. It is here:\n{where.rstrip()}")
            self._show("cancelling")
            self._signals.pause(LOOK_SECONDS)

    def _show(self, label: str) -> None:
        self._look()
        self._view.show(label, self._last)

    def _look(self) -> None:
        self._last = self._service.report(self._run_id) or self._last
