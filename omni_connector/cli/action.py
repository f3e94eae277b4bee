"""``omni-connector action``: one action of a connector."""

from pathlib import Path
from typing import Any

import click

from omni_connector.cli import exit_codes
from omni_connector.cli.completions import PLACE
from omni_connector.cli.options import (
    data_option,
    json_option,
    key_value_option,
    source_name_option,
    source_options,
    verbose_option,
)
from omni_connector.cli.settings_help import ConnectorCommand

EPILOG = f"""\b
Examples:
    omni-connector action ping connector.py
    omni-connector action export connector.py --param format=pdf --output all.pdf
    omni-connector action export --source notes --params '{{"format": "pdf"}}'

\b
Exit status:
    {exit_codes.OK}  done
    {exit_codes.RUN_FAILED}  the connector answered with an error
    {exit_codes.USAGE}  the command line cannot be understood
    {exit_codes.CONFIGURATION}  something that it names cannot be used: action, target, source, file
   {exit_codes.BUG}  a bug in omni-connector
"""


@click.command(cls=ConnectorCommand, short_help="Run an action of a connector.", epilog=EPILOG)
@click.argument("name")
@click.argument("target", type=PLACE, required=False)
@key_value_option(
    "--param",
    "assignments_of_params",
    help="One parameter, on top of --params: JSON where it is JSON, else text. Can be repeated.",
)
@click.option(
    "--params",
    metavar="FILE|JSON",
    type=PLACE,
    help="The parameters: a JSON or TOML file, env:NAME, - (standard input), or JSON text that starts with {.",
)
@click.option("--as", "person", metavar="EMAIL", help="The user who acts; without it, nobody does.")
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Where the result is written; - is standard output. A file that an action returns is otherwise written to"
    " standard output, or, where that is a terminal, to a new file here.",
)
@source_name_option
@source_options
@data_option
@json_option
@verbose_option
def action(
    *,
    name: str,
    target: str | None,
    as_json: bool,
    verbose: bool,
    person: str | None,
    output: Path | None,
    **options: Any,
) -> None:
    """Run the action NAME of the connector TARGET, or of the one that serves a source of the data directory.

    With TARGET, the connector is loaded and called over HTTP as in production. It is given the settings and credentials that are
    typed, or else those of its source in the data directory; nothing is changed there.

    Without TARGET, the action is run through the manager that uses the data directory, by the connector that is registered
    there for the source: start "omni-connector dev" or "omni-connector manager" first.
    """
    # Loaded here, so that --help need not wait for all of it.
    from omni_connector.cli.action_calls import ActionCall, call_connector, call_manager  # noqa: PLC0415
    from omni_connector.cli.action_result import show_result  # noqa: PLC0415
    from omni_connector.cli.inputs import SourceInputs, read_config  # noqa: PLC0415
    from omni_connector.cli.logs import brief_log, full_log  # noqa: PLC0415
    from omni_connector.cli.output import Output  # noqa: PLC0415
    from omni_connector.cli.source import StoredSource  # noqa: PLC0415

    shown = Output(as_json=as_json, keeps_apart=True)
    assignments = options.pop("assignments_of_params")
    call = ActionCall(
        name=name,
        params=read_config(options.pop("params"), assignments, "--params", "--param"),
        assignments=assignments,
        person=person,
        source=StoredSource(
            data_dir=options.pop("data_dir"), name=options.pop("source_name"), must_exist=True
        ),
        source_type=options.pop("source_type"),
    )
    inputs = SourceInputs.taken_from(options)
    log = full_log(shown) if verbose else brief_log(shown)
    if target is None:
        if inputs != SourceInputs(config={}, assignments=[], credentials=None) or call.source_type:
            raise click.UsageError(
                "Settings and credentials need a TARGET: a source of the data has its own."
            )
        answer = call_manager(call)
    else:
        answer = call_connector(target, call, inputs, shown, log)
    show_result(shown, name, answer, output)
