"""``omni-connector search``: the documents that a local run has brought."""

from pathlib import Path

import click

from omni_connector.cli import exit_codes
from omni_connector.cli.options import as_person_option, data_option, json_option, verbose_errors_option

EPILOG = f"""\b
Examples:
    omni-connector search holiday policy
    omni-connector search '"on call" eng*' --as ann@example.com
    omni-connector search source:wiki type:pdf budget

{exit_codes.OF_DATA}"""


@click.command(short_help="Search the documents that runs have brought.", epilog=EPILOG)
@click.argument("query", nargs=-1, required=True)
@data_option
@click.option("--limit", type=click.IntRange(1, 10_000), default=10, show_default=True, help="Hits at most.")
@as_person_option
@json_option
@verbose_errors_option
def search(
    *,
    query: tuple[str, ...],
    data_dir: Path,
    limit: int,
    person: str | None,
    as_json: bool,
) -> None:
    """Search the documents in the data directory, the best hits first, regardless of permissions (see --as).

    QUERY is one or several words, which must all occur; '"words in quotes"' are a phrase, pre* is a beginning.
    source:NAME, type:TYPE and the search operators that connectors declare, such as status:open, narrow it; they may
    also stand alone.

    Works while a run or a manager uses the data. Finding nothing is no failure: the exit status is 0.
    """
    # Loaded here, so that --help need not wait for all of it.
    from omni_connector.cli.hits import hits_as_json, show_hits  # noqa: PLC0415
    from omni_connector.cli.output import Output  # noqa: PLC0415
    from omni_connector.local import open_store  # noqa: PLC0415

    words = " ".join(query)
    if not any(character.isalnum() for character in words):
        raise click.UsageError("QUERY holds no word; give one to search for.")
    store = open_store(data_dir)
    hits = store.search(words, limit=limit, person=person)
    output = Output(as_json=as_json)
    if as_json:
        output.json(hits_as_json(words, hits))
    else:
        show_hits(output, words, hits)
    operators = store.search_operators()
    unknown = [] if hits else operators.unknown(words)
    if unknown:
        output.say(
            f"No search operator here: {', '.join(unknown)}. There are {', '.join(operators.names)}.",
            "yellow",
        )
