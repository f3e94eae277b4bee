"""Ports for servers that open their socket by themselves, and for addresses at which nothing answers."""

from __future__ import annotations

import fcntl
import random
import socket
from pathlib import Path

BELOW_THE_SYSTEMS = range(20_000, 32_000)
"""The system gives the ports above to connections and to sockets bound to port 0, at any moment."""

_locked = (
    Path(__file__).with_name("__init__.py").open("r+b")
)  # Open as long as the process: closing it ends all locks.
_given: set[int] = set()


def free_port() -> int:
    """Return a port that nothing uses, and that is given to no other test as long as this process runs."""
    while True:
        port = random.choice(BELOW_THE_SYSTEMS)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port


def _is_free(port: int) -> bool:
    """Reserve a port among the workers of xdist, by a lock on one byte, and see that it can be bound."""
    try:
        fcntl.lockf(_locked, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        socket.create_server(("", port)).close()
    except OSError:
        return False
    return True
