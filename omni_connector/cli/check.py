"""``omni-connector check``: says whether a connector is right."""

import subprocess
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import frozen

from omni_connector.cli import exit_codes
from omni_connector.cli.options import (
    json_option,
    seconds_option,
    source_options,
    target_argument,
    verbose_option,
)
from omni_connector.cli.settings_help import ConnectorCommand
from omni_connector.exceptions import ConfigurationError

if TYPE_CHECKING:
    from omni_connector.testing.checks import Check

EXIT_STATUSES = f"""\b
Examples:
    omni-connector check connector.py --set folder=notes
    omni-connector check connector.py --only permissions --json

\b
Exit status:
    {exit_codes.OK}  every check that applies has passed; there may be warnings
    {exit_codes.RUN_FAILED}  at least one check has found something wrong
    {exit_codes.USAGE}  the command line cannot be understood
    {exit_codes.CONFIGURATION}  something that it names cannot be used: target, file, data
   {exit_codes.BUG}  a bug in omni-connector
  130  ended with Ctrl-C (143: with SIGTERM)
"""


@click.command(cls=ConnectorCommand, short_help="Check whether a connector is right.", epilog=EXIT_STATUSES)
@target_argument
@source_options
@click.option(
    "--public",
    "is_public",
    is_flag=True,
    help="The source is open to everybody: its documents may be public.",
)
@click.option(
    "--known-group",
    "known_groups",
    metavar="GROUP",
    multiple=True,
    help="A group that documents may name although this connector does not emit its members. Can be repeated.",
)
@click.option(
    "--remove",
    metavar="COMMAND",
    help='A shell command that removes one document at the source, such as "rm notes/todo.md"; run once, near the end.',
)
@click.option(
    "--large-config", metavar="FILE|JSON", help="Configuration of a large source, for the check of memory."
)
@click.option("--only", metavar="CHECK", multiple=True, help="Run this check only. Can be repeated.")
@click.option("--skip", metavar="CHECK", multiple=True, help="Leave this check out. Can be repeated.")
@seconds_option(
    "--timeout",
    "timeout_seconds",
    default=60.0,
    show_default=True,
    help="How long one sync may take.",
)
@json_option
@verbose_option
def check(*, target: str, as_json: bool, verbose: bool, **options: Any) -> None:
    """Check the connector TARGET on a small source: a few documents, which must not change meanwhile.

    About forty syncs are run, into an embedded manager of their own: undisturbed, interrupted, cancelled, with a manager
    that fails. Each finding says what is wrong, where, why it matters, and how to fix it (docs/how-to/checking.md).
    """
    # Loaded here, so that --help need not wait for all of it.
    from omni_connector.cli.check_report import CheckReport  # noqa: PLC0415
    from omni_connector.cli.inputs import SourceInputs, read_config  # noqa: PLC0415
    from omni_connector.cli.logs import full_log, no_log  # noqa: PLC0415
    from omni_connector.cli.output import Output  # noqa: PLC0415
    from omni_connector.cli.session import session  # noqa: PLC0415
    from omni_connector.testing.checks import Bench, Subject, run_checks  # noqa: PLC0415

    checks = _chosen(options.pop("only"), options.pop("skip"))
    large: str | None = options.pop("large_config")
    remove: str | None = options.pop("remove")
    output = Output(as_json=as_json, keeps_apart=True)
    inputs = SourceInputs.taken_from(options)
    log = full_log(output) if verbose else no_log()
    with session(target, inputs, output, log=log) as opened:
        subject = Subject(
            make=opened.found.make,
            config=opened.inputs.config,
            credentials=opened.inputs.credentials or {},
            remove_document=None if remove is None else _Command(remove),
            large_config=None
            if large is None
            else opened.converted(read_config(large, (), "--large-config")),
            known_groups=frozenset(options.pop("known_groups")),
            **options,
        )
        report = CheckReport(opened.connector.name, opened.connector.version, output)
        with (
            tempfile.TemporaryDirectory(prefix="omni-check-") as folder,
            Bench(subject, Path(folder)) as bench,
        ):
            for result in run_checks(bench, checks):
                report.add(result)
    report.close()
    raise click.exceptions.Exit(exit_codes.RUN_FAILED if report.has_failed else exit_codes.OK)


def _chosen(only: Collection[str], skip: Collection[str]) -> list["Check"]:
    """Return the checks to run.

    Raises:
        UnclearOptionError: there is no check of such a name.
    """
    from omni_connector.cli.errors import UnclearOptionError  # noqa: PLC0415 - as above.
    from omni_connector.testing.checks import CHECKS  # noqa: PLC0415

    names = [each.name for each in CHECKS]
    for option, given in (("--only", only), ("--skip", skip)):
        for name in given:
            if name not in names:
                raise UnclearOptionError(
                    f"{option} {name}: there is no such check. Checks: {', '.join(names)}."
                )
    return [each for each in CHECKS if (not only or each.name in only) and each.name not in skip]


@frozen
class _Command:
    """Removes a document at the source by a shell command, which need not say its id."""

    command: str

    def __call__(self) -> None:
        # What the user typed is meant for a shell.
        done = subprocess.run(self.command, shell=True, check=False, capture_output=True, text=True)  # noqa: S602  # nosec B602
        if done.returncode:
            raise ConfigurationError(
                f"--remove {self.command}: ended with {done.returncode}. {done.stderr.strip()}"
            )
