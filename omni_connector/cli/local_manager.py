"""The embedded manager as a process of its own."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import frozen

from omni_connector.cli.command_name import command_name
from omni_connector.cli.data import prepare_data_dir
from omni_connector.cli.errors import UnclearOptionError
from omni_connector.cli.output import Output, one_line
from omni_connector.cli.signals import StopSignals
from omni_connector.cli.source import GivenSource
from omni_connector.config import in_address, is_host, is_http_address
from omni_connector.console import Console, install
from omni_connector.exceptions import ConfigurationError
from omni_connector.local import LocalManager, LocalSettings, ManagerDate, SourceRow
from omni_connector.local.manager_dates import to_manager_date

LOOK_SECONDS = 0.5
"""Between two looks whether a connector has registered."""


@frozen(kw_only=True)
class ManagerOptions:
    """The embedded manager as the command line describes it.

    Attributes:
        host: address to listen on.
        port: port to listen on.
        data_dir: where the database is kept.
        sources: to be added, or changed.
        tick_seconds: how often the manager looks what is due.
        revision: the date whose manager it emulates.
        addresses: of connectors by type of source, for a manager without registration.
        allowed_hosts: names by which it may be called.
    """

    host: str
    port: int
    data_dir: Path
    sources: Sequence[GivenSource]
    tick_seconds: float
    revision: ManagerDate
    addresses: Mapping[str, str]
    allowed_hosts: Sequence[str] = ()


def run_manager(output: Output, options: ManagerOptions) -> None:
    """Run the manager until a signal comes, and say how to use it.

    Args:
        output: where to say it.
        options: what to run.

    Raises:
        ConfigurationError: the address or a source cannot be used.
        StoreError: the data directory cannot be used.
    """
    settings = LocalSettings(
        scheduler_interval_seconds=options.tick_seconds,
        revision=options.revision,
        allowed_hosts=tuple(options.allowed_hosts),
    )
    host, data_dir = checked_host(options.host), options.data_dir
    with StopSignals() as signals:
        manager = LocalManager(prepare_data_dir(data_dir), settings=settings, host=host, port=options.port)
        try:
            console = Console(manager=manager)
            install(console)
            for source_type, url in options.addresses.items():
                manager.configure_connector(source_type, url)
            waiting = WaitingSources(manager, options.sources)
            signals.defer()
            start_manager(manager, host, options.port)
            _say_how(output, manager, waiting.sources or manager.sources(), data_dir)
            while not signals.wait(LOOK_SECONDS):
                waiting.look()
                console.rates.look()
            waiting.close()
        finally:
            manager.close()
        output.say("Stopped.")


def parse_day(text: str | None) -> ManagerDate:
    """Return the day that ``--as-of`` names; raises UnclearOptionError where it is none."""
    try:
        return to_manager_date(text)
    except ValueError as error:
        raise UnclearOptionError(f"--as-of: {error}.") from error


def parse_connectors(texts: Sequence[str]) -> dict[str, str]:
    """Return the addresses that ``--connector`` gives, by type; raises UnclearOptionError where they are none."""
    addresses = {}
    for text in texts:
        source_type, _, url = text.partition("=")
        if not source_type or not is_http_address(url):
            raise UnclearOptionError(
                f"--connector {text}: give a type of source and an address, such as web=http://localhost:8000."
            )
        addresses[source_type] = url
    return addresses


def checked_host(host: str) -> str:
    """Return what ``--host`` names, without brackets; raises ConfigurationError where that is no host."""
    bare = host.removeprefix("[").removesuffix("]")
    if not is_host(bare):
        raise ConfigurationError(f"--host {host}: this is neither a host name nor an IP address.")
    return bare


def start_manager(manager: LocalManager, host: str, port: int) -> None:
    """Start the manager; raises ConfigurationError where its address cannot be used."""
    try:
        manager.start()
    except OSError as error:
        raise ConfigurationError(
            f"The manager cannot listen on {in_address(host)}:{port}: {error.strerror or error}. Name another --port or --host."
        ) from error


class WaitingSources:
    """The sources given on the command line, scheduled once a connector of their type has registered.

    Before that the scheduler would try in vain, and then pause longer each time (PROTOCOL, section 4).
    """

    def __init__(self, manager: LocalManager, given: Sequence[GivenSource]) -> None:
        self._manager = manager
        self._waiting: list[tuple[SourceRow, int | None]] = []
        self.sources: list[SourceRow] = []
        for each in given:
            source = each.put(manager)
            self.sources.append(source)
            self._waiting.append((source, each.interval_seconds(source.sync_interval_seconds)))
            manager.set_source(source.id, sync_interval_seconds=None)

    def look(self) -> None:
        """Schedule the sources whose connector is there, and start what is due."""
        ready = [each for each in self._waiting if self._is_served(each[0].source_type)]
        if ready:
            self._schedule(ready)
            self._manager.tick()

    def close(self) -> None:
        """Schedule the sources whose connector has not come: the next manager finds their intervals."""
        self._schedule(self._waiting)

    def _schedule(self, ready: Sequence[tuple[SourceRow, int | None]]) -> None:
        for source, interval_seconds in ready:
            self._manager.set_source(source.id, sync_interval_seconds=interval_seconds)
        self._waiting = [each for each in self._waiting if each not in ready]

    def _is_served(self, source_type: str) -> bool:
        try:
            self._manager.wait_for_connector(source_type, timeout_seconds=0)
        except TimeoutError:
            return False
        return True


def _say_how(output: Output, manager: LocalManager, sources: Sequence[SourceRow], data_dir: Path) -> None:
    """Print the lines to type. Standard output, so that scripts can read the address."""
    url, header = manager.url, "-H 'Content-Type: application/json'"
    output.text(f"Manager at {url}, data in {data_dir}")
    output.text(f"Open {url}/ in a browser to see what it has.")
    output.text()
    output.text("Start a connector beside it:")
    output.text(f"  export CONNECTOR_MANAGER_URL={url} CONNECTOR_HOST_NAME=127.0.0.1 PORT=8000")
    output.text(f"  {command_name()} serve TARGET")
    if not sources:
        output.text("Add a source (or start with --source NAME:TYPE):")
        body = '{"source_type": "TYPE", "name": "NAME", "config": {}}'
        output.text(f"  curl -X POST {url}/local/sources {header} -d '{body}'")
    for source in sources:
        output.text(f"Sync the source {one_line(source.name)} ({one_line(source.source_type)}):")
        body = f'{{"source_id": "{source.id}", "sync_mode": "full"}}'
        output.text(f"  curl -X POST {url}/sync {header} -d '{body}'")
    output.text("See what arrived:")
    output.text(f"  {command_name()} search --data {shlex.quote(str(data_dir))} WORD")
    output.text()
    output.text("Stop with Ctrl-C.")
