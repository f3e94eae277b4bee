"""The entry point: finds the command, and is the one place where errors become messages and exit codes."""

import contextlib
import importlib
import os
import sys
from difflib import get_close_matches
from typing import Any

import click

from omni_connector._version import __version__
from omni_connector.cli import exit_codes
from omni_connector.cli.errors import CommandError, ManagerRefusedError, bug
from omni_connector.cli.signals import StoppedBySignal
from omni_connector.exceptions import ConfigurationError, ConnectorError

COMMANDS = (
    "dev",
    "run",
    "search",
    "sources",
    "runs",
    "documents",
    "show",
    "errors",
    "state",
    "action",
    "check",
    "new",
    "manifest",
    "serve",
    "manager",
    "completion",
)
"""Each is a module of this package with a function of its name, in the order in which people need them."""

_MODULES = {"errors": "refused"}
"""Modules with another name than their command."""


class CommandLine(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in our order."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"omni_connector.cli.{_MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; one that is misspelt is named as it may be meant."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            near = get_close_matches(args[0], COMMANDS, n=1)
            if near:
                ctx.fail(f"No such command '{args[0]}'. Did you mean '{near[0]}'?")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; whatever it raises becomes a message and an exit code."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt as error:
            number = error.number if isinstance(error, StoppedBySignal) else 2
            click.echo("\nInterrupted before anything was started.", err=True)
            raise click.exceptions.Exit(exit_codes.SIGNALLED + number) from error
        except ConfigurationError as error:
            raise CommandError(error.problems) from error
        except ManagerRefusedError as error:
            raise CommandError(str(error), exit_code=exit_codes.RUN_FAILED) from error
        except ConnectorError as error:
            raise CommandError(str(error)) from error
        except Exception as error:  # The command ends here.
            if is_local_error(error):
                raise CommandError(str(error)) from error
            if isinstance(error, BrokenPipeError):  # As in "omni-connector documents | head".
                discard_output()
                raise click.exceptions.Exit(exit_codes.UNREAD) from error
            raise bug(error) from error


def discard_output() -> None:
    """Keep Python from failing to write, when it ends, what is still buffered."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError):
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def is_local_error(error: Exception) -> bool:
    """Say whether the embedded manager raised it on purpose; it is not imported for that."""
    module = sys.modules.get("omni_connector.local.errors")
    return module is not None and isinstance(error, module.LocalError)


@click.group(
    cls=CommandLine,
    epilog=exit_codes.EXPLAINED,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="omni-connector", message="%(prog)s %(version)s")
def cli() -> None:
    """Run, search and serve connectors for Omni.

    TARGET is a connector: package.module:Class, or path/to/file.py (path/to/file.py:Class when the file holds
    several).
    """


def main() -> None:
    """Run the command line of this process."""
    cli(prog_name="omni-connector")
