"""A listening socket that can refuse connections for a while without losing its port."""

import select
import socket
import threading
import time
from collections.abc import Callable

BACKLOG = 128


class Listener:
    """Accepts connections in a thread of its own and hands each to ``handle``. ``close`` it.

    While it refuses, the kernel rejects connections: a second socket, bound to the same port but not listening, keeps
    the port from being given to another process.

    Args:
        host: address to listen on.
        handle: called with each connection, in the listener's thread.
    """

    def __init__(self, host: str, handle: Callable[[socket.socket], None]) -> None:
        self._handle = handle
        self._placeholder = _bound(host, 0)
        self._address: tuple[str, int] = self._placeholder.getsockname()[:2]
        self._changed = threading.Condition()  # Protects what follows, up to _closing.
        self._listening = False
        self._refusing_until = 0.0  # By time.monotonic().
        self._refusals_asked = 0  # How often refuse() was called ...
        self._refusals_begun = 0  # ... and how many of these have begun, however short they were.
        self._closing = False
        self._waker, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="faulty-manager-listener", daemon=True)

    @property
    def port(self) -> int:
        """The port; it stays the same while connections are refused."""
        return self._address[1]

    def listen(self) -> None:
        """Listen, for the first time or again; connections are accepted when this returns."""
        with self._changed:
            self._refusing_until = 0.0
            if not self._thread.is_alive():
                self._thread.start()
            self._wake()
            self._changed.wait_for(lambda: self._listening or self._closing)

    def refuse(self, seconds: float = float("inf")) -> None:
        """Refuse connections, from when this returns until the time is over or ``listen`` is called."""
        with self._changed:
            self._refusing_until = max(self._refusing_until, time.monotonic() + seconds)
            self._refusals_asked = asked = self._refusals_asked + 1
            self._wake()
            self._changed.wait_for(lambda: self._refusals_begun >= asked or self._closing)

    def close(self) -> None:
        """Close for good and end the thread. Repeatable."""
        with self._changed:
            if self._closing:
                return
            self._closing = True  # Before the waking: the thread looks at it without the lock.
            self._waker.send(b".")
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        for one in (self._placeholder, self._waker, self._woken):
            one.close()

    def _run(self) -> None:
        """Listen, or wait while connections are refused, until the end."""
        while not self._closing:
            left = self._seconds_refusing()
            if left > 0:
                self._wait_for_wake(None if left == float("inf") else left)
                continue
            with _bound(*self._address) as listener:
                listener.listen(BACKLOG)
                self._note_listening()
                self._accept(listener)
            self._note_refusing()

    def _accept(self, listener: socket.socket) -> None:
        while not self._closing and self._refusals_asked == self._refusals_begun:
            ready, _, _ = select.select([listener, self._woken], [], [])
            if self._woken in ready:
                self._woken.recv(BACKLOG)
            elif listener in ready:
                connection, _ = listener.accept()
                self._handle(connection)

    def _wait_for_wake(self, seconds: float | None) -> None:
        if select.select([self._woken], [], [], seconds)[0]:
            self._woken.recv(BACKLOG)

    def _seconds_refusing(self) -> float:
        with self._changed:
            # A call while connections are refused changes nothing.
            self._refusals_begun = self._refusals_asked
            self._changed.notify_all()
            return self._refusing_until - time.monotonic()

    def _note_listening(self) -> None:
        with self._changed:
            self._listening = True
            self._changed.notify_all()

    def _note_refusing(self) -> None:
        with self._changed:
            self._listening = False
            self._refusals_begun = self._refusals_asked
            self._changed.notify_all()

    def _wake(self) -> None:
        """Called with the lock held, so that the sockets are still open."""
        if not self._closing:
            self._waker.send(b".")


def _bound(host: str, port: int) -> socket.socket:
    """Return a socket on an address that it may share with another one of this process."""
    one = socket.socket()
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind((host, port))
    except BaseException:
        one.close()
        raise
    return one
