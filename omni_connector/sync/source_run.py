"""A run as the tools for reading a source know it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar, cast

from attrs import frozen

from omni_connector.sources.source_run import RUN_PATIENCE_SECONDS, Sessions, SharedSources
from omni_connector.sync.colours import Colour
from omni_connector.sync.run import SyncRun

T = TypeVar("T")


@frozen
class RunOfSource:
    """Implements ``SourceRun``."""

    run: SyncRun
    colour: Colour

    @property
    def source_id(self) -> str:
        """Id of the source."""
        return self.run.info.source_id

    @property
    def shared(self) -> SharedSources:
        """What others that read the source have in common with the run."""
        return self.run.sources

    @property
    def patience_seconds(self) -> float:
        """How long one request waits for a rate limit."""
        return RUN_PATIENCE_SECONDS

    def raise_if_stopped(self) -> None:
        """Raise SyncCancelledError when the run was asked to stop."""
        self.run.state.raise_if_stopped()

    def on_stop(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Call ``callback`` when the run is asked to stop."""
        return self.run.state.on_stop(callback)

    def alive(self, what: str) -> AbstractContextManager[None]:
        """Count a request, which has a deadline, as progress of the run."""
        return self.run.pulse.inside(what)

    def wait(self, seconds: float, why: str) -> None:
        """Wait, unless the run is asked to stop."""
        if not self.run.sleep(seconds, f"waiting for {why}"):
            self.run.state.raise_if_stopped()

    def add_secret(self, text: str) -> None:
        """Mask a secret as long as the run is in progress."""
        self.run.secrets.name(text)

    def credentials(self, fresh: bool) -> dict[str, Any]:  # noqa: FBT001 - as in the interface.
        """Return the source's credentials."""
        return self.run.credentials(fresh)

    def do(self, work: Callable[[], T]) -> T:
        """Do it in the colour of the connector."""
        return cast("T", self.colour.call(_Unchanged, work))

    @property
    def sessions(self) -> Sessions:
        """Those that the run has open."""
        return self.run.sessions


class _Unchanged:
    """The kind of a value that may be awaited already."""

    def __new__(cls, value: Any) -> Any:
        return value
