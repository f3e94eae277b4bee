"""What a command says: its result on standard output, everything else on standard error, as text or as JSON."""

import contextlib
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from omni_connector.cli.columns import Column, table_lines
from omni_connector.masking import mask, mask_json

LABEL_WIDTH = 12

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Output:
    """The two streams of a command.

    Colours, and anything that moves, only where both streams are terminals.

    Args:
        as_json: the result is one JSON object, and nothing else goes to standard output.
        keeps_apart: what a connector prints goes to standard error, as it always does with JSON.
    """

    def __init__(self, *, as_json: bool = False, keeps_apart: bool = False) -> None:
        self.as_json = as_json
        self._keeps_apart = keeps_apart or as_json
        self._stdout = sys.stdout  # Kept, because prints of a connector may be redirected.
        self.result = _console(sys.stdout)
        self.messages = _console(sys.stderr)

    @property
    def is_interactive(self) -> bool:
        """Whether a person watches: both streams are terminals, and no JSON is wanted."""
        return not self.as_json and self.result.is_terminal and self.messages.is_terminal

    @contextlib.contextmanager
    def apart(self) -> Iterator[None]:
        """Keep what a connector prints out of the result for the length of a block, where that is wanted."""
        with contextlib.redirect_stdout(sys.stderr) if self._keeps_apart else contextlib.nullcontext():
            yield

    def json(self, value: Mapping[str, Any]) -> None:
        """Write the one JSON object."""
        self._stdout.write(json.dumps(mask_json(value), indent=2) + "\n")
        self._stdout.flush()

    def event(self, name: str, facts: Mapping[str, Any]) -> None:
        """Write a line of JSON, for commands that go on; nothing where no JSON is wanted. Any thread may call."""
        if self.as_json:
            line = json.dumps(mask_json({"event": name, "time": datetime.now(UTC).isoformat(), **facts}))
            self._stdout.write(f"{line}\n")
            self._stdout.flush()

    def text(self, text: str | Text = "") -> None:
        """Write a line of the result; long lines are left to the terminal."""
        self.result.print(_masked(text), soft_wrap=True)

    def indented(self, text: Text, columns: int) -> None:
        """Write a paragraph of the result, wrapped on a terminal and one line elsewhere."""
        if not self.result.is_terminal:
            self.text(Text(" " * columns).append_text(text))
            return
        table = Table.grid(padding=0)
        table.add_column(width=columns)
        table.add_column()
        table.add_row("", _masked(text))
        self.result.print(table)

    def rows(self, rows: Iterable[tuple[str, Text]]) -> None:
        """Write labels and values, one below the other."""
        if not self.result.is_terminal:
            for label, value in rows:
                self.text(f"{label:<{LABEL_WIDTH}}{value.plain}")
            return
        table = Table.grid(padding=0)
        table.add_column(width=LABEL_WIDTH, style="dim")
        table.add_column()
        for label, value in rows:
            table.add_row(label, _masked(value))
        self.result.print(table)

    def table(self, columns: Sequence[Column], rows: Iterable[Iterable[Text | str]]) -> None:
        """Write a table, as wide as the terminal; where none is, no cell is broken or cut."""
        texts = [[_text(_masked(cell)) for cell in row] for row in rows]
        for line in table_lines(self.result, columns, texts):
            self.result.print(line, soft_wrap=True)

    def say(self, text: str, style: str = "") -> None:
        """Write a line to standard error."""
        self.messages.print(Text(printable(mask(text)), style), soft_wrap=True)


def printable(text: str) -> str:
    """Return ``text`` without control characters: titles and ids are a source's, and may hold terminal commands."""
    return _UNPRINTABLE.sub("\ufffd", text)


def one_line(text: str, *, longest: int = 300) -> str:
    """Return ``text`` as one printable line of limited length."""
    line = " ".join(printable(mask(text)).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def counted(number: int, noun: str) -> str:
    """Return ``1 error``, ``1,234 errors``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _masked(text: str | Text) -> str | Text:
    """Return a line without secrets; one that has none keeps its colours."""
    plain = text if isinstance(text, str) else text.plain
    masked = mask(plain)
    return text if masked is plain else masked


def _text(text: str | Text) -> Text:
    return Text(text) if isinstance(text, str) else text


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the command line, which has a status for it."""
        raise BrokenPipeError


def _console(stream: TextIO) -> Console:
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")  # A title that the terminal's encoding lacks must not end a command.
    return _Console(file=stream, highlight=False, markup=False, emoji=False)
