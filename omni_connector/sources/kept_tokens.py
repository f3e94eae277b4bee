"""Tokens in the connector state of a source, where runs, actions and processes find them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from attrs import define

from omni_connector.manager.api import ManagerApi
from omni_connector.masking import register_secret, secrets_in_settings

KEY = "omni_tokens"
"""Of the connector state: belongs to the SDK. What a connector saves under it is ignored."""

Notes = dict[str, Any]


@define
class _Own:
    """What this process has saved last, or is about to."""

    token: Notes
    is_saved: bool = False


class KeptTokens:
    """Keeps the tokens of one source at the manager; implements ``TokenPlace``. Safe to use from many threads.

    Saving is not a run's: it goes on when the run is cancelled, because the provider knows the new token only.

    Args:
        manager: keeps the connector state.
        lock: holds the connector state against the other processes.
    """

    def __init__(
        self, manager: ManagerApi, source_id: str, lock: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._manager = manager
        self._source_id = source_id
        self._lock = lock
        self._guard = threading.Lock()  # Protects the following.
        self._own: dict[str, _Own] = {}

    def read(self, name: str) -> Notes | None:
        """Return the newest token: what the manager has, or what this process could not save yet."""
        stored = _tokens(self._state()).get(name)
        with self._guard:
            own = self._own.get(name)
        if own is None or not _is_newer(own, stored):
            return stored if isinstance(stored, dict) else None
        self.save(name, own.token)
        return own.token

    def save(self, name: str, token: Notes) -> None:
        """Keep a token.

        Raises:
            SdkClientError: the manager does not take it. This process remembers it, and ``read`` tries again.
        """
        own = _Own(token)
        with self._guard:
            self._own[name] = own
        with self._lock():
            state = self._state()
            tokens = {**_tokens(state), name: token}
            self._manager.save_connector_state(self._source_id, {**state, KEY: tokens})
        own.is_saved = True

    @contextmanager
    def beside(self, notes: Notes) -> Iterator[Notes]:
        """Yield a connector's own notes, with the tokens beside them; nothing else changes the tokens meanwhile."""
        with self._lock():
            tokens = _tokens(self._state())
            own = {key: value for key, value in notes.items() if key != KEY}
            yield {**own, KEY: tokens} if tokens else own

    def _state(self) -> Notes:
        state = self._manager.source(self._source_id).connector_state
        if not isinstance(state, dict):
            return {}
        for secret in secrets_in_settings(state):
            register_secret(secret)
        return state


def _tokens(state: Notes) -> Notes:
    tokens = state.get(KEY)
    return tokens if isinstance(tokens, dict) else {}


def _is_newer(own: _Own, stored: Any) -> bool:
    """Say whether the manager lacks what this process has: it could not be saved, or was written over."""
    if not own.is_saved or not isinstance(stored, dict):
        return True
    is_same_chain = stored.get("origin") == own.token.get("origin")
    return is_same_chain and stored.get("serial", 0) < own.token.get("serial", 0)
