"""A connector behind a real HTTP server, registered with an embedded manager: for the command line and the test kit."""

import threading
import warnings
from collections.abc import Callable, Iterable
from typing import Any, Self
from urllib.parse import quote

from attrs import evolve
from flask import Flask

from omni_connector.config import Settings
from omni_connector.connector_base import ConnectorBase
from omni_connector.local import HttpServer, LocalManager
from omni_connector.manager import ManagerApi, SdkClient
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.runtime.service import ConnectorService
from omni_connector.server import create_app, services

THREADS = 8
"""Requests that a served connector answers at once; the manager sends few."""

OPENING_SECONDS = 10.0


class LocalService:
    """Owns the server, the application and the service of one connector. ``close`` it.

    Args:
        connector: the connector.
        manager: a manager that runs.
        client: how the connector calls the manager; an ``SdkClient`` unless given. It is closed with the service.
        options: figures of the runtime, such as the size of batches.
        from_environ: read the other settings from the process's environment, as a served connector does.

    Attributes:
        url: base address, without a trailing slash.
        app: the Flask application that serves the connector protocol.
        service: the connector at work: its runs and their figures.

    Raises:
        ConfigurationError: a manager would reject the manifest, or variables of the environment are wrong; lists all.
        SdkClientError: the manager refuses to register the connector; the message says why.
    """

    app: Flask
    service: ConnectorService

    def __init__(
        self,
        connector: ConnectorBase,
        manager: LocalManager,
        *,
        client: ManagerApi | None = None,
        options: RuntimeOptions | None = None,
        from_environ: bool = False,
    ) -> None:
        self.connector = connector
        self.manager = manager
        self._client = client
        self._options = options
        self._environ = None if from_environ else dict[str, str]()
        self._closed = False
        self._late_application = _LateApplication()
        self._server = HttpServer(self._late_application, threads=THREADS, name="served-connector").start()
        self.url = self._server.url
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop: runs in progress are interrupted as when a process shuts down, then the server ends. Repeatable."""
        if self._closed:
            return
        self._closed = True
        if hasattr(self, "service"):
            self.service.close(quick=True)
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            warnings.warn(
                f"{type(self).__name__} was never closed", ResourceWarning, stacklevel=1, source=self
            )

    def _open(self) -> None:
        """Make the application for the address that the server got, then register it, now and every 30 s."""
        settings = Settings.beside_manager(self.manager.url, self.url, self._environ)
        if settings.inventory is None:  # It belongs to what this manager has.
            file = self.manager.data_dir.resolve() / "inventory.sqlite3"
            settings = evolve(settings, inventory=f"sqlite:///{quote(file.as_posix().lstrip('/'))}")
        self.app = create_app(
            self.connector, settings=settings, manager=self._client, options=self._options, register=False
        )
        self.service = next(iter(services(self.app).values()))
        self._late_application.open(self.app)
        if self.manager.takes_registrations:
            # Here and now, so that a rejection is the caller's error.
            with SdkClient(self.manager.url) as client:
                client.register(self.service.checked_manifest())
        for source_type in self.connector.source_types:
            self.manager.configure_connector(source_type, self.url)
        self.service.start()


class _LateApplication:
    """The application has to know its address, which the server knows only once it listens."""

    def __init__(self) -> None:
        self._opened = threading.Event()
        self._app: Flask

    def open(self, app: Flask) -> None:
        self._app = app
        self._opened.set()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self._opened.wait(OPENING_SECONDS)
        return self._app(environ, start_response)
