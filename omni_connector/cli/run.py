"""``omni-connector run``: one sync of a connector on this machine."""

from typing import TYPE_CHECKING, Any

import click

from omni_connector.cli import exit_codes
from omni_connector.cli.options import (
    data_option,
    events_option,
    seconds_option,
    source_name_option,
    source_options,
    target_argument,
    verbose_option,
)
from omni_connector.cli.settings_help import ARGUMENTS, ConnectorCommand

if TYPE_CHECKING:
    from omni_connector.cli.output import Output

EXAMPLES = """\b
Examples:
    omni-connector run connector.py --set folder=notes
    omni-connector run connector.py --secret token=env:WIKI_TOKEN --mode full
    omni-connector run connector.py --config settings.toml --watch
"""


@click.command(
    cls=ConnectorCommand,
    short_help="Sync a source once, into an embedded manager.",
    epilog=f"{EXAMPLES}\n\n{exit_codes.EXPLAINED}",
)
@target_argument
@source_options
@click.option(
    "--mode",
    type=click.Choice(["full", "incremental", "realtime"]),
    help="Default: incremental where the connector lists it, else full. A source's first incremental sync is always"
    " a full one.",
)
@data_option
@source_name_option
@seconds_option(
    "--timeout",
    "timeout_seconds",
    help="Cancel the sync after this time; exit status 1.",
)
@click.option(
    "--watch", "watches", is_flag=True, help="Run again when a file of the connector changes. Ctrl-C ends."
)
@seconds_option(
    "--every",
    "every_seconds",
    help="Run again so long after the last start; alone, or with --watch. Ctrl-C ends.",
)
@events_option(
    "Print one JSON object on standard output and nothing else there; with --watch or --every an event a line."
)
@verbose_option
@click.pass_context
def run(
    context: click.Context,
    /,
    *,
    target: str,
    as_json: bool,
    verbose: bool,
    watches: bool,
    every_seconds: float | None,
    **options: Any,
) -> None:
    """Sync a source once with the connector TARGET, into an embedded manager.

    The connector is served on a free port and talks to the manager over HTTP, as it will in production. The documents
    that arrive are kept in the data directory, where "omni-connector search" finds them. A second run of the same
    source continues from the checkpoint of the last one that completed. A source that is there already keeps its
    settings, credentials and schedule: --set and --secret change single values, --config and --credentials replace all.

    After a TARGET, --help also lists the settings that the connector declares.

    Ctrl-C cancels the sync in order, and the next run does not go on from what it has saved; a second Ctrl-C ends at once.

    With --watch, a sync that is in progress when a file changes is cancelled. A connector that cannot be loaded is
    reported, and waited for.
    """
    # Loaded here, so that --help need not wait for all of it.
    from omni_connector.cli.output import Output  # noqa: PLC0415
    from omni_connector.cli.repeating import Repetition, run_again_and_again  # noqa: PLC0415

    output = Output(as_json=as_json)
    if not watches and every_seconds is None:
        raise click.exceptions.Exit(_run_once(target, output, options, verbose=verbose))
    wanted = Repetition(
        arguments=["run", *context.meta[ARGUMENTS]],
        target=target,
        places=[
            *filter(None, (options["config"], options["credentials"])),
            *dict(options["secrets"]).values(),
        ],
        watches=watches,
        every_seconds=every_seconds,
        as_json=as_json,
    )
    raise click.exceptions.Exit(run_again_and_again(output, wanted))


def _run_once(target: str, output: "Output", options: dict[str, Any], *, verbose: bool) -> int:
    """Run in this process, show what came of it, and return the exit status."""
    from omni_connector.cli.inputs import SourceInputs  # noqa: PLC0415 - as above.
    from omni_connector.cli.local_run import LocalRun, RunOptions  # noqa: PLC0415
    from omni_connector.cli.logs import brief_log, full_log  # noqa: PLC0415
    from omni_connector.cli.session import session  # noqa: PLC0415
    from omni_connector.cli.source import SourceOptions, StoredSource  # noqa: PLC0415
    from omni_connector.run_reports import write_report  # noqa: PLC0415

    inputs = SourceInputs.taken_from(options)
    name, source_type = options.pop("source_name"), options.pop("source_type")
    log = full_log(output) if verbose else brief_log(output, summarised="deletions_withheld")
    stored = StoredSource(data_dir=options["data_dir"], name=name)
    with session(target, inputs, output, log=log, stored=stored) as opened:
        source = SourceOptions(
            name=name,
            source_type=source_type,
            config=opened.inputs.config,
            credentials=opened.inputs.credentials,
        )
        summary = LocalRun(opened, RunOptions(source=source, **options)).run()
        write_report(options["data_dir"], summary.run.id, summary.to_json())
    if output.as_json:
        output.json(summary.to_json())
    else:
        output.rows(summary.rows())
    return summary.exit_code
