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
_LOW_BITS = 40
"""What changes from one id of a millisecond to the next; the digits of the rest are kept."""
_HIGH_SHIFT, _LOW_SHIFT = 80, _LOW_BITS - 10


class UlidFactory:
    """Makes ULIDs, each larger than the one before, from any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # Protects the rest.
        self._last = 0
        self._high = 0
        self._high_digits = ""

    def __call__(self) -> str:
        """Return a new ULID."""
        milliseconds = time.time_ns() // 1_000_000
        with self._lock:
            if milliseconds > self._last >> _RANDOM_BITS:
                self._last = (milliseconds << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS - 1)
            else:  # Within one millisecond, or after the clock went back, count on from the last one.
                self._last += 1
            high = self._last >> _LOW_BITS
            if high != self._high:
                self._high, self._high_digits = high, _encode(high, _HIGH_SHIFT)
            return self._high_digits + _encode(self._last, _LOW_SHIFT)


new_ulid = UlidFactory()
"""The factory that the whole process shares."""


def _encode(value: int, highest_shift: int) -> str:
    """Return the digits of the ten bits at ``highest_shift`` and of all bits below them."""
    return "".join([_PAIRS[(value >> shift) & 0x3FF] for shift in range(highest_shift, -1, -10)])
