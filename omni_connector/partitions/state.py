"""The state of one partition: stopped with its run, ended by itself."""

from omni_connector.sync.state import RunState


class PartitionState(RunState):
    """A ``RunState`` below another one: that of a partition, or of all partitions of a run.

    It is cancelled and interrupted with its parent. A cancellation that begins here (the manager says that the run is over)
    is about the whole run, and goes up.
    """

    def __init__(self, parent: RunState) -> None:
        super().__init__(parent.sync_run_id)
        self.parent = parent
        self.fence.is_assured = self._is_assured
        self._forget = parent.on_stop(self._follow)

    def cancel(self, reason: str = "cancelled by the manager") -> None:
        """Stop and fence the whole run."""
        self.parent.cancel(reason)

    def give_up(self, reason: str) -> None:
        """Stop and fence this one and what is below it; the run goes on, to its end."""
        super().cancel(reason)

    @property
    def is_winding_down(self) -> bool:
        """The whole run stops, each partition at its next checkpoint."""
        return self.parent.is_winding_down

    def close(self) -> None:
        """As for a run; the parent forgets it."""
        super().close()
        self._forget()

    def _is_assured(self) -> bool:
        return self.parent.fence.is_assured is None or self.parent.fence.is_assured()

    def _follow(self) -> None:
        if self.parent.fence.is_set():
            super().cancel(self.parent.reason)
        else:
            self.interrupt()
