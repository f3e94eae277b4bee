"""A run store that can be away."""

from __future__ import annotations

from omni_connector.exceptions import RunStoreError
from omni_connector.runstore.memory import MemoryStore


class Shared(MemoryStore):
    """A store that several keepers share in this process, and that can be away."""

    is_shared = True

    def __init__(self, clock):
        super().__init__(clock)
        self.is_away = False
        self.calls = []

    def _reach(self, name):
        self.calls.append(name)
        if self.is_away:
            raise RunStoreError("away")

    def take(self, claim, seconds):
        self._reach("take")
        return super().take(claim, seconds)

    def renew(self, claims, seconds):
        self._reach("renew")
        return super().renew(claims, seconds)

    def release(self, claim):
        self._reach("release")
        super().release(claim)

    def holder(self, name):  # Can be read all the time, as a file that is locked.
        return super().holder(name)

    def put(self, name, value, seconds):
        self._reach("put")
        super().put(name, value, seconds)
