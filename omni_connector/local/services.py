"""Everything behind the endpoints, put together once."""

from __future__ import annotations

import threading
from pathlib import Path

from attrs import frozen

from omni_connector.local.actions import Actions
from omni_connector.local.cancellation import Canceller
from omni_connector.local.catalogue import Catalogue
from omni_connector.local.cleanup import Cleanup
from omni_connector.local.clock import Clock
from omni_connector.local.connectors import ConnectorClient
from omni_connector.local.contents import Contents
from omni_connector.local.credentials import Credentials
from omni_connector.local.dispatch import Dispatcher
from omni_connector.local.event_queue import Queue
from omni_connector.local.extraction import Extractor
from omni_connector.local.groups import Reach, Surroundings, Tables
from omni_connector.local.mcp import McpBridge
from omni_connector.local.oauth import TokenRefresher
from omni_connector.local.overview import Overview
from omni_connector.local.reader import StoreReader
from omni_connector.local.registry import Registry
from omni_connector.local.resume import Resumer
from omni_connector.local.runs import Runs
from omni_connector.local.scheduler import RunControl, Scheduler
from omni_connector.local.search_index import SearchIndex
from omni_connector.local.settings import LocalSettings
from omni_connector.local.sources import Sources
from omni_connector.local.store import Store
from omni_connector.local.users import Users


@frozen(kw_only=True)
class Services:
    """One manager's collaborators. ``stopping`` is set when it closes."""

    settings: LocalSettings
    clock: Clock
    stopping: threading.Event
    store: Store
    reader: StoreReader
    users: Users
    sources: Sources
    credentials: Credentials
    runs: Runs
    contents: Contents
    queue: Queue
    search_index: SearchIndex
    registry: Registry
    connectors: ConnectorClient
    dispatcher: Dispatcher
    canceller: Canceller
    scheduler: Scheduler
    overview: Overview
    catalogue: Catalogue
    actions: Actions
    mcp: McpBridge
    extractor: Extractor


def build_services(data_dir: Path | str, settings: LocalSettings, clock: Clock) -> Services:
    """Open the store and build what works on it; raises ``StoreError``."""
    store = Store(data_dir)
    surroundings = Surroundings(clock=clock, settings=settings, stopping=threading.Event())
    search_index = SearchIndex(store)
    refresher = TokenRefresher(settings.connector_timeout_seconds)
    tables = Tables(
        store=store,
        users=Users(store, clock),
        sources=Sources(store, clock),
        credentials=Credentials(store, clock, settings, refresher),
        runs=Runs(store, clock, settings),
        contents=Contents(store, clock, settings),
    )
    reach = Reach(tables=tables, registry=Registry(clock, settings), connectors=ConnectorClient(settings))
    dispatcher, canceller = Dispatcher(reach, surroundings), Canceller(reach)
    control = RunControl(
        dispatcher=dispatcher, resumer=Resumer(reach, dispatcher, settings), canceller=canceller
    )
    return Services(
        settings=settings,
        clock=clock,
        stopping=surroundings.stopping,
        store=store,
        reader=StoreReader(data_dir, search_index),
        users=tables.users,
        sources=tables.sources,
        credentials=tables.credentials,
        runs=tables.runs,
        contents=tables.contents,
        queue=Queue(store, clock, tables.runs, search_index, settings),
        search_index=search_index,
        registry=reach.registry,
        connectors=reach.connectors,
        dispatcher=dispatcher,
        canceller=canceller,
        scheduler=Scheduler(reach, control, Cleanup(tables, canceller, surroundings), surroundings),
        overview=Overview(tables, settings),
        catalogue=Catalogue(reach, settings),
        actions=Actions(reach, surroundings),
        mcp=McpBridge(reach),
        extractor=Extractor(settings),
    )
