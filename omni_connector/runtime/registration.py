"""How a connector becomes known to the manager: the address at which it is mounted, who registers it, and how that went."""

import logging
import threading
from collections.abc import Callable

from omni_connector.config import Settings
from omni_connector.exceptions import ConfigurationError, ConnectorError
from omni_connector.forking import begins_anew
from omni_connector.manager.api import ManagerApi
from omni_connector.runstore.runs import SharedRuns
from omni_connector.runstore.turns import Turn
from omni_connector.runtime.manifest import Announcement
from omni_connector.runtime.registrar import Registrar
from omni_connector.runtime.registration_notes import RegistrationNotes

log = logging.getLogger(__name__)

ADDRESS_UNKNOWN = "its own address is unknown. Set CONNECTOR_HOST_NAME (with PORT) or CONNECTOR_URL to turn registration on."

REGISTRATIONS_KEPT = 3
"""How many intervals a registration counts without being renewed."""


class Registration:
    """Registers a connector from its start to its close. Safe to use from many threads.

    Args:
        settings: the connector's own address, and how often.
        shared: what the processes that serve it share; one of them registers.
    """

    def __init__(
        self, announcement: Announcement, manager: ManagerApi, settings: Settings, shared: SharedRuns
    ) -> None:
        self._announcement = announcement
        self._manager = manager
        self._settings = settings
        self._shared = shared
        self._lock = threading.Lock()  # Protects everything below.
        self._prefix: str | None = None  # None until it was started.
        self._registrar: Registrar | None = None
        self._notes: RegistrationNotes | None = None
        self._is_closed = False
        begins_anew(self)

    def after_fork(self) -> None:
        """Leave registering to the process that began it."""
        self._lock = threading.Lock()
        self._registrar = None

    def start(self, url_prefix: str, is_idle_process: Callable[[], bool | None] | None) -> bool:
        """Begin to register, once; False when that was done before, or it is closed.

        Raises:
            ConfigurationError: the manager would refuse the manifest, lists everything; or it is mounted elsewhere.
        """
        name = self._announcement.hooks.connector.name
        prefix = url_prefix.rstrip("/")
        with self._lock:
            if self._prefix not in {None, prefix}:
                raise ConfigurationError(
                    f"{name} is mounted at {self._prefix or '/'!r} already: make another blueprint for "
                    f"{prefix or '/'!r}, with create_blueprint(..., name=...)."
                )
            if self._prefix is not None or self._is_closed:
                return False
            address = self._settings.connector_url
            if address is not None:
                self._announcement.url = address + prefix
            self._announcement.warn_of_undispatchable(self._announcement.checked())
            self._prefix = prefix
            if address is None:
                log.warning("%s is not registered with the manager: %s", name, ADDRESS_UNKNOWN)
            else:
                self._begin(self._announcement.url, is_idle_process)
        return True

    def again(self) -> None:
        """Register at once: the MCP server offers something else than before, and its lists are known now."""
        self._announcement.warn_of_undispatchable(self._announcement.manifest())
        with self._lock:
            registrar = self._registrar
        if registrar is not None:
            registrar.again()

    def state(self) -> str:
        """Say how the connector is registered.

        Raises:
            ConnectorError: it is not, or that cannot be known now; says why.
        """
        if self._is_closed:
            raise ConnectorError("the process ends")
        if self._prefix is None:
            return "off: nothing has asked for it"
        if self._notes is None:
            raise ConnectorError(ADDRESS_UNKNOWN)
        return self._notes.state()

    def close(self) -> None:
        """Stop registering, for good; may be called again."""
        with self._lock:
            self._is_closed = True
            registrar, self._registrar = self._registrar, None
        if registrar is not None:
            registrar.close()

    def _begin(self, url: str, is_idle_process: Callable[[], bool | None] | None) -> None:
        interval = self._settings.registration_interval_seconds
        self._notes = RegistrationNotes(self._shared, url, REGISTRATIONS_KEPT * interval)
        self._registrar = Registrar(
            self._manager,
            self._announcement.manifest,
            interval,
            turn=Turn(self._shared.keeper, f"register/{url}"),
            notes=self._notes,
            is_idle_process=is_idle_process,
        )
        self._registrar.start()
