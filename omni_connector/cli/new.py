"""``omni-connector new``: the project of a new connector."""

from pathlib import Path

import click

from omni_connector.cli import exit_codes
from omni_connector.scaffold import VARIANTS, make_project

EXIT_STATUSES = f"""\b
Exit status:
    {exit_codes.OK}  the project is made
    {exit_codes.USAGE}  the command line cannot be understood
    {exit_codes.CONFIGURATION}  the name cannot be used, the folder exists, or the extra "new" is not installed
   {exit_codes.BUG}  a bug in omni-connector
"""


def _variant_options(function: "click.decorators.FC") -> "click.decorators.FC":
    for name, variant in reversed(VARIANTS.items()):
        if name != "plain":
            function = click.option(
                f"--{name}", "variant", flag_value=name, help=f"Reads {variant.summary}."
            )(function)
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
def new(*, name: str, variant: str | None, parent: Path) -> None:
    """Make a folder NAME with a connector, its tests, a Dockerfile, a CI workflow and a README.

    NAME is that of a Python package: small letters and digits, in words joined by hyphens. Needs omni-connector[new].
    """
    folder = make_project(name, variant or "plain", parent)
    click.echo(f"{folder} is made. Go on with its README.md.")
