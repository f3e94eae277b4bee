"""Opens what the settings name for a connector that is served: run store, inventories, metrics and traces."""

import importlib.util
import logging
import sys
from typing import TYPE_CHECKING

from omni_connector.config import CELERY, Settings, port_from_environ
from omni_connector.connector_base import ConnectorBase
from omni_connector.exceptions import ConfigurationError
from omni_connector.inventory.storage import InventoryStorage
from omni_connector.runstore.inventory_opening import beside, open_inventories, open_inventories_of_workers
from omni_connector.runstore.memory import MemoryStore
from omni_connector.runstore.opening import folder_of_workers, open_store, open_store_of_workers
from omni_connector.runstore.store import RunStore
from omni_connector.serving.processes import (
    workers_of_server,
)
from omni_connector.telemetry.instruments import Instruments
from omni_connector.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from omni_connector.telemetry.tracing import Tracing

log = logging.getLogger(__name__)


def open_run_store(connector: ConnectorBase, settings: Settings) -> RunStore:
    """Return the run store: the one that is set, or one for the processes of this server.

    Raises:
        ConfigurationError: it can never work.
    """
    workers = workers_of_server()
    if settings.run_store == "memory" and (workers or 1) > 1:
        raise ConfigurationError(
            f"OMNI_RUN_STORE=memory is for one process, and this server has {workers}: none would know the runs of the "
            "others. Type: unset OMNI_RUN_STORE (or set it to sqlite:///... or redis://...)"
        )
    if settings.run_store is not None:
        if settings.executor == CELERY and settings.run_store.startswith("sqlite:"):
            log.warning("OMNI_RUN_STORE is a SQLite file: the Celery workers must run on this machine")
        return open_store(settings.run_store, connector.name)
    if workers is not None:  # gunicorn may have several later, by a signal.
        return open_store_of_workers(connector.name, address_of(settings))
    return MemoryStore()


def open_run_inventories(connector: ConnectorBase, settings: Settings) -> InventoryStorage:
    """Return where the inventories are kept: at the place that is set, or next to a run store that lasts."""
    for url in (settings.inventory, beside(settings.run_store)):
        if url is not None:
            return open_inventories(url, connector.name)
    return open_inventories_of_workers(connector.name, address_of(settings))


def make_instruments(connector: ConnectorBase, settings: Settings, *, shared_at: str | None) -> Instruments:
    """Return what is installed and asked for; ``shared_at`` is the address that the processes of one server share."""
    metrics = None
    if importlib.util.find_spec("prometheus_client") is not None:
        folder = folder_of_workers(connector.name, shared_at) / "metrics" if shared_at else None
        metrics = Metrics(connector.name, folder)
    return Instruments(metrics=metrics, tracing=_tracing(connector, settings))


def _tracing(connector: ConnectorBase, settings: Settings) -> "Tracing | None":
    """Return what traces, where the environment asks for it or the application has set OpenTelemetry up."""
    if settings.traces_exporter is None and "opentelemetry.sdk.trace" not in sys.modules:
        return None
    try:
        from omni_connector.telemetry.tracing import Tracing  # noqa: PLC0415 - an extra.
    except ImportError:
        log.warning(
            "OTEL_* variables ask for traces, and OpenTelemetry is not installed. "
            "Type: pip install 'omni-connector[otel]' (or: export OTEL_SDK_DISABLED=true)"
        )
        return None
    return Tracing(connector.name, settings.traces_exporter)


def address_of(settings: Settings) -> str:
    """Return a text that the processes of one server share, and those of other servers do not."""
    return settings.connector_url or f"port-{port_from_environ()}"
