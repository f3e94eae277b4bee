"""``omni-connector manager``: the embedded manager alone, for connectors that run elsewhere."""

from typing import Any

import click

from omni_connector.cli.options import address_options, data_option, seconds_option, verbose_option

EPILOG = """\b
Examples:
    omni-connector manager --source notes:web
    omni-connector manager --port 0 --source @source.toml
"""


@click.command(short_help="Run the embedded manager alone.", epilog=EPILOG)
@address_options
@data_option
@click.option(
    "--source",
    "sources",
    metavar="NAME:TYPE|JSON|@FILE",
    multiple=True,
    help="Add a source, or change the one of this name and type: NAME:TYPE, or a JSON object with name, source_type and what"
    " else POST /local/sources takes (config, credentials, sync_interval_seconds, ...). Where it has secrets, give it as"
    " @FILE, @env:NAME or @- (standard input). Can be repeated.",
)
@seconds_option(
    "--tick",
    "tick_seconds",
    default=30.0,
    show_default=True,
    help="How often the manager looks what is due.",
)
@click.option(
    "--as-of",
    metavar="DATE",
    help="Emulate the manager of that date, such as 2026-02-13, to try a connector with an older one.",
)
@click.option(
    "--connector",
    "connectors",
    metavar="TYPE=URL",
    multiple=True,
    help="With --as-of before 2026-03-24: the address of the connector for a type of source, because connectors do not"
    " register there. Can be repeated.",
)
@verbose_option
def manager(
    *,
    sources: tuple[str, ...],
    as_of: str | None,
    connectors: tuple[str, ...],
    verbose: bool,
    **options: Any,
) -> None:
    """Run the embedded manager until it is stopped with Ctrl-C.

    Sources given with --source are synced as soon as a connector of their type has registered, and again every hour
    unless their sync_interval_seconds says otherwise. The manager trusts everybody who reaches it: do not let it
    listen on a public address.
    """
    # Loaded here, so that --help need not wait for all of it.
    from omni_connector.cli.local_manager import (  # noqa: PLC0415
        ManagerOptions,
        parse_connectors,
        parse_day,
        run_manager,
    )
    from omni_connector.cli.logs import full_log, service_log  # noqa: PLC0415
    from omni_connector.cli.output import Output  # noqa: PLC0415
    from omni_connector.cli.source import parse_sources  # noqa: PLC0415

    found = ManagerOptions(
        sources=parse_sources(sources),
        revision=parse_day(as_of),
        addresses=parse_connectors(connectors),
        **options,
    )
    output = Output()
    with full_log(output) if verbose else service_log(output):
        run_manager(output, found)
