"""``omni-connector run``: one sync of a connector on this machine."""

import contextlib
import sys
from pathlib import Path
from typing import Any

import click
from attrs import evolve

from omni_connector.cli import exit_codes
from omni_connector.cli.options import (
    data_option,
    json_option,
    source_options,
    target_argument,
    verbose_option,
)
from omni_connector.cli.settings_help import ConnectorCommand


@click.command(
    cls=ConnectorCommand,
    short_help="Sync a source once, into an embedded manager.",
    epilog=exit_codes.EXPLAINED,
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
@click.option(
    "--source",
    "source_name",
    metavar="NAME",
    help="Name of the source, to keep several of one connector apart. Default: the connector's name.",
)
@click.option(
    "--timeout",
    "timeout_seconds",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    help="Cancel the sync after this time; exit status 1.",
)
@json_option
@verbose_option
def run(
    *, target: str, as_json: bool, verbose: bool, assignments: list[tuple[str, str]], **options: Any
) -> None:
    """Sync a source once with the connector TARGET, into an embedded manager.

    The connector is served on a free port and talks to the manager over HTTP, as it will in production. The documents
    that arrive are kept in the data directory, where "omni-connector search" finds them. A second run of the same
    source continues from the checkpoint of the last one that completed, with the credentials of the last one unless
    --credentials gives others.

    After a TARGET, --help also lists the settings that the connector declares.

    Ctrl-C cancels the sync in order; a second Ctrl-C ends at once.
    """
    # Loaded here, so that --help need not wait for all of it.
    from omni_connector.cli.inputs import doubtful, read_config, read_object  # noqa: PLC0415
    from omni_connector.cli.local_run import LocalRun, RunOptions  # noqa: PLC0415
    from omni_connector.cli.logs import brief_log, full_log  # noqa: PLC0415
    from omni_connector.cli.output import Output  # noqa: PLC0415
    from omni_connector.cli.signals import StopSignals  # noqa: PLC0415
    from omni_connector.cli.source import SourceOptions, stored_credentials  # noqa: PLC0415
    from omni_connector.cli.typed_inputs import typed_inputs  # noqa: PLC0415
    from omni_connector.masking import (  # noqa: PLC0415
        SecretScope,
        protect_process,
        secrets_in,
        secrets_in_settings,
    )
    from omni_connector.target import load_connector  # noqa: PLC0415

    credentials: Path | None = options.pop("credentials")
    source = SourceOptions(
        name=options.pop("source_name"),
        source_type=options.pop("source_type"),
        config=read_config(options.pop("config"), assignments),
        credentials=None if credentials is None else read_object(credentials, "--credentials"),
    )
    protect_process()
    secrets = SecretScope(secrets_in(source.credentials) | secrets_in_settings(source.config))
    output = Output(as_json=as_json)
    with contextlib.ExitStack() as stack:
        stack.enter_context(secrets)
        if as_json:  # What a connector prints must not get into the JSON.
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        log = stack.enter_context(full_log(output) if verbose else brief_log(output))
        signals = stack.enter_context(StopSignals())
        connector = load_connector(target)
        if log is not None:
            log.show_more_of(type(connector).__module__)
        given = source.credentials
        if given is None:
            given = stored_credentials(options["data_dir"], connector, source.name)
            stack.enter_context(SecretScope(secrets_in(given)))
        config, secret = typed_inputs(connector, (source.config, given), assignments)
        source = evolve(source, config=config, credentials=secret)
        stack.enter_context(SecretScope(secrets_in_settings(config, connector.masked_settings)))
        for note in doubtful(assignments) if connector.declared_types.config is None else ():
            output.say(note, "yellow")
        summary = LocalRun(
            connector, RunOptions(source=source, **options), output=output, signals=signals
        ).run()
    if as_json:
        output.json(summary.to_json())
    else:
        output.rows(summary.rows())
    raise click.exceptions.Exit(summary.exit_code)
