"""The embedded manager as a process of its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omni_connector.cli.data import prepare_data_dir
from omni_connector.cli.output import Output, one_line
from omni_connector.cli.signals import StopSignals
from omni_connector.exceptions import ConfigurationError
from omni_connector.local import LocalManager, LocalManagerError, LocalSettings, SourceRow

FOREVER_SECONDS = 3600.0


def run_manager(
    output: Output,
    *,
    host: str,
    port: int,
    data_dir: Path,
    sources: Sequence[dict[str, Any]],
    tick_seconds: float,
) -> None:
    """Run the manager until a signal comes, and say how to use it.

    Raises:
        ConfigurationError: the address or a source cannot be used.
        StoreError: the data directory cannot be used.
    """
    settings = LocalSettings(scheduler_interval_seconds=tick_seconds)
    with StopSignals() as signals:
        manager = LocalManager(prepare_data_dir(data_dir), settings=settings, host=host, port=port)
        try:
            rows = [_add(manager, source) for source in sources]
            signals.defer()
            _start(manager, f"{host}:{port}")
            _say_how(output, manager, rows or manager.sources(), data_dir)
            while not signals.wait(FOREVER_SECONDS):
                pass
        finally:
            manager.close()
        output.say("Stopped.")


def _start(manager: LocalManager, address: str) -> None:
    try:
        manager.start()
    except OSError as error:
        raise ConfigurationError(
            f"The manager cannot listen on {address}: {error.strerror or error}. Name another --port or --host."
        ) from error


def _add(manager: LocalManager, source: dict[str, Any]) -> SourceRow:
    try:
        return manager.add_source(**source)
    except LocalManagerError as error:
        raise ConfigurationError(f"--source {source['name']}: {error}") from error


def _say_how(output: Output, manager: LocalManager, sources: Sequence[SourceRow], data_dir: Path) -> None:
    """Print the lines to type. Standard output, so that scripts can read the address."""
    url, header = manager.url, "-H 'Content-Type: application/json'"
    output.text(f"Manager at {url}, data in {data_dir}")
    output.text()
    output.text("Start a connector beside it:")
    output.text(f"  export CONNECTOR_MANAGER_URL={url} CONNECTOR_HOST_NAME=127.0.0.1 PORT=8000")
    output.text("  omni-connector serve TARGET")
    if not sources:
        output.text("Add a source (or start with --source NAME:TYPE):")
        body = '{"source_type": "TYPE", "name": "NAME", "config": {}}'
        output.text(f"  curl -X POST {url}/local/sources {header} -d '{body}'")
    for source in sources:
        output.text(f"Sync the source {one_line(source.name)} ({one_line(source.source_type)}):")
        body = f'{{"source_id": "{source.id}", "sync_mode": "full"}}'
        output.text(f"  curl -X POST {url}/sync {header} -d '{body}'")
    output.text("See what arrived:")
    output.text(f"  omni-connector search --data {data_dir} WORD")
    output.text()
    output.text("Stop with Ctrl-C.")
