"""Tables on standard output: as wide as they need to be for programs, as wide as the terminal for people."""

from collections.abc import Iterator, Sequence
from itertools import compress, zip_longest

from attrs import frozen
from rich.console import Console
from rich.text import Text

_GAP = 2
_LEAST_WIDTH = 8


@frozen(kw_only=True)
class Column:
    """A column of a table.

    Attributes:
        title: its heading.
        width: in characters, on a terminal; None for a column that takes its share of what is left.
        is_id: for copying, hence never broken nor cut; it must be the first. What is longer than half a terminal
            stands in a line of its own.
        is_whole: on a terminal, what is too long is continued on the next line; of other texts the end is cut.
        is_number: right-aligned.
        from_columns: left out on a terminal that is narrower; those that have this are left out, the last first, where
            there is no room for the ids.
    """

    title: str
    width: int | None = None
    is_id: bool = False
    is_whole: bool = False
    is_number: bool = False
    from_columns: int = 0


def table_lines(
    console: Console, columns: Sequence[Column], rows: Sequence[Sequence[Text]]
) -> Iterator[Text]:
    """Yield the lines of a table; where no terminal is, all columns, and a line a row."""
    cells = [[Text(column.title, "bold") for column in columns], *rows]
    longest = [max(cell.cell_len for cell in column) for column in zip(*cells, strict=True)]
    shown, widths = [True] * len(columns), longest
    if console.is_terminal:
        shown, widths = _fitted(columns, longest, console.width)
    kept, kept_widths = list(compress(columns, shown)), list(compress(widths, shown))
    for row in cells:
        yield from _row_lines(console, kept, list(compress(row, shown)), kept_widths)


def _fitted(
    columns: Sequence[Column], longest: Sequence[int], available: int
) -> tuple[list[bool], list[int]]:
    """Return which columns fit into a width, and how wide each is."""
    least = [_least(column, length, available) for column, length in zip(columns, longest, strict=True)]
    shown = [column.from_columns <= available for column in columns]
    for place in reversed(range(len(columns))):
        if sum(compress(least, shown)) + _GAP * (sum(shown) - 1) <= available:
            break
        if columns[place].from_columns:
            shown[place] = False
    left = available - sum(compress(least, shown)) - _GAP * (sum(shown) - 1)
    widths = list(least)
    flexible = [
        place for place, column in enumerate(columns) if shown[place] and longest[place] > least[place]
    ]
    flexible = [place for place in flexible if columns[place].width is None and not columns[place].is_id]
    for done, place in enumerate(sorted(flexible, key=longest.__getitem__)):
        wider = min(longest[place] - least[place], max(left, 0) // (len(flexible) - done))
        widths[place] += wider
        left -= wider
    return shown, widths


def _least(column: Column, longest: int, available: int) -> int:
    if column.is_id:
        return min(longest, max(available // 2, _LEAST_WIDTH))
    if column.is_number:
        return longest
    return column.width or min(longest, _LEAST_WIDTH)


def _row_lines(
    console: Console, columns: Sequence[Column], row: list[Text], widths: Sequence[int]
) -> Iterator[Text]:
    if columns[0].is_id and row[0].cell_len > widths[0]:
        yield row[0]
        row = [Text(), *row[1:]]
    broken = [
        list(cell.wrap(console, width))
        if column.is_whole and cell.cell_len > width
        else [_aligned(cell, column, width)]
        for cell, column, width in zip(row, columns, widths, strict=True)
    ]
    for parts in zip_longest(*broken):
        line = Text()
        for part, width in zip(parts, widths, strict=True):
            cell = Text() if part is None else part.copy()
            cell.truncate(width, pad=True)
            line.append_text(cell).append(" " * _GAP)
        line.rstrip()
        yield line


def _aligned(cell: Text, column: Column, width: int) -> Text:
    cell = cell.copy()
    cell.truncate(width, overflow="ellipsis")
    if column.is_number:
        cell.pad_left(width - cell.cell_len)
    return cell
