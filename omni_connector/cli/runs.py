"""``omni-connector runs``: the syncs that there were."""

from pathlib import Path

import click

from omni_connector.cli import exit_codes
from omni_connector.cli.options import (
    data_option,
    json_option,
    page_options,
    stored_source_option,
    verbose_errors_option,
)

STATUSES = ("running", "completed", "failed", "cancelled", "interrupted")

EPILOG = f"""\b
Examples:
    omni-connector runs
    omni-connector runs --source notes --errors --limit 5

{exit_codes.OF_DATA}"""


@click.command(short_help="List the syncs, newest first.", epilog=EPILOG)
@stored_source_option
@click.option("--status", type=click.Choice(STATUSES), help="Only runs with this status.")
@click.option(
    "--errors",
    "has_errors",
    is_flag=True,
    help="Only runs that failed, or of which the manager refused something.",
)
@page_options
@data_option
@json_option
@verbose_errors_option
def runs(
    *,
    source_name: str | None,
    status: str | None,
    has_errors: bool,
    limit: int,
    after: str | None,
    data_dir: Path,
    as_json: bool,
) -> None:
    """List the syncs in the data directory, newest first, with what each did to the documents.

    "omni-connector show ID" says more about one; "last" is the id of the newest.
    """
    # Loaded here, so that --help need not wait for all of it.
    from omni_connector.cli.looking import looking, say_more  # noqa: PLC0415
    from omni_connector.cli.output import Output  # noqa: PLC0415
    from omni_connector.cli.records import run_record  # noqa: PLC0415
    from omni_connector.cli.tables import RunRow, run_table  # noqa: PLC0415
    from omni_connector.local.browse import list_runs  # noqa: PLC0415

    output = Output(as_json=as_json)
    with looking(data_dir, output) as look:
        source_id = look.source_id(source_name)
        stored = look.stored_status(status)
        page = list_runs(look.db, source_id, status=stored, has_errors=has_errors, before=after, limit=limit)
        rows = [
            RunRow(run=each, status=look.status(each.run), outcome=look.outcome(each)) for each in page.items
        ]
    if as_json:
        output.json({"runs": [run_record(each.run, each.status) for each in rows], "next": page.next})
    else:
        run_table(output, rows)
    say_more(output, page.next)
