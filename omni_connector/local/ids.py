"""ULIDs: 26 characters of Crockford base 32, growing monotonically within a process.

python-ulid was tried: its ids become smaller when the clock goes back, and one takes 28 µs instead of 18; every event,
content and document needs one.
"""

from __future__ import annotations

import secrets
import threading
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
_RANDOM_BITS = 80


class UlidFactory:
    """Makes ULIDs, each larger than the one before, from any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # Protects _last.
        self._last = 0

    def __call__(self) -> str:
        """Return a new ULID."""
        milliseconds = time.time_ns() // 1_000_000
        fresh = (milliseconds << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS - 1)
        with self._lock:
            # Within one millisecond, or after the clock went back, count on from the last one.
            self._last = fresh if fresh >> _RANDOM_BITS > self._last >> _RANDOM_BITS else self._last + 1
            return _encode(self._last)


new_ulid = UlidFactory()
"""The factory that the whole process shares."""


def _encode(value: int) -> str:
    return "".join([_PAIRS[(value >> shift) & 0x3FF] for shift in range(120, -1, -10)])
