"""``omni-connector dev``: a connector, the embedded manager and its console, while the connector is written."""

from pathlib import Path
from typing import Any

import click

from omni_connector.cli.options import (
    address_options,
    data_option,
    events_option,
    source_name_option,
    source_options,
    target_argument,
    verbose_option,
)
from omni_connector.cli.settings_help import ConnectorCommand

EPILOG = """\b
Examples:
    omni-connector dev connector.py --set folder=notes --open
    omni-connector dev connector.py --json
"""


@click.command(
    cls=ConnectorCommand,
    short_help="Develop a connector: console, and restart when a file changes.",
    epilog=EPILOG,
)
@target_argument
@source_options
@source_name_option
@data_option
@address_options
@click.option(
    "--watch",
    "watched",
    metavar="PATH",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    help="Restart when this file changes, too, beside those that the connector imports. Can be repeated.",
)
@events_option("Print what happens on standard output as JSON, an event a line, and nothing else there.")
@click.option("--open/--no-open", "opens_browser", default=False, help="Open the console in the browser.")
@verbose_option
def dev(
    *,
    target: str,
    as_json: bool,
    verbose: bool,
    allowed_hosts: tuple[str, ...],
    watched: tuple[Path, ...],
    **options: Any,
) -> None:
    """Run the connector TARGET with an embedded manager, and show both in a web console.

    The connector is a process of its own. It is started again when one of its files changes; a sync in progress then goes
    on from its last checkpoint. An error that keeps it from starting is shown in the console, with the place in the code.

    A source is made when there is none: --config, --set and --credentials describe it. Without them, fill in the form in the
    console. One that is there keeps its settings: --set and --secret change single values, --config and --credentials
    replace all. Data, and the source, are those of "omni-connector run".

    Stop with Ctrl-C. A sync in progress goes on from its last checkpoint when the command is started again.
    """
    # Loaded here, so that --help need not wait for all of it.
    from omni_connector.cli.developing.session import DevOptions, DevSession  # noqa: PLC0415
    from omni_connector.cli.inputs import SourceInputs  # noqa: PLC0415
    from omni_connector.cli.logs import brief_log, full_log  # noqa: PLC0415
    from omni_connector.cli.output import Output  # noqa: PLC0415
    from omni_connector.masking import protect_process  # noqa: PLC0415

    inputs = SourceInputs.taken_from(options)
    wanted = DevOptions(
        target=target,
        inputs=inputs,
        allowed_hosts=allowed_hosts,
        watched=watched,
        is_verbose=verbose,
        **options,
    )
    protect_process()
    output = Output(as_json=as_json)
    with full_log(output) if verbose else brief_log(output):
        DevSession(wanted, output).run()
