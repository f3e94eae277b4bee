"""The only place where the parts are joined: settings, manager client, service, blueprint, application, gunicorn."""

import functools
import logging
import os
from collections.abc import Mapping
from typing import Any

from attrs import evolve
from flask import Blueprint, Flask
from flask.blueprints import BlueprintSetupState

from omni_connector.config import CELERY, Settings, in_address, port_from_environ, wsgi_target
from omni_connector.connector_base import ConnectorBase
from omni_connector.connector_base.source_types import EVERY_TYPE, note_on_source_types
from omni_connector.exceptions import ConfigurationError
from omni_connector.executors.celery_app import CeleryQueue, make_celery_app
from omni_connector.manager import ManagerApi, SdkClient
from omni_connector.manager.means import PARALLEL_EXTRACTIONS
from omni_connector.runstore.permits import Permits
from omni_connector.runstore.runs import SharedRuns
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.runtime.service import ConnectorService
from omni_connector.serving.gunicorn_server import (
    GunicornServer,
    readable_at_start,
    require_free_address,
    startup_message,
)
from omni_connector.serving.gunicorn_worker import (
    attend,
    limits_of,
    warn_of_settings,
    worker_of_this_process,
)
from omni_connector.serving.late_manager import manager_of_environment
from omni_connector.serving.opening import address_of, make_instruments, open_run_inventories, open_run_store
from omni_connector.serving.processes import (
    CELERY_REMEDY,
    as_account_of_workers,
    is_inside_gunicorn,
    is_preloading,
    is_reloader_parent,
    require_own_process,
    require_real_threads,
    workers_of_server,
)
from omni_connector.target import load_connector
from omni_connector.telemetry.logs import offer_logging
from omni_connector.web.asgi import Application, AsgiApplication
from omni_connector.web.blueprint import EXTENSION, build_blueprint
from omni_connector.web.errors import register_error_handlers

__all__ = [
    "as_asgi", "close_services", "create_app", "create_blueprint", "serve", "service_of", "services",
]  # fmt: skip

log = logging.getLogger(__name__)


@readable_at_start()
def create_blueprint(
    connector: ConnectorBase,
    *,
    settings: Settings | None = None,
    manager: ManagerApi | None = None,
    name: str | None = None,
    register: bool = True,
    options: RuntimeOptions | None = None,
) -> Blueprint:
    """Return a Flask blueprint that serves ``connector``, to be mounted in an application under any prefix.

    Registration with the manager begins when it is mounted, in the process that serves.

    Args:
        connector: the connector.
        settings: read from the environment unless given. ``CONNECTOR_MANAGER_URL`` may then be set later, before the manager
            is first called, except under gunicorn.
        manager: how to reach the manager; an ``SdkClient`` of the settings unless given.
        name: of the blueprint; needed to mount one connector twice.
        register: announce the connector to the manager.
        options: figures of the runtime, for tests and measurements.

    Raises:
        ConfigurationError: the environment is incomplete (lists everything), the run store can never be used, or the
            process has greenlets instead of threads. Mounting raises it as well, when the manager would reject the manifest.
    """
    require_real_threads()
    require_own_process()
    is_given = settings is not None
    if settings is None:
        # A process that serves needs the address of the manager now, a test suite may set it later.
        settings = Settings.from_environ(needs_manager=is_inside_gunicorn())
    offer_logging(settings.log)
    options = options or RuntimeOptions()
    if settings.executor == CELERY:
        options = evolve(options, queue=CeleryQueue(make_celery_app(settings, connector.name)))
    with as_account_of_workers():
        shared = SharedRuns.of(open_run_store(connector, settings))
        address = None if workers_of_server() is None else address_of(settings)
        instruments = options.instruments or make_instruments(connector, settings, shared_at=address)
        options = evolve(options, instruments=instruments)
    permits = Permits(shared.keeper, "extraction", PARALLEL_EXTRACTIONS) if shared.is_shared else None
    if manager is None:
        manager = SdkClient.of(settings) if is_given else manager_of_environment(permits, instruments)
    if options.inventory is None:
        options = evolve(options, inventory=open_run_inventories(connector, settings))
    if isinstance(manager, SdkClient):
        if permits is not None:
            manager.share_extractions(permits)
        manager.observe(instruments.metrics, instruments.tracing)
    service = ConnectorService(connector, settings, manager, options=options, shared=shared)
    blueprint = build_blueprint(service, name=name)
    if register:
        blueprint.record(functools.partial(_start, service))
    return blueprint


def create_app(
    connector: ConnectorBase,
    *,
    settings: Settings | None = None,
    manager: ManagerApi | None = None,
    register: bool = True,
    options: RuntimeOptions | None = None,
) -> Flask:
    """Return an application that serves ``connector``; arguments and errors as for ``create_blueprint``.

    It is a Flask application, for WSGI servers; ASGI servers can run it, too (with the extra ``asgi``).
    """
    app = Application("omni_connector", close=close_services)
    register_error_handlers(app)
    app.register_blueprint(
        create_blueprint(connector, settings=settings, manager=manager, register=register, options=options)
    )
    return app


def create_app_from_environ(environ: Mapping[str, str] | None = None) -> Flask:
    """Return the application of the connector that ``OMNI_CONNECTOR`` names.

    Raises:
        ConfigurationError: lists everything that is missing or wrong.
    """
    return create_app(_connector_of(environ), settings=Settings.from_environ(environ))


def create_worker_from_environ() -> Any:
    """Return the Celery application whose workers execute the runs of the connector that ``OMNI_CONNECTOR`` names.

    Raises:
        ConfigurationError: lists everything that is missing or wrong, or the worker's pool has greenlets instead of threads.
    """
    require_real_threads(CELERY_REMEDY)
    environ = {**os.environ, "OMNI_EXECUTOR": CELERY}
    connector = _connector_of(environ)
    settings = Settings.from_environ(environ)
    app = make_celery_app(settings, connector.name)
    from omni_connector.executors.celery_worker import CeleryWorker  # noqa: PLC0415 - needs the extra [celery].

    shared = SharedRuns.of(open_run_store(connector, settings))
    manager = SdkClient.of(settings)
    manager.share_extractions(Permits(shared.keeper, "extraction", PARALLEL_EXTRACTIONS))
    address = None if settings.metrics_port is None else f"celery-metrics-{settings.metrics_port}"
    instruments = make_instruments(connector, settings, shared_at=address)
    manager.observe(instruments.metrics, instruments.tracing)
    inventories = open_run_inventories(connector, settings)
    options = RuntimeOptions(instruments=instruments, partition_queue=CeleryQueue(app), inventory=inventories)
    CeleryWorker(app, ConnectorService(connector, settings, manager, options=options, shared=shared))
    return app


def _connector_of(environ: Mapping[str, str] | None) -> ConnectorBase:
    target, problems = wsgi_target(environ)
    connector = None
    if target:
        try:
            connector = load_connector(target)
        except ConfigurationError as error:
            problems += [f"OMNI_CONNECTOR={target}: {problem}" for problem in error.problems]
    if connector is None or problems:
        raise ConfigurationError(problems)
    return connector


def as_asgi(app: Flask) -> AsgiApplication:
    """Return any Flask application in which connectors are mounted as an application for ASGI servers.

    When the server shuts down (its ``lifespan``), the connectors' services are closed.

    Raises:
        ConfigurationError: the extra ``asgi`` is not installed.
    """
    return AsgiApplication(app, functools.partial(close_services, app))


def close_services(app: Flask) -> None:
    """Stop what the connectors mounted in ``app`` have started, as the end of the process would."""
    for service in services(app).values():
        service.close()


def services(app: Flask) -> dict[str, ConnectorService]:
    """Return the services mounted in ``app``, by blueprint name."""
    found: dict[str, ConnectorService] = app.extensions.get(EXTENSION, {})
    return found


def service_of(app: Flask, connector_name: str | None = None) -> ConnectorService:
    """Return a service mounted in ``app``: the only one, or that of the connector of this name.

    Its ``manager`` has a method for everything that can be asked of the manager, and ``start_own_run`` opens a run: what
    a webhook receiver beside the connector needs.

    Args:
        app: the application, or ``current_app``.
        connector_name: the connector's ``name``; left out where only one is mounted.

    Raises:
        ConfigurationError: there is none, or several and no name was given.
    """
    mounted = services(app).values()
    found = [each for each in mounted if connector_name in {None, each.connector.name}]
    if len(found) != 1:
        names = ", ".join(sorted(each.connector.name for each in mounted)) or "none"
        wanted = f"named {connector_name!r}" if connector_name else "alone"
        raise ConfigurationError(
            f"No connector {wanted} is mounted in this application. Mounted: {names}. "
            "Mount one with create_blueprint, and give its name where there are several."
        )
    return found[0]


def serve(connector: ConnectorBase, *, port: int | None = None, host: str = "0.0.0.0") -> None:  # noqa: S104
    """Serve ``connector`` with gunicorn and the settings of ``gunicorn_conf`` until the process is asked to stop.

    Args:
        connector: the connector.
        port: where to listen; left out, the variable ``PORT``, then 8000; 0 takes a free one.
        host: address to listen on.

    Raises:
        SystemExit: the environment is incomplete (with a readable message), or gunicorn has ended.
    """
    try:
        port = port_from_environ() if port is None else port
        # A port that is not known yet cannot be registered by host name.
        own = {"PORT": str(port)} if port else {"PORT": "", "CONNECTOR_HOST_NAME": ""}
        settings = Settings.from_environ({**os.environ, **own})
        require_free_address(host, port)
    except ConfigurationError as error:
        raise SystemExit(startup_message(error)) from None
    make_app = functools.partial(create_app, connector, settings=settings)
    GunicornServer(make_app, f"{in_address(host)}:{port}").run()


@readable_at_start()
def _start(service: ConnectorService, state: BlueprintSetupState) -> None:
    """Start the service now, or, under ``gunicorn --preload``, in each worker after it was forked."""
    prefix = state.url_prefix or ""
    note = note_on_source_types(service.connector.source_types)
    if note is not None:
        log.warning("%s: %s %s", service.connector.name, note, EVERY_TYPE)
    try:
        if not is_preloading():
            _begin(service, prefix)
            return
        service.checked_manifest()  # An error that is raised right after a fork would be lost.
    except ConfigurationError:
        service.close()
        raise
    master = os.getpid()

    def start_in_worker() -> None:
        if os.getppid() == master:  # Not in processes that a connector forks later.
            _begin(service, prefix, is_forked=True)

    os.register_at_fork(after_in_child=start_in_worker)


def _begin(service: ConnectorService, prefix: str, *, is_forked: bool = False) -> None:
    """Start the service in the process that serves."""
    worker = worker_of_this_process()
    limits = None if worker is None else limits_of(worker)
    start = functools.partial(
        service.start, url_prefix=prefix, is_idle_process=is_reloader_parent, limits=limits
    )
    is_early = is_forked and worker is not None  # The worker is still root where it is started with --user.
    if not is_early:
        start()
    if worker is not None:
        warn_of_settings(worker)
        attend(worker, service.drain, service.settings.log, start if is_early else None)
