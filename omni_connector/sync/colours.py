"""How a connector calls its run: blocking, or from an event loop.

Calls that only touch memory are made where they stand, so that events keep their order even when their awaitables are
gathered. What may block goes through a colour: here and now, or in a thread, with an awaitable in the place of the value.
"""

from collections.abc import Callable
from concurrent.futures import CancelledError
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, cast

from omni_connector.awaitables import DONE, AwaitableBool, AwaitableNone
from omni_connector.exceptions import ConnectorError
from omni_connector.manager.pending import Pending
from omni_connector.sync.run import SyncRun
from omni_connector.telemetry.figures import Stage

if TYPE_CHECKING:  # Loads asyncio, which importing ``SyncContext`` does without.
    from omni_connector.event_loop import EventLoop

T = TypeVar("T")

Stored: TypeAlias = Pending[str]
"""A content id to come; an alias, because an annotation within a function is made anew at each call."""


class Storing(Protocol):
    """A text that is to be stored."""

    def store(self) -> str:
        """Store it in this thread; return its content id."""
        ...

    def upload(self) -> Pending[str]:
        """Begin to store it; return its content id to come."""
        ...


class Colour(Protocol):
    """Makes the calls of a face that may block."""

    def call(self, kind: Callable[..., T], work: Callable[..., Any], *args: Any) -> T:
        """Do ``work``; return its value, or an awaitable of it, in the place of a ``kind``."""
        ...

    def text_of(self, kind: type[T], run: SyncRun, storing: Storing) -> T:
        """Store a text, and return its content id like ``call``."""
        ...

    def sleep(self, run: SyncRun, seconds: float) -> AwaitableBool:
        """Wait, but no longer than until the run is stopped."""
        ...


class Blocking:
    """For ``def sync``: every call has done its work when it returns."""

    def call(self, kind: Callable[..., T], work: Callable[..., Any], *args: Any) -> T:
        """Do it here and now."""
        value = work(*args)
        return cast("T", DONE if kind is AwaitableNone else cast("Any", kind)(value))

    def text_of(self, kind: type[T], run: SyncRun, storing: Storing) -> T:
        """Store it in this thread."""
        with run.waiting("save"), run.state.naming_cancellation():
            return kind(storing.store())  # type: ignore[call-arg]  # A cast would be a call for each document.

    def sleep(self, run: SyncRun, seconds: float) -> AwaitableBool:
        """Hold the thread."""
        return AwaitableBool(run.sleep(seconds))


class OnLoop:
    """For ``async def sync``: a call starts when it is called, in a thread, and is awaited on the loop."""

    def __init__(self, loop: "EventLoop") -> None:
        self._loop = loop

    def call(self, kind: Callable[..., T], work: Callable[..., Any], *args: Any) -> T:
        """Do it in a thread, beginning now."""
        del kind
        return cast("T", self._loop.off_loop(partial(work, *args)))

    def text_of(self, kind: type[T], run: SyncRun, storing: Storing) -> T:
        """Hold no thread while another one finishes it."""
        del kind
        promise = self._loop.promise()

        def finished(future: Stored) -> None:
            if future.exception() is None:
                promise.keep(future.result())
                return
            try:
                with run.state.naming_cancellation():
                    future.result()
            except (Exception, CancelledError) as error:  # noqa: BLE001 - handed to the coroutine that awaits.
                promise.fail(error)

        try:
            storing.upload().add_done_callback(finished)
        except ConnectorError as error:
            promise.fail(error)
        return cast("T", promise.value)

    def sleep(self, run: SyncRun, seconds: float) -> AwaitableBool:
        """Hold no thread."""
        return cast("AwaitableBool", self._slept(run, seconds))

    async def _slept(self, run: SyncRun, seconds: float) -> bool:
        with run.waiting("sleep", Stage.WAITING_RATE_LIMIT):
            await self._loop.sleep(seconds, run.state.on_stop)
        return not run.state.stopped.is_set()
