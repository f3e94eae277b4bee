"""How a command ends when it cannot do what it was asked for: one readable message, no traceback."""

import json
from collections.abc import Sequence
from typing import IO, Any

import click

from omni_connector.cli import exit_codes

# What an error needs is loaded when there is one: completion runs the command for each press of the Tab key.

JSON_WANTED = "omni_connector.json"
VERBOSE = "omni_connector.verbose"
"""Keys of ``click.Context.meta``, which a command shares with the group that reports its errors."""


class CommandError(click.ClickException):
    """Ends a command with messages and an exit code.

    Args:
        problems: one sentence each, remedy included.
        exit_code: see ``exit_codes``.
    """

    exit_code: int  # type: ignore[misc]  # A class variable in click, which reads it from the instance.

    def __init__(self, problems: str | Sequence[str], *, exit_code: int = exit_codes.CONFIGURATION) -> None:
        from omni_connector.masking import mask  # noqa: PLC0415

        self.problems = [mask(each) for each in ([problems] if isinstance(problems, str) else problems)]
        super().__init__("\n".join(self.problems))
        self.exit_code = exit_code  # pyright: ignore[reportIncompatibleVariableOverride]  # As above.
        context = click.get_current_context(silent=True)
        self._meta = {} if context is None else context.meta

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the messages to standard error and, where JSON is wanted, an object to standard output."""
        if self._meta.get(VERBOSE) and self.__cause__ is not None:
            from omni_connector.masking import masked_traceback  # noqa: PLC0415

            click.echo(masked_traceback(self.__cause__), file=file, err=True, nl=False)
        first, *more = self.problems
        text = f"Error: {first}" if not more else "\n  - ".join(["Error:", *self.problems])
        click.echo(text, file=file, err=True)
        if self._meta.get(JSON_WANTED):
            click.echo(json.dumps({"error": self.message, "exit_code": self.exit_code}))


class UnclearOptionError(CommandError):
    """What was typed for an option cannot be understood."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem, exit_code=exit_codes.USAGE)


class ManagerRefusedError(Exception):
    """The embedded manager refused a call: a sync could not be started, or has ended.

    Attributes:
        status: HTTP status of its answer.
        reason: the manager's own words.
    """

    def __init__(self, message: str, *, status: int, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason or message


def bug(error: Exception) -> CommandError:
    """Return the message for an unexpected exception."""
    from omni_connector.code_location import author_location  # noqa: PLC0415
    from omni_connector.masking import error_text  # noqa: PLC0415

    place = author_location(error)
    where = f" (in {place})" if place else ""
    remedy = "This is a bug in omni-connector or in the connector; run with -v for the traceback."
    return CommandError(f"{error_text(error)}{where}. {remedy}", exit_code=exit_codes.BUG)
