"""``omni-connector serve``: a connector as a service."""

import click

from omni_connector.cli import exit_codes
from omni_connector.cli.errors import CommandError
from omni_connector.cli.options import target_argument, verbose_errors_option

EPILOG = """\b
Example:
    export CONNECTOR_MANAGER_URL=http://127.0.0.1:8090 CONNECTOR_HOST_NAME=127.0.0.1
    omni-connector serve connector.py --port 8000
"""


@click.command(short_help="Serve a connector with gunicorn.", epilog=EPILOG)
@target_argument
@click.option("--host", default="0.0.0.0", show_default=True, help="Address to listen on.")  # noqa: S104
@click.option("--port", type=click.IntRange(1, 65535), help="Default: the variable PORT, then 8000.")
@verbose_errors_option
def serve(*, target: str, host: str, port: int | None) -> None:
    """Serve the connector TARGET with gunicorn until it is asked to stop.

    The environment says where the manager is (CONNECTOR_MANAGER_URL) and how the manager reaches this connector
    (CONNECTOR_HOST_NAME, or CONNECTOR_URL); without the latter it is not registered.
    """
    # Loaded here, so that --help need not wait for all of it.
    from gunicorn.arbiter import Arbiter  # noqa: PLC0415

    from omni_connector.server import serve as serve_with_gunicorn  # noqa: PLC0415
    from omni_connector.target import load_connector  # noqa: PLC0415

    connector = load_connector(target)
    try:
        serve_with_gunicorn(connector, port=port, host=host)
    except SystemExit as end:
        if isinstance(end.code, str):  # What is missing in the environment, as a message.
            raise CommandError(end.code) from None
        if end.code in {Arbiter.WORKER_BOOT_ERROR, Arbiter.APP_LOAD_ERROR}:  # Gunicorn has said why.
            raise click.exceptions.Exit(exit_codes.CONFIGURATION) from None
        raise
