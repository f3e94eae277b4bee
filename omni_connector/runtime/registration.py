"""Announces the connector to the manager, again and again (PROTOCOL, section 2)."""

import logging
import threading
from collections.abc import Callable

from omni_connector.exceptions import ConnectorError
from omni_connector.manager.api import ManagerApi
from omni_connector.models.plain import JsonValue
from omni_connector.runtime.guarding import ENDS_A_PROCESS

log = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 0.25
BAD_REQUEST = 400
CLOSE_SECONDS = 2.0
"""How long ``close`` waits for a call in progress; its thread is a daemon, and runs wait to be delivered."""


class Registrar:
    """Registers every 30 s, in a thread of its own, until it is closed.

    The first attempts follow each other faster: the server may not listen yet, or the manager may just be starting.
    A manager that is down, or refuses, is said once; so is its return. When the manifest has changed, ``again`` does not
    wait for the next time.
    """

    def __init__(
        self, manager: ManagerApi, manifest: Callable[[], dict[str, JsonValue]], interval_seconds: float
    ) -> None:
        self._stopped = threading.Event()
        self._wake = threading.Event()  # Set to end a wait: the manifest has changed, or it is closed.
        self._manager = manager.interruptible(self._stopped)
        self._manifest = manifest
        self._interval_seconds = interval_seconds
        self._registered = False
        self._refused = False
        self._said: tuple[type[ConnectorError], int | None] | None = None  # The last kind of failure.
        self._thread = threading.Thread(target=self._run, name="omni-register", daemon=True)

    def start(self) -> None:
        """Start registering."""
        self._thread.start()

    def again(self) -> None:
        """Register at once, or right after the call that is under way; the manifest has changed."""
        self._wake.set()

    def close(self) -> None:
        """Stop registering; the manager forgets the connector after 300 s."""
        self._stopped.set()
        self._wake.set()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        delay = FIRST_RETRY_SECONDS
        while True:
            registered = self._register()
            if registered or self._registered:
                delay = self._interval_seconds
            self._wake.wait(delay)
            self._wake.clear()
            if self._stopped.is_set():
                return
            delay = min(delay * 2, self._interval_seconds)

    def _register(self) -> bool:
        try:
            manifest = self._manifest()
            self._manager.register(manifest)
        except ConnectorError as error:
            self._say_failure(error)
            return False
        except (
            Exception,
            *ENDS_A_PROCESS,
        ):  # The thread must survive a manifest that an override gets wrong.
            log.exception("The manifest could not be made")
            return False
        if not self._registered or self._said is not None:
            log.info("Registered with the manager: %s", manifest.get("name"))
        self._registered, self._said = True, None
        return True

    def _say_failure(self, error: ConnectorError) -> None:
        if self._stopped.is_set():
            return
        kind = type(error), getattr(error, "status", None)
        if kind[1] == BAD_REQUEST and not self._registered and not self._refused:
            self._refused = True  # Under some servers the first attempt is made a moment before they listen.
            log.info("The manager does not reach the connector yet; it is tried again by itself: %s", error)
            return
        level = logging.DEBUG if kind == self._said else logging.WARNING
        log.log(level, "Not registered with the manager; it is tried again by itself: %s", error)
        self._said = kind
