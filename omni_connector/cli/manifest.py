"""``omni-connector manifest``: what a connector announces about itself."""

import contextlib
import json
import sys

import click

from omni_connector.cli import exit_codes
from omni_connector.cli.options import target_argument, verbose_errors_option

EPILOG = f"""\b
Example:
    omni-connector manifest connector.py

\b
Exit status:
    {exit_codes.OK}  a manager accepts it
    {exit_codes.USAGE}  the command line cannot be understood
    {exit_codes.CONFIGURATION}  the connector cannot be used, or a manager would refuse its manifest
   {exit_codes.BUG}  a bug in omni-connector
"""


@click.command(short_help="Print a connector's manifest.", epilog=EPILOG)
@target_argument
@verbose_errors_option
def manifest(*, target: str) -> None:
    """Print the manifest of the connector TARGET as JSON, after checking that a manager accepts it.

    Where the connector declares classes for its settings and credentials, their JSON Schemas are printed as well, as
    config_schema and credentials_schema; GET /manifest answers them, the registration leaves them out.
    """
    # Loaded here, so that --help need not wait for all of it.
    from omni_connector.connector_base.source_types import EVERY_TYPE, note_on_source_types  # noqa: PLC0415
    from omni_connector.target import load_connector  # noqa: PLC0415
    from omni_connector.testing.announcement import checked_manifest  # noqa: PLC0415

    with contextlib.redirect_stdout(sys.stderr):  # What the connector prints is no part of it.
        connector = load_connector(target)
        wire = checked_manifest(connector)
    note = note_on_source_types(wire["source_types"])
    if note is not None:
        click.echo(f"Note: {note} {EVERY_TYPE}", err=True)
    click.echo(json.dumps({**wire, **connector.declared_types.announced}, indent=2))
