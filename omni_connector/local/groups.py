"""What travels together through the constructors of the manager's parts."""

from __future__ import annotations

import threading

from attrs import frozen

from omni_connector.local.clock import Clock
from omni_connector.local.connectors import ConnectorClient
from omni_connector.local.contents import Contents
from omni_connector.local.credentials import Credentials
from omni_connector.local.registry import Registry
from omni_connector.local.runs import Runs
from omni_connector.local.settings import LocalSettings
from omni_connector.local.sources import Sources
from omni_connector.local.store import Store
from omni_connector.local.users import Users


@frozen(kw_only=True)
class Surroundings:
    """Time, settings, and the end: ``stopping`` is set when the manager closes."""

    clock: Clock
    settings: LocalSettings
    stopping: threading.Event


@frozen(kw_only=True)
class Tables:
    """The store and its tables."""

    store: Store
    users: Users
    sources: Sources
    credentials: Credentials
    runs: Runs
    contents: Contents


@frozen(kw_only=True)
class Reach:
    """What it takes to call the connector of a source."""

    tables: Tables
    registry: Registry
    connectors: ConnectorClient
