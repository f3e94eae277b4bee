"""The run store of several machines: Redis, by the extra ``[redis]``."""

import contextlib
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from omni_connector.runstore.redis_client import make_client, reached
from omni_connector.runstore.store import VERSION, Claim, Held, Rate

CALL_SECONDS = 1.0
"""How long a call waits for Redis, which answers within a millisecond."""

TOKEN_LENGTH = 32

# A lease is a string: the token, then the value. Each script runs while nothing else does.
TAKE = """
for i, key in ipairs(KEYS) do
  local lease = redis.call('GET', key)
  if lease and string.sub(lease, 1, 32) ~= ARGV[1] then return {i, string.sub(lease, 33)} end
end
for _, key in ipairs(KEYS) do redis.call('SET', key, ARGV[1] .. ARGV[2], 'PX', ARGV[3]) end
"""

RENEW = """
local lost = {}
for i, key in ipairs(KEYS) do
  local lease = redis.call('GET', key)
  if lease and string.sub(lease, 1, 32) == ARGV[i + 1] then redis.call('PEXPIRE', key, ARGV[1])
  else table.insert(lost, i) end
end
return lost
"""

HAND_OVER = """
for _, key in ipairs(KEYS) do
  local lease = redis.call('GET', key)
  if not lease or string.sub(lease, 1, 32) ~= ARGV[1] then return 0 end
end
for _, key in ipairs(KEYS) do redis.call('SET', key, ARGV[2] .. ARGV[3], 'PX', ARGV[4]) end
return 1
"""

RELEASE = """
for _, key in ipairs(KEYS) do
  local lease = redis.call('GET', key)
  if lease and string.sub(lease, 1, 32) == ARGV[1] then redis.call('DEL', key) end
end
"""

# The budget is the moment up to which its units are paid for. Numbers are returned as text: Redis cuts fractions off.
SPEND = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local cost, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local paid_until = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now) + cost
redis.call('SET', KEYS[1], string.format('%.6f', paid_until), 'PX', math.ceil((paid_until - now) * 1000) + 1000)
return string.format('%.6f', math.max(0, paid_until - now - burst))
"""


class RedisStore:
    """Keeps everything in Redis, whose clock counts; implements ``RunStore``.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.
        namespace: name of the connector; it is a hash tag, so that the scripts work in a cluster, too.

    Raises:
        ConfigurationError: the extra ``[redis]`` is not installed, or the address is none.
    """

    is_shared = True

    def __init__(self, url: str, namespace: str) -> None:
        parts = urlsplit(url)
        self.label = f"Redis at {parts.netloc.rpartition('@')[2] or parts.path}"
        self._prefix = f"omni/{VERSION}/{{{namespace}}}/"
        self._redis = make_client(url, "OMNI_RUN_STORE", seconds=CALL_SECONDS, attempts=1)
        self._take = self._redis.register_script(TAKE)
        self._renew = self._redis.register_script(RENEW)
        self._hand_over = self._redis.register_script(HAND_OVER)
        self._release = self._redis.register_script(RELEASE)
        self._spend = self._redis.register_script(SPEND)

    def take(self, claim: Claim, seconds: float) -> Held | None:
        """Hold all names, or none."""
        with self._reached():
            found: Any = self._take(self._keys(claim.names), [claim.token, claim.value, _ms(seconds)])
        return None if found is None else Held(claim.names[found[0] - 1], found[1])

    def renew(self, claims: Sequence[Claim], seconds: float) -> list[Claim]:
        """Prolong claims; return the lost ones."""
        owners = [claim for claim in claims for _ in claim.names]
        if not owners:
            return []
        keys = self._keys(name for claim in claims for name in claim.names)
        with self._reached():
            lost: Any = self._renew(keys, [_ms(seconds), *(claim.token for claim in owners)])
        tokens = {owners[index - 1].token for index in lost}
        return [claim for claim in claims if claim.token in tokens]

    def hand_over(self, claim: Claim, to: Claim, seconds: float) -> bool:
        """Give the names to another owner."""
        arguments: list[str | bytes | int] = [claim.token, to.token, to.value, _ms(seconds)]
        with self._reached():
            return bool(self._hand_over(self._keys(claim.names), arguments))

    def release(self, claim: Claim) -> None:
        """Give up names."""
        with self._reached():
            self._release(self._keys(claim.names), [claim.token])

    def holder(self, name: str) -> bytes | None:
        """Return the owner's value."""
        found = self._value(f"lease/{name}")
        return None if found is None else found[TOKEN_LENGTH:]

    def put(self, name: str, value: bytes, seconds: float) -> None:
        """Keep a note."""
        with self._reached():
            self._redis.set(f"{self._prefix}note/{name}", value, px=_ms(seconds))

    def get(self, name: str) -> bytes | None:
        """Return a note."""
        return self._value(f"note/{name}")

    def spend(self, name: str, units: float, rate: Rate) -> float:
        """Spend from a budget."""
        with self._reached():
            cost, burst = units / rate.per_second, rate.burst / rate.per_second
            return float(self._spend([f"{self._prefix}budget/{name}"], [cost, burst]))

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _keys(self, names: Iterable[str]) -> list[str]:
        return [f"{self._prefix}lease/{name}" for name in names]

    def _value(self, key: str) -> bytes | None:
        with self._reached():
            found: Any = self._redis.get(self._prefix + key)
        return None if found is None else bytes(found)

    def _reached(self) -> contextlib.AbstractContextManager[None]:
        return reached("run store", self.label)


def _ms(seconds: float) -> int:
    return max(1, int(seconds * 1000))
