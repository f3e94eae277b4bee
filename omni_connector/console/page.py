"""What a module of pages declares, and what its views are given."""

from collections.abc import Mapping
from typing import Any, Final, cast

from attrs import Factory, define, field, frozen
from flask import Blueprint, current_app

from omni_connector.console.connector_process import ConnectorProcess
from omni_connector.console.live_streams import LiveStreams
from omni_connector.console.run_logs import RunLogs
from omni_connector.console.run_rates import RunRates
from omni_connector.local import LocalManager
from omni_connector.run_reports import read_report
from omni_connector.typed.schema import Schema

EXTENSION: Final = "omni_console"


def _rates(console: "Console") -> RunRates:
    return RunRates(console.manager.running)


def _streams(console: "Console") -> LiveStreams:
    return LiveStreams(console.manager.closes_within)


@define(kw_only=True)
class Console:
    """What the pages show.

    Attributes:
        manager: the embedded manager.
        declared: JSON Schemas of what connectors declare for their sources, by type of source, then ``config`` and
            ``credentials``; replaced when a connector is loaded again.
        connector: the connector's process, under ``omni-connector dev``.
        logs: what that writes; likewise.
        rates: how fast runs go.
        streams: feed pages that are open.
    """

    manager: LocalManager
    declared: Mapping[str, Mapping[str, Schema]] = field(factory=dict)
    connector: ConnectorProcess | None = None
    logs: RunLogs | None = None
    rates: RunRates = field(init=False, default=Factory(_rates, takes_self=True))
    streams: LiveStreams = field(init=False, default=Factory(_streams, takes_self=True))

    def report(self, run_id: str) -> Mapping[str, Any]:
        """Return what the connector itself says of a run's errors (``run_reports``); empty where that is not known."""
        log = None if self.logs is None else self.logs.of(run_id)
        return read_report(self.manager.data_dir, run_id) if log is None else log.report()


@frozen
class Entry:
    """An entry of the navigation: its text, the endpoint of its page, and its place (the smallest is first)."""

    label: str
    endpoint: str
    position: int = 100


@frozen
class Page:
    """A module's views, and their entry in the navigation, or the name of the blueprint whose entry is theirs as well."""

    blueprint: Blueprint
    entry: Entry | None = None
    within: str = ""


def console() -> Console:
    """Return the console that serves this request."""
    return cast("Console", current_app.extensions[EXTENSION])
