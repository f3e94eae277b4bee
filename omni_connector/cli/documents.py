"""``omni-connector documents``: what runs have brought."""

from pathlib import Path
from typing import Any

import click

from omni_connector.cli import exit_codes
from omni_connector.cli.completions import RUN
from omni_connector.cli.options import (
    as_person_option,
    data_option,
    json_option,
    page_options,
    stored_source_option,
    verbose_errors_option,
)

CHANGES = ("new", "changed", "unchanged", "deleted", "refused")

EPILOG = f"""\b
Examples:
    omni-connector documents --source notes --limit 5
    omni-connector documents --change deleted
    omni-connector documents --as ann@example.com --json

{exit_codes.OF_DATA}"""


@click.command(short_help="List the documents that runs have brought.", epilog=EPILOG)
@stored_source_option
@click.option(
    "--change", type=click.Choice(CHANGES), help="Only what the last run, or that of --run, did this with."
)
@click.option(
    "--run", "run_id", metavar="ID", type=RUN, help='Only what this run named. "last" is the newest.'
)
@click.option("--errors", "has_errors", is_flag=True, help="Only documents that were refused last.")
@click.option(
    "--public/--not-public", "public", default=None, help="Only documents that everyone finds, or not."
)
@click.option("--group", metavar="EMAIL", help="Only documents whose permissions name this group.")
@as_person_option
@page_options
@data_option
@json_option
@verbose_errors_option
def documents(*, data_dir: Path, as_json: bool, **options: Any) -> None:
    """List the documents in the data directory, in the order in which they came, with what the last event did to each.

    "omni-connector show ID" shows one with its content, permissions and history.
    """
    # Loaded here, so that --help need not wait for all of it.
    from omni_connector.cli.looking import looking, say_more  # noqa: PLC0415
    from omni_connector.cli.output import Output  # noqa: PLC0415
    from omni_connector.cli.records import document_record  # noqa: PLC0415
    from omni_connector.cli.tables import document_table  # noqa: PLC0415
    from omni_connector.local.browse import Access, DocumentFilter, list_documents  # noqa: PLC0415

    after, limit, person = options["after"], options["limit"], options["person"]
    if after is not None and not after.isdigit():
        raise click.BadParameter("give the number with which the list before ended.", param_hint="--after")
    output = Output(as_json=as_json)
    with looking(data_dir, output) as look:
        wanted = DocumentFilter(
            source_id=look.source_id(options["source_name"]),
            change=options["change"],
            run_id=look.run_id(options["run_id"]),
            has_errors=options["has_errors"],
            public=options["public"],
            group=options["group"],
            access=None if person is None else Access.of(look.db, person),
        )
        page = list_documents(look.db, wanted, after=int(after or 0), limit=limit)
    if as_json:
        output.json({"documents": [document_record(each) for each in page.items], "next": page.next})
    else:
        document_table(output, page.items, is_filtered=wanted != DocumentFilter())
        if options["has_errors"] and not page.items:
            output.say("What connectors could not read is in the list of: omni-connector errors", "dim")
    say_more(output, page.next)
