"""What stands for a shelf of an inventory in keys and rows."""

import functools
import hashlib

from omni_connector.inventory.storage import Shelf
from omni_connector.models.codec import encode


@functools.lru_cache(maxsize=1024)
def number_of(namespace: str, shelf: Shelf) -> int:
    """Return 63 bits made of the names: nothing hands numbers out, so that a place that was lost gives none of them twice."""
    name = encode([namespace, shelf.source, shelf.scope])
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest()) >> 1
