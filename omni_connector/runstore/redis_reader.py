"""Reads the documents of a shelf in Redis for one run, many at a time, and keeps what it has read."""

import hashlib
import struct
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence

from omni_connector.inventory.storage import Changes, Entry

BUCKETS = 8192
"""Never to be changed: it says where a document is. Up to four million documents, Redis keeps such hashes packed."""

MOST_BUCKETS = 1024
"""In one call. Redis looks through that many empty ones in 0.3 ms."""

FEW, MANY = 250, 1_000
"""Documents in one answer: with fewer, the next call asks for twice as many buckets; with more, for half as many."""

CACHED_BYTES = 64 * 1024 * 1024

# A value is the number of the run that has seen the document, of the one that has sent it, and the fingerprint.
VALUE = struct.Struct(">II")

UNKNOWN = bytes(12)

RECORD = struct.Struct(">8sII12s")


class RedisReader:
    """Finds documents of one shelf for one run; implements ``ShelfReader``.

    Of each document that it has read it keeps 28 bytes: a hash of the id, and the value.

    Args:
        read: returns ids and values of buckets, in one round trip.
    """

    def __init__(self, read: Callable[[Sequence[int]], list[dict[bytes, bytes]]]) -> None:
        self._read = read
        # Held while buckets are read, so that what is written meanwhile comes after it.
        self._lock = threading.Lock()
        self._buckets: OrderedDict[int, bytearray] = OrderedDict()
        self._size = 0
        self._asked = 64  # Buckets in the next call.

    def find(self, document_id: str) -> Entry | None:
        """Return a document."""
        digest = _hash(document_id.encode())
        with self._lock:
            records = self._records(bucket_of(document_id))
            at = _position(records, digest)
            if at < 0:
                return None
            _, seen, sent, version = RECORD.unpack_from(records, at)
        return Entry(b"" if version == UNKNOWN else version, sent, seen)

    def written(self, changes: Changes) -> None:
        """Learn what this run has written."""
        with self._lock:
            for kind, name, value in operations_of(changes):
                records = self._buckets.get(bucket_of(name))
                if records is not None:
                    self._size += _alter(
                        records, kind, _hash(name.encode()), value or changes.run.to_bytes(4, "big")
                    )

    def altered(self, document_ids: Iterable[str]) -> None:
        """Read their buckets again when they are needed."""
        with self._lock:
            for name in document_ids:
                self._size -= len(self._buckets.pop(bucket_of(name), b""))

    def _records(self, bucket: int) -> bytearray:
        records = self._buckets.get(bucket)
        if records is not None:
            self._buckets.move_to_end(bucket)
            return records
        last = min(bucket + self._asked, BUCKETS)
        missing = [bucket, *(each for each in range(bucket + 1, last) if each not in self._buckets)]
        found = self._read(missing)
        for number, entries in zip(missing, found, strict=True):
            records = bytearray().join(_hash(name) + _padded(value) for name, value in entries.items())
            self._buckets[number] = records
            self._size += len(records)
        documents = sum(map(len, found))
        if documents < FEW and len(missing) > self._asked // 2:
            self._asked = min(MOST_BUCKETS, self._asked * 2)
        elif documents > MANY:
            self._asked = max(1, self._asked // 2)
        self._buckets.move_to_end(bucket)
        while self._size > CACHED_BYTES and len(self._buckets) > 1:
            self._size -= len(self._buckets.popitem(last=False)[1])
        return self._buckets[bucket]


def bucket_of(document_id: str) -> int:
    """Return the bucket in which a document is kept."""
    return zlib.crc32(document_id.encode()) % BUCKETS


def operations_of(changes: Changes) -> Iterator[tuple[bytes, str, bytes]]:
    """Yield what is done, to which document, and the value that it is given."""
    run = changes.run
    for name, version in changes.kept.items():
        yield b"k", name, VALUE.pack(run, run if version else 0) + version
    for kind, names in ((b"d", changes.doubted), (b"x", changes.deleted), (b"s", changes.seen)):
        for name in names:
            yield kind, name, b""


def _alter(records: bytearray, kind: bytes, digest: bytes, value: bytes) -> int:
    """Make one change in what is kept of a bucket; return by how many bytes it has grown."""
    at = _position(records, digest)
    if at < 0:
        if kind == b"k":
            records += digest + _padded(value)
            return RECORD.size
        return 0
    if kind == b"k":
        records[at : at + RECORD.size] = digest + _padded(value)
    elif kind == b"x":
        del records[at : at + RECORD.size]
        return -RECORD.size
    elif kind == b"s":
        records[at + 8 : at + 12] = max(value, bytes(records[at + 8 : at + 12]))
    else:
        records[at + 12 : at + RECORD.size] = bytes(16)
    return 0


def _position(records: bytearray, digest: bytes) -> int:
    at = records.find(digest)
    while at >= 0 and at % RECORD.size:
        at = records.find(digest, at + 1)
    return at


def _hash(name: bytes) -> bytes:
    return hashlib.blake2b(name, digest_size=8).digest()


def _padded(value: bytes) -> bytes:
    return value.ljust(20, b"\0")
