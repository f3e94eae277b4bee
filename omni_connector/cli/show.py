"""``omni-connector show``: everything about one document, run or source."""

from pathlib import Path

import click

from omni_connector.cli import exit_codes
from omni_connector.cli.completions import DOCUMENT
from omni_connector.cli.options import data_option, json_option, stored_source_option, verbose_errors_option

EPILOG = f"""\b
Examples:
    omni-connector show note-7
    omni-connector show note-7 --as ann@example.com
    omni-connector show last

{exit_codes.OF_DATA}"""


@click.command(short_help="Show one document, run or source.", epilog=EPILOG)
@click.argument("id_", metavar="ID", type=DOCUMENT)
@stored_source_option
@click.option("--as", "person", metavar="EMAIL", help="Say whether this person finds the document, and why.")
@click.option(
    "--content", "only_content", is_flag=True, help="Print the whole text of the document and nothing else."
)
@data_option
@json_option
@verbose_errors_option
def show(
    *,
    id_: str,
    source_name: str | None,
    person: str | None,
    only_content: bool,
    data_dir: Path,
    as_json: bool,
) -> None:
    """Show everything about ID: a document, by its id in its source or the manager's; a run; a source, also by name.

    "last" is the newest run. Deleted and refused documents are found as well, with their history.
    """
    # Loaded here, so that --help need not wait for all of it.
    from omni_connector.cli.looking import looking  # noqa: PLC0415
    from omni_connector.cli.output import Output  # noqa: PLC0415
    from omni_connector.cli.showing import Wanted, show_one  # noqa: PLC0415

    if only_content and as_json:
        raise click.UsageError("--content and --json exclude each other: the JSON holds the content.")
    output = Output(as_json=as_json)
    with looking(data_dir, output) as look:
        wanted = Wanted(
            id=id_, source_name=source_name, person=person, only_content=only_content, data_dir=data_dir
        )
        show_one(look, wanted)
