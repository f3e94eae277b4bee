"""Announces the connector to the manager, again and again (PROTOCOL, section 2)."""

import logging
import threading
from collections.abc import Callable
from http import HTTPStatus

from omni_connector.exceptions import (
    ConfigurationError,
    ConnectorError,
    ManagerUnreachableError,
    UnsupportedByManagerError,
)
from omni_connector.manager.api import ManagerApi
from omni_connector.manager.sessions import without_secrets
from omni_connector.models.json_values import JsonValue
from omni_connector.runstore.turns import Turn
from omni_connector.runtime.hooks import ENDS_A_PROCESS
from omni_connector.runtime.registration_notes import RegistrationNotes

log = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 0.25
UNSET_RETRY_SECONDS = 1.0
"""How often it is looked whether the address of the manager was set."""

TURN_SECONDS = 5.0
"""Between two looks whether the process that registers has ended; its lease lasts 15 s, the interval is 30 s."""

LOADING_LOOK_SECONDS = 0.01
LOADING_LOOKS = 500
"""Looks whether this process will serve, before its first registration. Counted, as on a busy machine loading takes longer."""

CLOSE_SECONDS = 2.0
"""How long ``close`` waits for a call in progress; its thread is a daemon, and runs wait to be delivered."""

UNREACHED = "health check failed"
"""What the manager says when its ``GET {connector_url}/health`` failed (manager.openapi.yaml, ``/sdk/register``)."""


class Registrar:
    """Registers every 30 s, in a thread of its own, until it is closed.

    The first attempts follow each other faster: the server may not listen yet, or the manager may just be starting. A
    manager that is down or refuses is logged once, and so is its return. ``again`` registers at once: the manifest has
    changed.

    Args:
        manifest: makes the manifest; called for each registration.
        interval_seconds: between two registrations.
        turn: says whether it is this process that registers, of several that serve the connector; left out, it is.
        notes: tell all processes how it went.
        is_idle_process: says whether this process never answers a request, so that another registers; asked each time.
            At first it may not be known yet (None), while the application is loaded.
    """

    def __init__(
        self,
        manager: ManagerApi,
        manifest: Callable[[], dict[str, JsonValue]],
        interval_seconds: float,
        *,
        turn: Turn | None = None,
        notes: RegistrationNotes | None = None,
        is_idle_process: Callable[[], bool | None] | None = None,
    ) -> None:
        self._stopped = threading.Event()
        self._wake = threading.Event()  # Set to end a wait: the manifest has changed, or it is closed.
        self._manager = manager
        self._manifest = manifest
        self._interval_seconds = interval_seconds
        self._turn = turn
        self._notes = notes
        self._is_idle_process = is_idle_process
        self._is_changed = (
            False  # The manifest: this process registers it once, also when it is another's turn.
        )
        self._registered = False
        self._refused = False
        self._is_unset = False  # The address of the manager is not known yet.
        self._logged: tuple[type[ConnectorError], int | None] | None = None  # The last kind of failure.
        self._thread = threading.Thread(target=self._run, name="omni-register", daemon=True)

    def start(self) -> None:
        """Start registering."""
        self._thread.start()

    def again(self) -> None:
        """Register at once, or right after the call in progress; the manifest has changed."""
        self._is_changed = True
        self._wake.set()

    def close(self) -> None:
        """Stop registering; the manager forgets the connector after 300 s."""
        self._stopped.set()
        self._wake.set()
        self._thread.join(CLOSE_SECONDS)
        if self._turn is not None:
            self._turn.end()

    def _run(self) -> None:
        delay = FIRST_RETRY_SECONDS
        self._wait_until_loaded()
        while not self._stopped.is_set():
            if self._is_idle_process is not None and self._is_idle_process():
                log.debug(
                    "This process does not serve the connector, and leaves registering to the one that does"
                )
                if self._turn is not None:
                    self._turn.end()
                return
            is_changed, self._is_changed = self._is_changed, False
            if self._turn is not None and not self._turn.is_mine() and not is_changed:
                self._wake.wait(TURN_SECONDS)
                self._wake.clear()
                continue
            if self._register() or self._registered:
                delay = self._interval_seconds
            self._wake.wait(delay)
            self._wake.clear()
            delay = min(delay * 2, UNSET_RETRY_SECONDS if self._is_unset else self._interval_seconds)

    def _wait_until_loaded(self) -> None:
        """Wait until it is known whether this process answers requests, or that stays unknown for long."""
        for _ in range(LOADING_LOOKS):
            if self._is_idle_process is None or self._is_idle_process() is not None:
                return
            if self._stopped.wait(LOADING_LOOK_SECONDS):
                return

    def _register(self) -> bool:
        try:
            manifest = self._manifest()
            # Not before: the address of the manager may be set after the connector was made.
            self._manager.for_run(self._stopped).register(manifest)
        except ConnectorError as error:
            self._is_unset = isinstance(error, ConfigurationError)
            self._log_failure(error)
            self._note_failure(error)
            return False
        except (
            Exception,
            *ENDS_A_PROCESS,
        ):  # The thread must survive a manifest that an override gets wrong.
            log.exception("The manifest could not be made")
            self._note_failure(ConnectorError("the manifest could not be made; see the log"))
            return False
        if not self._registered or self._logged is not None:
            log.info(
                "Registered at %s as %s, reached at %s",
                without_secrets(getattr(self._manager, "manager_url", "")) or "the manager",
                manifest.get("name"),
                manifest.get("connector_url"),
            )
        self._registered, self._logged = True, None
        if self._notes is not None:
            self._notes.registered()
        return True

    def _note_failure(self, error: ConnectorError) -> None:
        if self._notes is None:
            return
        if isinstance(error, UnsupportedByManagerError):
            self._notes.registered(f"not needed: {error}")
        else:
            self._notes.failed(str(error))

    def _log_failure(self, error: ConnectorError) -> None:
        if self._stopped.is_set():
            return
        status = getattr(error, "status", None)
        is_unreached = status == HTTPStatus.BAD_REQUEST and UNREACHED in str(error)
        if is_unreached and not self._registered and not self._refused:
            self._refused = True  # Under some servers the first attempt is made a moment before they listen.
            log.info("The manager does not reach the connector yet; registration is repeated: %s", error)
            return
        kind = type(error), status
        if self._registered and isinstance(error, ManagerUnreachableError):  # Said once, by the client.
            log.debug("Not registered again: %s", error)
            return
        level = logging.DEBUG if kind == self._logged else logging.WARNING
        remedy = REACHABLE if is_unreached else ""
        log.log(level, "Not registered with the manager; registration is repeated: %s%s", error, remedy)
        self._logged = kind


REACHABLE = (
    " The manager calls the connector at this address. Set CONNECTOR_HOST_NAME to a host name that the manager's machine "
    "resolves (with containers, the name of the connector's service), PORT to the port at which it reaches the connector, "
    "or CONNECTOR_URL to the whole address, and check that nothing blocks the port"
)
"""Follows the manager's own text, which names the address."""
