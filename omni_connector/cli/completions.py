"""Values that the shell completes (``omni-connector completion``): files, sources, runs and documents of the data directory.

What is completed is read for each press of the Tab key: nothing heavy is imported for it, and lists are bounded.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem
from click.types import StringParamType

MOST, RUNS = 100, 20
"""Values offered at most; with more, one types a letter first."""

_SAFE = re.compile(r"[\w@%+=:,./#?&~-]+")
"""Shells put a value into the line as it is, and values are a source's: only such are offered as need no quotes."""

Known = Iterable[tuple[str, str]]
"""Values, each with what it is."""


class Place(StringParamType):
    """The place of a value: a file, a variable or standard input."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Have the shell complete paths."""
        del ctx, param
        return [CompletionItem(incomplete, type="file")]


class Stored(StringParamType):
    """Something that the data directory of ``--data`` holds.

    Args:
        name: what it is.
        known: returns what there is of it: at most so many, whose value begins with a text.
    """

    def __init__(self, name: str, known: Callable[[Path, str, int], Known]) -> None:
        self.name = name
        self._known = known

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return what begins with the text; nothing where there is no data."""
        del param
        data_dir = Path(ctx.params.get("data_dir") or ctx.lookup_default("data_dir") or ".omni")
        try:
            found = list(self._known(data_dir, incomplete, MOST))
        except Exception:  # noqa: BLE001 - a message within the line that is being typed helps less than silence.
            return []
        return [CompletionItem(value, help=said) for value, said in found if _SAFE.fullmatch(value)]


def _sources(data_dir: Path, begin: str, most: int) -> Known:
    from omni_connector.local.reader import StoreReader  # noqa: PLC0415 - takes time, and is needed for values only.

    found = [each for each in StoreReader(data_dir).sources() if each.name.startswith(begin)]
    return [(each.name, each.source_type) for each in found[:most]]


def _runs(data_dir: Path, begin: str, most: int) -> Known:
    from omni_connector.local.browse import find_run, find_run_ids, reading  # noqa: PLC0415 - as above.

    with reading(data_dir) as db:
        runs = [find_run(db, each) for each in find_run_ids(db, begin.upper(), limit=min(most, RUNS))]
    return [(each.id, f"{each.source_name}, {each.run.status}") for each in runs if each is not None]


def _documents(data_dir: Path, begin: str, most: int) -> Known:
    from omni_connector.local.browse import find_document_ids, reading  # noqa: PLC0415 - as above.

    with reading(data_dir) as db:
        return [(each, "document") for each in find_document_ids(db, begin, limit=most)]


PLACE = Place()
DOCUMENT = Stored("document", _documents)
RUN = Stored("run", _runs)
SOURCE = Stored("source", _sources)
