"""Ending a connection so that its last answer arrives, although the client may still be sending (RFC 9112, section 9.6)."""

import contextlib
import socket
import time
from collections.abc import Callable

from omni_connector.web.unfinished import LINGER_SECONDS

PIECE_BYTES = 64 * 1024


def linger(connection: socket.socket, progressed: Callable[[], None] | None = None) -> None:
    """Send the end of the answers, and read what the client still sends until it has closed, or time is up.

    Closing at once, with bytes of a body unread, resets the connection. The client may then lose the answer: nginx answers
    502 instead. gunicorn reads no more than 64 KiB, which is less than a body that is refused for its size. Reads after this
    find the end at once, so that gunicorn closes the connection without a wait. ``progressed`` is called after each read.
    """
    until = time.monotonic() + LINGER_SECONDS
    with contextlib.suppress(OSError, ValueError):  # The client may have gone.
        try:
            connection.shutdown(socket.SHUT_WR)
            while (left := until - time.monotonic()) > 0:
                connection.settimeout(left)
                if not connection.recv(PIECE_BYTES):
                    break
                if progressed is not None:
                    progressed()
        finally:
            connection.shutdown(socket.SHUT_RD)
