"""``omni-connector new``: the project of a new connector."""

import json
from pathlib import Path

import click

from omni_connector.cli import exit_codes
from omni_connector.cli.options import json_option
from omni_connector.scaffold import VARIANTS, is_local, make_project, origin, wheel_command

EXIT_STATUSES = f"""\b
Examples:
    omni-connector new wiki
    omni-connector new team-wiki --rest

\b
Exit status:
    {exit_codes.OK}  the project is made
    {exit_codes.USAGE}  the command line cannot be understood
    {exit_codes.CONFIGURATION}  the name cannot be used, the folder exists, or the extra "new" is not installed
   {exit_codes.BUG}  a bug in omni-connector
"""


def _variant_options(function: "click.decorators.FC") -> "click.decorators.FC":
    for name, variant in reversed(VARIANTS.items()):
        if name != "plain":
            function = click.option(f"--{name}", is_flag=True, help=f"Reads {variant.summary}.")(function)
    return function


@click.command(short_help="Make the project of a new connector.", epilog=EXIT_STATUSES)
@click.argument("name")
@_variant_options
@click.option(
    "--into",
    "parent",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=".",
    help="Where the folder is made. Default: here.",
)
@json_option
def new(*, name: str, parent: Path, as_json: bool, **variants: bool) -> None:
    """Make a folder NAME with a connector, its tests, a Dockerfile, a CI workflow and a README.

    NAME is that of a Python package: small letters and digits, in words joined by hyphens. Needs omni-connector[new].
    """
    chosen = [variant for variant, is_chosen in variants.items() if is_chosen]
    if len(chosen) > 1:
        named = " and ".join(f"--{variant}" for variant in chosen)
        raise click.UsageError(f"{named} exclude each other: give one of them.")
    folder = make_project(name, chosen[0] if chosen else "plain", parent)
    if as_json:
        click.echo(json.dumps({"folder": str(folder), "name": name}))
        return
    click.echo(f"{folder} is made. Go on with its README.md.")
    source = origin()
    if is_local(source):
        click.echo(f"The first command there is on this machine: {wheel_command(source)}")
