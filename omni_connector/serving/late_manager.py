"""The manager of an application that is made before the address of its manager is known."""

import threading
from typing import Any, cast

from omni_connector.config import Settings
from omni_connector.manager import ManagerApi, SdkClient
from omni_connector.manager.gate import Permits
from omni_connector.telemetry.instruments import Instruments


def manager_of_environment(
    permits: Permits | None = None, instruments: Instruments | None = None
) -> ManagerApi:
    """Return the manager that ``CONNECTOR_MANAGER_URL`` names when it is first called.

    Test suites make the application first and start a manager later. Until the variable names an address, every call
    raises the ``ConfigurationError`` that says what to set.
    """
    return cast("ManagerApi", _LateManager(permits, instruments or Instruments()))


class _LateManager:
    """Passes everything on to an ``SdkClient``, made when it is first needed."""

    def __init__(self, permits: Permits | None, instruments: Instruments) -> None:
        self._permits = permits
        self._instruments = instruments
        self._lock = threading.Lock()  # Protects _client.
        self._client: SdkClient | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made(), name)

    def close(self) -> None:
        """Close the client, if there is one."""
        with self._lock:
            if self._client is not None:
                self._client.close()

    def _made(self) -> SdkClient:
        with self._lock:
            if self._client is None:
                self._client = SdkClient.of(Settings.from_environ())
                if self._permits is not None:
                    self._client.share_extractions(self._permits)
                self._client.observe(self._instruments.metrics, self._instruments.tracing)
            return self._client
