"""``omni-connector state``: where the next sync of a source begins, and how to have it begin anew."""

from pathlib import Path

import click

from omni_connector.cli import exit_codes
from omni_connector.cli.options import data_option, json_option, stored_source_option, verbose_errors_option

EPILOG = f"""\b
Examples:
    omni-connector state
    omni-connector state --source notes --reset

{exit_codes.OF_DATA}"""


@click.command(short_help="Show, or reset, what the next sync continues from.", epilog=EPILOG)
@stored_source_option
@click.option("--reset", "is_reset", is_flag=True, help="Forget the checkpoint: the next sync is given none.")
@click.option(
    "--connector-state",
    "with_connector_state",
    is_flag=True,
    help="With --reset: forget the connector state as well. Connectors may keep rotated tokens there.",
)
@click.option("--yes", "is_confirmed", is_flag=True, help="With --reset: do not ask.")
@data_option
@json_option
@verbose_errors_option
def state(
    *,
    source_name: str | None,
    is_reset: bool,
    with_connector_state: bool,
    is_confirmed: bool,
    data_dir: Path,
    as_json: bool,
) -> None:
    """Show the checkpoint and the connector state of each source, or of one.

    --reset works through the manager that uses the data directory, or on its files where none does. While a sync is in
    progress it is refused. Documents stay; the next sync brings them up to date.
    """
    # Loaded here, so that --help need not wait for all of it.
    from omni_connector.cli.output import Output  # noqa: PLC0415
    from omni_connector.cli.source_states import reset_state, show_states  # noqa: PLC0415

    if not is_reset and (with_connector_state or is_confirmed):
        raise click.UsageError("--connector-state and --yes belong to --reset.")
    output = Output(as_json=as_json)
    if is_reset:
        if not is_confirmed and as_json:
            raise click.UsageError("--reset with --json asks nothing: give --yes as well.")
        reset_state(
            output,
            data_dir,
            source_name,
            with_connector_state=with_connector_state,
            is_confirmed=is_confirmed,
        )
    else:
        show_states(output, data_dir, source_name)
