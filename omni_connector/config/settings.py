"""Settings, read once from the environment by the process that starts.

``variables`` declares what is read, with its meaning and default. Nothing reads the environment at import, and nothing else
in the package reads it at all.

Unless ``OMNI_RUN_STORE`` is set, the workers of gunicorn, and those of ``uvicorn --workers``, share a SQLite file in the folder
for temporary files. Any other server is expected to be one process, which keeps in memory what it runs.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from attrs import evolve, field, frozen

from omni_connector.config.addresses import in_address
from omni_connector.config.problems import (
    all_problems,
    log_problems,
    manager_problems,
    port_problems,
    problems_beside_manager,
)
from omni_connector.config.variables import (
    DEFAULT_PORT,
    NUMBERS,
    PASSED_ON,
    THREADS,
    log_values,
    text_of,
    url_of,
)
from omni_connector.exceptions import ConfigurationError
from omni_connector.manager_access import CA, ManagerAccess, access_problems
from omni_connector.masking import secrets_in, secrets_in_settings


@frozen
class LogSettings:
    """What is logged, and how, where the application has not configured that itself.

    Attributes:
        level: ``DEBUG``, ``INFO``, ``WARNING``, ``ERROR`` or ``CRITICAL``.
        form: ``text`` or ``json``.
    """

    level: str = "INFO"
    form: str = "text"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> "LogSettings":
        """Read ``LOG_LEVEL`` and ``LOG_FORMAT``.

        Raises:
            ConfigurationError: one of them cannot be understood.
        """
        environ = os.environ if environ is None else environ
        _refuse(log_problems(environ))
        level, form = log_values(environ)
        return cls(level or "INFO", form or "text")


@frozen(kw_only=True)
class Settings:
    """How this process reaches the manager and is reached by it: the environment's variables under other names.

    Attributes:
        manager_url: without a trailing slash.
        connector_url: without a trailing slash; None: the connector is not registered.
        max_body_bytes: 413 beyond it.
        max_total_body_bytes: no single body may be larger than this either.
        registration_interval_seconds: PROTOCOL, section 2.
        parallel_uploads: None adapts to the manager's speed.
        retry_seconds: then the run fails.
        stalled_seconds: then the run is logged as stalled, and heartbeats stop.
        max_concurrent_syncs: per process.
        max_concurrent_actions: per process; None takes three quarters of the server's threads.
        action_seconds: the manager waits 30 s; under the bare ``sync`` worker of gunicorn less than its ``timeout``.
        shutdown_seconds: under gunicorn, its ``graceful_timeout`` where that is shorter.
        catalog_cache_dir: None keeps it in memory only.
        catalog_cache_ttl_seconds: 0 is not at all.
        run_store: None lets the server decide.
        inventory: None takes the place of the run store.
        executor: ``threads`` or ``celery``.
        broker_url: may have a password; None without Celery.
        auth_token: accepted bearer tokens, separated by commas; None: no token is needed.
        auth_token_file: the same in a file, a token a line.
        access: what the manager is called with, beside its address.
        progress_seconds: 0 is never.
        log: used where the application has not configured logging.
        queue_seconds: then the manager finds the sync lost and resumes it; it does so three times.
        metrics_port: where a Celery worker answers ``GET /metrics``; None: nowhere.
        traces_exporter: where traces are sent, by OpenTelemetry's name for it; None: nowhere, or as the application has it.
    """

    manager_url: str
    connector_url: str | None = None
    max_body_bytes: int = 1024**3
    max_total_body_bytes: int = 1024**3
    registration_interval_seconds: float = 30.0
    parallel_uploads: int | None = None
    retry_seconds: float = 300
    stalled_seconds: float = 900
    max_concurrent_syncs: int = 200
    max_concurrent_actions: int | None = None
    action_seconds: float = 28
    shutdown_seconds: float = 30
    catalog_cache_dir: Path | None = None
    catalog_cache_ttl_seconds: float = 86400
    run_store: str | None = field(default=None, repr=False)
    inventory: str | None = field(default=None, repr=False)
    executor: str = THREADS
    broker_url: str | None = field(default=None, repr=False)
    queue_seconds: float = 300
    metrics_port: int | None = None
    traces_exporter: str | None = None
    auth_token: str | None = field(default=None, repr=False)
    auth_token_file: Path | None = None
    access: ManagerAccess = field(factory=ManagerAccess)
    progress_seconds: float = 30
    log: LogSettings = field(factory=LogSettings)

    @property
    def secrets(self) -> frozenset[str]:
        """The values among these that no text may show that leaves the process."""
        addresses = [self.manager_url, self.run_store, self.inventory, self.broker_url]
        named = [*(self.auth_token or "").split(","), *(value for _, value in self.access.headers)]
        return secrets_in_settings(addresses) | secrets_in(named)

    @classmethod
    def from_environ(
        cls, environ: Mapping[str, str] | None = None, *, needs_manager: bool = True
    ) -> "Settings":
        """Read the settings.

        Args:
            environ: the variables; the process's own unless given.
            needs_manager: False accepts that ``CONNECTOR_MANAGER_URL`` is not set yet, or has port 0; ``manager_url`` is
                then empty.

        Raises:
            ConfigurationError: lists everything that is missing or wrong, each with the line to type.
        """
        environ = os.environ if environ is None else environ
        is_later = not needs_manager and _names_no_manager_yet(environ)
        _refuse(all_problems(environ, needs_manager=not is_later))
        manager_url = "" if is_later else url_of(environ, "CONNECTOR_MANAGER_URL")
        settings = cls.beside_manager(manager_url, _connector_url(environ), environ)
        token_file = environ.get("CONNECTOR_AUTH_TOKEN_FILE")
        return evolve(
            settings,
            auth_token=environ.get("CONNECTOR_AUTH_TOKEN"),
            auth_token_file=None if token_file is None else Path(token_file),
            access=ManagerAccess.from_environ(environ),
        )

    @classmethod
    def beside_manager(
        cls, manager_url: str, connector_url: str | None, environ: Mapping[str, str] | None = None
    ) -> "Settings":
        """As ``from_environ``, except the two addresses, which are known where the manager runs in this process.

        Neither asks the other for tokens there.
        """
        environ = os.environ if environ is None else environ
        _refuse(problems_beside_manager(environ))
        given = {number.field: text_of(environ, number.name) for number in NUMBERS}
        numbers: dict[str, Any] = {name: int(text) for name, text in given.items() if text}
        folder = text_of(environ, "CATALOG_CACHE_DIR")
        return cls(
            manager_url=manager_url,
            connector_url=connector_url,
            catalog_cache_dir=Path(folder) if folder else None,
            run_store=text_of(environ, "OMNI_RUN_STORE") or None,
            inventory=text_of(environ, "OMNI_INVENTORY") or None,
            executor=text_of(environ, "OMNI_EXECUTOR") or THREADS,
            broker_url=text_of(environ, "OMNI_BROKER_URL") or None,
            log=LogSettings.from_environ(environ),
            traces_exporter=_traces_exporter(environ),
            **numbers,
        )


def _refuse(problems: list[str]) -> None:
    if problems:
        raise ConfigurationError(problems)


def manager_from_environ(environ: Mapping[str, str] | None = None) -> tuple[str, ManagerAccess]:
    """Return ``CONNECTOR_MANAGER_URL``, without a trailing slash, and what belongs to it.

    Raises:
        ConfigurationError: lists what is wrong with them.
    """
    environ = os.environ if environ is None else environ
    _refuse(manager_problems(environ) + access_problems(environ))
    return url_of(environ, "CONNECTOR_MANAGER_URL"), ManagerAccess.from_environ(environ)


def port_from_environ(environ: Mapping[str, str] | None = None) -> int:
    """Return ``PORT``, or 8000; a ConfigurationError says that it is not a port."""
    environ = os.environ if environ is None else environ
    _refuse(port_problems(environ))
    return int(text_of(environ, "PORT") or DEFAULT_PORT)


def wsgi_target(environ: Mapping[str, str] | None = None) -> tuple[str, list[str]]:
    """Return what ``OMNI_CONNECTOR`` names, and everything that keeps the process from starting."""
    environ = os.environ if environ is None else environ
    target = text_of(environ, "OMNI_CONNECTOR")
    problem = "OMNI_CONNECTOR is not set: it names the connector class."
    missing = [] if target else [f"{problem} Type: export OMNI_CONNECTOR=package.module:Class"]
    return target, missing + all_problems(environ)


def ca_bundle_variable(path: str) -> str | None:
    """Return the variable that names a file of certificates of authorities, or None."""
    names = (CA, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # requests reads the last two.
    return next((name for name in names if os.environ.get(name) == path), None)


def passed_on_environment() -> dict[str, str]:
    """Return the variables that foreign processes are given; none of our settings and secrets."""
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}


def variable(name: str) -> str | None:
    """Return a variable that a user has named on the command line; None where it is not set."""
    return os.environ.get(name)


def _connector_url(environ: Mapping[str, str]) -> str | None:
    whole = url_of(environ, "CONNECTOR_URL")
    host = text_of(environ, "CONNECTOR_HOST_NAME")
    if whole or not host:
        return whole or None
    return f"http://{in_address(host)}:{port_from_environ(environ)}"


def _traces_exporter(environ: Mapping[str, str]) -> str | None:
    """Return the exporter that OpenTelemetry's own variables choose; None when they ask for no traces."""
    wanted = text_of(environ, "OTEL_TRACES_EXPORTER").partition(",")[0].strip()
    addresses = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    if not wanted and any(text_of(environ, name) for name in addresses):
        wanted = "otlp"
    if wanted in {"", "none"} or text_of(environ, "OTEL_SDK_DISABLED").lower() == "true":
        return None
    if wanted != "otlp":
        return wanted
    names = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    protocol = next((text for text in (text_of(environ, name) for name in names) if text), "http/protobuf")
    return "otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"


def _names_no_manager_yet(environ: Mapping[str, str]) -> bool:
    url = url_of(environ, "CONNECTOR_MANAGER_URL")
    try:
        return not url or urlsplit(url).port == 0
    except ValueError:
        return False
