"""A run store that a test can take away and give back."""

from __future__ import annotations

import functools
from typing import Any

from omni_connector.exceptions import RunStoreError


class SwitchableStore:
    """Passes calls on to a store, and raises ``RunStoreError`` while ``is_away``."""

    def __init__(self, store) -> None:
        self._store = store
        self.is_shared = store.is_shared
        self.label = store.label
        self.is_away = False
        self.refused = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        return method if name == "close" else functools.partial(self._call, method)

    def _call(self, method, *args):
        if self.is_away:
            self.refused += 1
            raise RunStoreError("The run store is away")
        return method(*args)
