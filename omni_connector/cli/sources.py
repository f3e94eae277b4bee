"""``omni-connector sources``: what is synced; ``sources add`` adds one."""

from pathlib import Path
from typing import Any

import click

from omni_connector.cli import exit_codes
from omni_connector.cli.options import data_option, json_option, source_options, verbose_errors_option

STATUSES = ("running", "completed", "failed", "cancelled", "interrupted", "never")

EPILOG = f"""\b
Examples:
    omni-connector sources
    omni-connector sources --status failed --json
    omni-connector sources add notes --source-type web --set folder=notes

{exit_codes.OF_DATA}"""


@click.group(
    invoke_without_command=True,
    short_help="List the sources, or add one.",
    epilog=EPILOG,
    subcommand_metavar="[add NAME]",
)
@click.option("--source-type", metavar="TYPE", help="Only sources of this type.")
@click.option("--status", type=click.Choice(STATUSES), help="Only sources whose last run has this status.")
@click.option(
    "--errors",
    "has_errors",
    is_flag=True,
    help="Only sources whose last run failed, or brought something that was refused.",
)
@click.option("--deleted", is_flag=True, help="Also sources that are being deleted.")
@data_option
@json_option
@verbose_errors_option
@click.pass_context
def sources(context: click.Context, /, *, data_dir: Path, as_json: bool, **options: Any) -> None:
    """List the sources in the data directory, with what is indexed of each, its last run and its next one.

    Works while a run or a manager uses the data.
    """
    if context.invoked_subcommand is not None:
        return
    # Loaded here, so that --help need not wait for all of it.
    from omni_connector.cli.looking import looking  # noqa: PLC0415
    from omni_connector.cli.output import Output  # noqa: PLC0415
    from omni_connector.cli.records import source_record  # noqa: PLC0415
    from omni_connector.cli.tables import source_table  # noqa: PLC0415

    output = Output(as_json=as_json)
    with looking(data_dir, output) as look:
        found = [
            each
            for each in look.sources(deleted=options["deleted"])
            if options["source_type"] in {None, each.source.source_type}
            and options["status"] in {None, look.last_status(each)}
            and (
                not options["has_errors"]
                or (
                    each.last_run is not None
                    and (each.last_run.counts.refused or each.last_run.run.status == "failed")
                )
            )
        ]
        rows = [(each, look.last_status(each)) for each in found]
    if as_json:
        output.json({"sources": [source_record(*each) for each in rows]})
    else:
        source_table(output, rows)


ADD_EPILOG = f"""\b
Examples:
    omni-connector sources add notes --source-type web --set folder=notes
    omni-connector sources add wiki --source-type web --secret token=env:WIKI_TOKEN --every 600

{exit_codes.OF_DATA}"""


@sources.command(short_help="Add a source, or change one.", epilog=ADD_EPILOG)
@click.argument("name")
@source_options
@click.option(
    "--every",
    "sync_interval_seconds",
    metavar="SECONDS",
    type=click.IntRange(min=1),
    help='How often "omni-connector manager" syncs it. Default: only when it is asked to.',
)
@data_option
@json_option
@verbose_errors_option
def add(*, name: str, data_dir: Path, as_json: bool, **options: Any) -> None:
    """Add the source NAME, or change the one of this name: what is not typed stays, its checkpoint included.

    --set and --secret change single values, --config and --credentials replace all.
    Works through the manager that uses the data directory, or on its files where none does.
    """
    # Loaded here, so that --help need not wait for all of it.
    from omni_connector.cli.adding import NewSource, add_source  # noqa: PLC0415
    from omni_connector.cli.inputs import SourceInputs  # noqa: PLC0415
    from omni_connector.cli.output import Output  # noqa: PLC0415

    source_type, every = options.pop("source_type"), options.pop("sync_interval_seconds")
    source = NewSource(name, source_type, SourceInputs.taken_from(options), every)
    add_source(Output(as_json=as_json), data_dir, source)
