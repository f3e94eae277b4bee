"""The manager of an application that is made before the address of its manager is known."""

import functools
import threading
from typing import Any, cast

from omni_connector.manager import ManagerApi, SdkClient

_SETTERS = frozenset({"limit_contents", "when_overloaded"})
"""Methods that a service calls when it is made; their values are given to the client when there is one."""


def manager_of_environment() -> ManagerApi:
    """Return the manager that ``CONNECTOR_MANAGER_URL`` names when it is first called.

    Test suites make the application first and start a manager later. Until the variable names an address, every call
    raises the ``ConfigurationError`` that says what to set.
    """
    return cast("ManagerApi", _LateManager())


class _LateManager:
    """Passes everything on to an ``SdkClient``, made when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # Protects _client.
        self._client: SdkClient | None = None
        self._settings: dict[str, tuple[Any, ...]] = {}

    def __getattr__(self, name: str) -> Any:
        if name in _SETTERS:
            return functools.partial(self._set, name)
        return getattr(self._made(), name)

    def close(self) -> None:
        """Close the client, if there is one."""
        with self._lock:
            if self._client is not None:
                self._client.close()

    def _set(self, name: str, *values: Any) -> None:
        with self._lock:
            self._settings[name] = values
            client = self._client
        if client is not None:
            getattr(client, name)(*values)

    def _made(self) -> SdkClient:
        with self._lock:
            if self._client is None:
                client = SdkClient.from_environ()
                for name, values in self._settings.items():
                    getattr(client, name)(*values)
                self._client = client
            return self._client
