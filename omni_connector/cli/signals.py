"""SIGINT and SIGTERM, as something to wait for."""

import os
import select
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

from omni_connector.cli import exit_codes

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StoppedBySignal(KeyboardInterrupt):
    """The process was asked to stop.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class StopSignals:
    """The first signal asks to stop, the second ends the process.

    Until ``defer()`` the first signal raises ``StoppedBySignal`` in the main thread, from then on it is only noted
    and ends ``wait()``. A second one ends the process at once, whatever it is doing. To be used as a context manager
    by the main thread; the former handlers come back at its end.

    Args:
        before_end: called before a second signal ends the process, to leave the terminal in order.

    Attributes:
        received: number of the first signal, or None.
        gentlest: the signal by which one of our commands is asked to stop.
    """

    gentlest = signal.SIGINT

    def __init__(self, before_end: Callable[[], None] | None = None) -> None:
        self.received: int | None = None
        self.before_end = before_end
        self._deferred = False
        self._handlers: list[Any] = []
        # A signal writes a byte, which wakes select(). Setting an Event could deadlock: the main thread may be
        # inside that very Event when the handler runs.
        self._wakes, self._wake = socket.socketpair()
        self._former_wake = -1

    def __enter__(self) -> Self:
        self._wakes.setblocking(False)  # noqa: FBT003 - the socket's own signature.
        self._wake.setblocking(False)  # noqa: FBT003
        self._former_wake = signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        self._handlers = [signal.signal(each, self._handle) for each in SIGNALS]
        return self

    def __exit__(self, *_: object) -> None:
        for each, handler in zip(SIGNALS, self._handlers, strict=True):
            signal.signal(each, handler)
        signal.set_wakeup_fd(self._former_wake)
        self._wakes.close()
        self._wake.close()

    def defer(self) -> None:
        """From now on only note the first signal."""
        self._deferred = True

    def wait(self, seconds: float) -> bool:
        """Wait, but no longer than until a signal comes; say whether one has."""
        if self.received is None:
            select.select([self._wakes], [], [], seconds)
        return self.received is not None

    def pause(self, seconds: float) -> None:
        """Wait, also after the first signal."""
        while select.select([self._wakes], [], [], 0)[0]:
            self._wakes.recv(64)
        select.select([self._wakes], [], [], seconds)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.received is not None:
            self._end(number)
        self.received = number
        if not self._deferred:
            raise StoppedBySignal(number)

    def _end(self, number: int) -> None:
        """End the process without waiting for anything; the database stands that."""
        if self.before_end is not None:
            self.before_end()
        os._exit(exit_codes.SIGNALLED + number)
