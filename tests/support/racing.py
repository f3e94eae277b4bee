"""A process that claims the same name as others, at the same moment, again and again.

    python -m support.racing STORE CONNECTOR START RESULT

It claims once for each byte that it reads from the descriptor START, and writes one byte for each claim to RESULT.
"""

from __future__ import annotations

import os
import sys

from omni_connector.exceptions import RunStoreError
from omni_connector.runstore.opening import open_store
from omni_connector.runstore.store import Claim, RunStore

WON, LOST, FAILED = b"w", b"l", b"f"


def race(store: RunStore, start: int, result: int) -> None:
    """Claim until START is closed; each round has a name of its own."""
    number = 0
    while os.read(start, 1):
        number += 1
        os.write(result, outcome(store, f"slot-{number}"))


def outcome(store: RunStore, name: str) -> bytes:
    try:
        return WON if store.take(Claim.of(name), 60) is None else LOST
    except RunStoreError:
        return FAILED


if __name__ == "__main__":
    race(open_store(*sys.argv[1:3]), int(sys.argv[3]), int(sys.argv[4]))
