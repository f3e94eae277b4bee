"""Where the value of an option comes from: a file, a variable of the environment or standard input.

Secrets are given so, because every account of a machine can read the command lines of its processes.
"""

import sys
from pathlib import Path
from typing import Final

import click
from attrs import frozen

from omni_connector.cli.errors import UnclearOptionError
from omni_connector.config import variable
from omni_connector.exceptions import ConfigurationError

VARIABLE: Final = "env:"
STANDARD_INPUT: Final = "-"
_TAKEN = "omni_connector.standard_input"
_BEGINS_JSON = ("{", "[", '"')
_FILE_SUFFIXES = frozenset({".json", ".toml"})
_CREDENTIALS_ARE_NO_TEXT = (
    "takes a file, env:NAME or -, not JSON text: others could read it in the process list."
)


@frozen(kw_only=True)
class Place:
    """A place as it was typed: ``FILE``, ``env:NAME`` or ``-``, each also after an ``@``.

    Attributes:
        option: of which it is the value, for messages.
        text: without the ``@``.
    """

    option: str
    text: str

    @property
    def shown(self) -> str:
        """The option with its place, for messages; without it where the text may be the secret itself."""
        if self.text == STANDARD_INPUT:
            return f"{self.option} - (standard input)"
        is_harmless = self.text.startswith(VARIABLE) or self.suffix in _FILE_SUFFIXES or self._is_file
        return f"{self.option} {self.text}" if is_harmless else self.option

    @property
    def suffix(self) -> str:
        """The suffix of a file, in lower case."""
        return "" if self.text == STANDARD_INPUT else Path(self.text).suffix.lower()

    @property
    def _is_file(self) -> bool:
        try:
            return Path(self.text).expanduser().is_file()
        except (OSError, ValueError, RuntimeError):  # Too long for a name, say, because it is something else.
            return False

    def read(self) -> bytes:
        """Return what is there.

        Raises:
            ConfigurationError: the file cannot be read, or the variable is not set.
            UnclearOptionError: two options want standard input.
        """
        if self.text == STANDARD_INPUT:
            return _standard_input(self.option)
        if self.text.startswith(VARIABLE):
            name = self.text.removeprefix(VARIABLE)
            value = variable(name)
            if value is None:
                raise ConfigurationError(f"{self.shown}: the environment has no variable {name}. Set it.")
            return value.encode("utf-8", "surrogateescape")
        try:
            return Path(self.text).expanduser().read_bytes()
        except (OSError, ValueError, RuntimeError) as error:
            said = getattr(error, "strerror", None) or error
            raise ConfigurationError(f"{self.shown}: {said}. Name a file, env:NAME or -.") from None


def place(text: str, option: str) -> Place:
    """Return the place that was typed for ``option``; raises UnclearOptionError where it is JSON text."""
    if text.lstrip().startswith(_BEGINS_JSON):
        raise UnclearOptionError(f"{option} {_CREDENTIALS_ARE_NO_TEXT}")
    return Place(option=option, text=text.removeprefix("@"))


def secret_text(key: str, text: str) -> str:
    """Return the value of ``--secret KEY=PLACE``, without the line's end that editors put behind it.

    Raises:
        UnclearOptionError: the value itself was typed.
        ConfigurationError: there is nothing at the place.
    """
    option = f"--secret {key}"
    if not text.startswith(("@", VARIABLE)) and text != STANDARD_INPUT:
        raise UnclearOptionError(
            f"{option}: name where the value is: @FILE, env:NAME or - (standard input). A value that is typed could be "
            "read in the process list."
        )
    found = place(text, option)
    try:
        value = found.read().decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{found.shown}: this is no text in UTF-8.") from None
    if not value:
        raise ConfigurationError(f"{found.shown}: there is nothing. Put the value there.")
    return value


def _standard_input(option: str) -> bytes:
    context = click.get_current_context(silent=True)
    taken = None if context is None else context.meta.setdefault(_TAKEN, option)
    if taken not in {None, option}:
        raise UnclearOptionError(
            f"{option} and {taken} both read standard input: give one of them otherwise."
        )
    if sys.stdin is None:
        raise ConfigurationError(f"{option} -: this process has no standard input.")
    if sys.stdin.isatty():
        click.echo(f"Type the value of {option}; end with Ctrl-D on a line of its own.", err=True)
    return sys.stdin.buffer.read()
