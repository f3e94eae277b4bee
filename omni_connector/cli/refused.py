"""``omni-connector errors``: what did not arrive, and why."""

from pathlib import Path

import click

from omni_connector.cli import exit_codes
from omni_connector.cli.completions import RUN
from omni_connector.cli.options import (
    data_option,
    json_option,
    page_options,
    stored_source_option,
    verbose_errors_option,
)

EPILOG = f"""\b
Examples:
    omni-connector errors
    omni-connector errors --run last --json

{exit_codes.OF_DATA}"""


@click.command(short_help="List what did not arrive, and why.", epilog=EPILOG)
@stored_source_option
@click.option(
    "--run", "typed_run", metavar="ID", type=RUN, help='Only errors of this run. "last" is the newest.'
)
@click.option("--all", "is_history", is_flag=True, help="Also those that do not hold any more, marked.")
@page_options
@data_option
@json_option
@verbose_errors_option
def errors(
    *,
    source_name: str | None,
    typed_run: str | None,
    is_history: bool,
    limit: int,
    after: str | None,
    data_dir: Path,
    as_json: bool,
) -> None:
    """List what did not arrive, newest first: runs that failed, what the connector could not read, what was refused.

    Left out is what does not hold any more: a later run brought the document, or completed. --all lists that as well, and so
    does --run. What the connector could not read is known of runs of "omni-connector run" and "dev".
    """
    # Loaded here, so that --help need not wait for all of it.
    from omni_connector.cli.looking import looking, say_more  # noqa: PLC0415
    from omni_connector.cli.output import Output  # noqa: PLC0415
    from omni_connector.cli.run_errors import ErrorScope, find_errors, show_errors  # noqa: PLC0415

    if after is not None and not after.isdigit():
        raise click.BadParameter("give the number with which the list before ended.", param_hint="--after")
    output = Output(as_json=as_json)
    with looking(data_dir, output) as look:
        run = look.run_id(typed_run)
        scope = ErrorScope(
            source=look.source_id(source_name), run=run, is_history=is_history or run is not None
        )
        found = find_errors(look, data_dir, scope, limit=limit, after=after)
    if as_json:
        output.json(found.to_json())
    else:
        show_errors(output, found)
    say_more(output, found.following)
