"""The inventories of several machines: Redis, by the extra ``[redis]``.

A shelf is spread over 8,192 hashes by a checksum of the id, so that Redis keeps each of them packed, as it does with small
hashes: a million documents take a fifth of what they would in one. A run reads such hashes as a whole when it first needs one
of their documents, and keeps what it needs of them: so asking costs a round trip for some hundred documents, not for each. Where
a shelf has few documents, more hashes are read and listed at once: a round trip for each of 64 nearly empty hashes made a small
source take seconds.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import urlsplit

from omni_connector.inventory.storage import VERSION, Changes, Note, Shelf
from omni_connector.models.codec import decode, encode
from omni_connector.runstore.redis_client import make_client, reached
from omni_connector.runstore.redis_reader import BUCKETS, MOST_BUCKETS, RedisReader, bucket_of, operations_of
from omni_connector.runstore.shelf_names import number_of

T = TypeVar("T")

CALL_SECONDS = 10.0
ATTEMPTS = 6
"""A run waits some seconds for a Redis that restarts."""


CHUNK = 500
"""Documents in one script, which takes less than a millisecond: Redis does nothing else meanwhile."""


LISTED = 8_000
"""Documents that one script looks through, in some milliseconds, before it returns how far it has come."""

RELEASED = 5_000
"""Look-ups in one script."""


WRITE = """
local run, number = ARGV[1], #KEYS
local numbered = struct.unpack('>I4', run)
for i, key in ipairs(KEYS) do
  local kind, id, version = string.sub(ARGV[i + 1], 1, 1), string.sub(ARGV[i + 1], 2), ARGV[i + 1 + number]
  if kind == 'k' then redis.call('HSET', key, id, version)
  elseif kind == 'x' then redis.call('HDEL', key, id)
  else
    local value = redis.call('HGET', key, id)
    if value and kind == 's' then
      if struct.unpack('>I4', value) < numbered then redis.call('HSET', key, id, run .. string.sub(value, 5)) end
    elseif value then redis.call('HSET', key, id, string.sub(value, 1, 4) .. '\\0\\0\\0\\0') end
  end
end
"""

UNSEEN = """
local found, run, left = {0}, tonumber(ARGV[1]), tonumber(ARGV[2])
for done, key in ipairs(KEYS) do
  local fields = redis.call('HGETALL', key)
  for i = 1, #fields, 2 do
    if struct.unpack('>I4', fields[i + 1]) < run then table.insert(found, fields[i]) end
  end
  found[1], left = done, left - #fields / 2
  if left <= 0 then break end
end
return found
"""

COUNT = """
local count = 0
for _, key in ipairs(KEYS) do count = count + redis.call('HLEN', key) end
return count
"""

RELEASE = """
local comparable, held, each = ARGV[1], {}, #KEYS / (#ARGV - 1)
for i = 2, #ARGV do
  local id, first, is_held = ARGV[i], (i - 2) * each + 1, false
  local own = redis.call('HGET', KEYS[first], id)
  local sent = own and struct.unpack('>I4', own, 5)
  for other = 1, each - 1 do
    local key = KEYS[first + other]
    local value = redis.call('HGET', key, id)
    if value then
      is_held = true
      local is_later = own and sent > 0 and sent < struct.unpack('>I4', value, 5)
      if own and not (is_later and string.sub(comparable, other, other) == 'y') then
        redis.call('HSET', key, id, string.sub(value, 1, 4) .. '\\0\\0\\0\\0')
      end
    end
  end
  if is_held then
    redis.call('HDEL', KEYS[first], id)
    table.insert(held, id)
  end
end
return held
"""

REPLACE = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('SADD', KEYS[2], ARGV[3])
return 1
"""


class RedisInventories:
    """Keeps everything in Redis; implements ``InventoryStorage``.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.
        namespace: name of the connector; it is a hash tag, so that the scripts work in a cluster, too.

    Raises:
        ConfigurationError: the extra ``[redis]`` is not installed, or the address is none.
    """

    remark = ""

    def __init__(self, url: str, namespace: str) -> None:
        parts = urlsplit(url)
        self.label = f"Redis at {parts.netloc.rpartition('@')[2] or parts.path}"
        self._namespace = namespace
        self._prefix = f"omni/{VERSION}/{{{namespace}}}/inventory/"
        self._redis = make_client(url, "OMNI_INVENTORY", seconds=CALL_SECONDS, attempts=ATTEMPTS)
        self._write = self._redis.register_script(WRITE)
        self._unseen = self._redis.register_script(UNSEEN)
        self._count = self._redis.register_script(COUNT)
        self._release = self._redis.register_script(RELEASE)
        self._replace = self._redis.register_script(REPLACE)

    def note(self, name: str) -> Note:
        """Return a note."""
        return self._note(name)[1]

    def update(self, name: str, change: Callable[[Note], T]) -> T:
        """Alter a note."""
        while True:
            before, note = self._note(name)
            value = change(note)
            with reached("inventory", self.label):
                if self._replace(
                    [f"{self._prefix}note/{name}", f"{self._prefix}notes"], [before, encode(note), name]
                ):
                    return value

    def names(self) -> list[str]:
        """Return the names of all notes."""
        with reached("inventory", self.label):
            found: Any = self._redis.smembers(f"{self._prefix}notes")
        return sorted(name.decode() for name in found)

    def remove(self, name: str, shelves: Sequence[Shelf]) -> None:
        """Forget a note and shelves; Redis frees the memory in the background."""
        with reached("inventory", self.label):
            for shelf in shelves:
                for first in range(0, BUCKETS, MOST_BUCKETS):
                    self._redis.unlink(*self._keys(shelf, range(first, first + MOST_BUCKETS)))
            self._redis.delete(f"{self._prefix}note/{name}")
            self._redis.srem(f"{self._prefix}notes", name)

    def reader(self, shelf: Shelf) -> "RedisReader":
        """Return what finds documents of a shelf."""
        return RedisReader(partial(self.buckets, shelf))

    def write(self, batch: Sequence[tuple[Shelf, Changes]]) -> None:
        """Make changes, some hundred at a time."""
        for shelf, changes in batch:
            run = changes.run.to_bytes(4, "big")
            operations = operations_of(changes)
            while chunk := list(islice(operations, CHUNK)):
                keys = [self._key(shelf, bucket_of(name)) for _, name, _ in chunk]
                names = [kind + name.encode() for kind, name, _ in chunk]
                with reached("inventory", self.label):
                    self._write(keys, [run, *names, *(value for *_, value in chunk)])

    def write_noting(
        self, batch: Sequence[tuple[Shelf, Changes]], name: str, change: Callable[[Note], None]
    ) -> None:
        """Make changes, and then alter a note."""
        self.write(batch)
        self.update(name, change)

    def count(self, shelf: Shelf) -> int:
        """Count documents."""
        with reached("inventory", self.label):
            return sum(
                int(self._count(self._keys(shelf, range(first, first + MOST_BUCKETS))))
                for first in range(0, BUCKETS, MOST_BUCKETS)
            )

    def release(self, shelf: Shelf, document_ids: Sequence[str], others: Sequence[Shelf]) -> set[str]:
        """Forget what other shelves have, some thousand look-ups at a time."""
        held: set[str] = set()
        comparable = "".join("y" if each.source == shelf.source else "n" for each in others)
        step = max(1, RELEASED // (len(others) + 1))
        for first in range(0, len(document_ids), step):
            names = document_ids[first : first + step]
            keys = [self._key(each, bucket_of(name)) for name in names for each in (shelf, *others)]
            with reached("inventory", self.label):
                found: Any = self._release(keys, [comparable, *names])
            held |= {name.decode() for name in found}
        return held

    def unseen(self, shelf: Shelf, run: int, after: str, limit: int) -> list[str]:
        """Return documents that were not seen: those of whole buckets, in their order."""
        found: list[str] = []
        first = bucket_of(after) + 1 if after else 0
        asked = MOST_BUCKETS
        while first < BUCKETS and len(found) < limit:
            keys = self._keys(shelf, range(first, min(first + asked, BUCKETS)))
            with reached("inventory", self.label):
                answer: Any = self._unseen(keys, [run, LISTED])
            done, *names = answer
            found += [name.decode() for name in names]
            first += done
            asked = min(MOST_BUCKETS, 2 * done)
        return found

    def buckets(self, shelf: Shelf, buckets: Sequence[int]) -> list[dict[bytes, bytes]]:
        """Return ids and values of some buckets, in one round trip."""
        calls = self._redis.pipeline(transaction=False)
        for key in self._keys(shelf, buckets):
            calls.hgetall(key)
        with reached("inventory", self.label):
            return calls.execute()

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _note(self, name: str) -> tuple[bytes, Note]:
        with reached("inventory", self.label):
            found: Any = self._redis.get(f"{self._prefix}note/{name}")
        return (b"", {}) if found is None else (found, dict(decode(found)))

    def _key(self, shelf: Shelf, bucket: int) -> str:
        return f"{self._prefix}{number_of(self._namespace, shelf):x}/{bucket:x}"

    def _keys(self, shelf: Shelf, buckets: Iterable[int]) -> list[str]:
        return [self._key(shelf, bucket) for bucket in buckets]
