"""Time that a test lets pass: leases and waits end when it says so, however slow the machine is."""

from __future__ import annotations

import time

# As if all keys had been set earlier; a budget holds the moment up to which it is paid.
SHIFT = """
for _, key in ipairs(redis.call('KEYS', '*')) do
  local left = redis.call('PTTL', key) - ARGV[1] * 1000
  if left <= 0 then
    redis.call('DEL', key)
  else
    if string.find(key, '/budget/', 1, true) then
      redis.call('SET', key, string.format('%.6f', redis.call('GET', key) - ARGV[1]))
    end
    redis.call('PEXPIRE', key, left)
  end
end
"""


class PassingTime:
    """Runs as the clock of the machine does, and moves on by what a test lets pass.

    Call it for the clock of a run store. It stands for the module ``time`` where code reads that.
    """

    def __init__(self) -> None:
        self._passed = 0.0
        self._redis = None

    def __call__(self) -> float:
        return time.monotonic() + self._passed

    monotonic = __call__

    def moves(self, redis) -> None:
        """Let time pass in a Redis, too, whose clock is its own."""
        self._redis = redis

    def let_pass(self, seconds: float) -> None:
        """Go on as if so much time had passed."""
        if self._redis is not None:
            self._redis.eval(SHIFT, 0, seconds)
        self._passed += seconds
