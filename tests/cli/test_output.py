import io
import re

import pytest
from rich.console import Console
from rich.text import Text

from omni_connector.cli.columns import Column
from omni_connector.cli.hits import show_hits
from omni_connector.cli.output import Output, counted, one_line, printable
from omni_connector.local import SearchHit


@pytest.fixture
def terminal():
    output = Output()
    output.result = Console(file=io.StringIO(), force_terminal=True, width=40, highlight=False)
    return output


def test_on_a_terminal_values_wrap_below_each_other(terminal):
    terminal.rows([("Label", Text("word " * 10)), ("Other", Text("value"))])
    lines = terminal.result.file.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("\x1b[2m            \x1b[0mword")


COLUMNS = [
    Column(title="ID", is_id=True),
    Column(title="TITLE"),
    Column(title="SOURCE", from_columns=30),
    Column(title="DID", is_whole=True),
]
LONG_ID = "folder/" * 8 + "a.md"
ROWS = [
    ["wiki/changelog.md", "What changed in all versions", "wiki", "1 changed, 1 deleted"],
    [LONG_ID, "A", "wiki", "new"],
]


def test_in_a_pipe_no_cell_of_a_table_is_broken_cut_or_left_out(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    Output().table(COLUMNS, ROWS)
    lines = capsys.readouterr().out.splitlines()
    assert [re.split(r"\s{2,}", line) for line in lines] == [["ID", "TITLE", "SOURCE", "DID"], *ROWS]


def test_on_a_terminal_ids_stay_whole_and_the_other_columns_make_room(terminal):
    terminal.table(COLUMNS, ROWS)
    lines = [Text.from_ansi(line).plain for line in terminal.result.file.getvalue().splitlines()]
    assert lines == [
        "ID                    TITLE     DID",
        "wiki/changelog.md     What ch\u2026  1",
        "                                changed,",
        "                                1",
        "                                deleted",
        LONG_ID,
        "                      A         new",
    ]


def test_elsewhere_a_value_is_one_line(capsys):
    Output().rows([("Label", Text("word " * 100))])
    assert capsys.readouterr().out == "Label       " + "word " * 100 + "\n"


def test_on_a_terminal_matches_are_bold_and_yellow(terminal):
    hit = SearchHit(
        source_id="s",
        external_id="e",
        title="T",
        url=None,
        snippet="a quick fox",
        highlights=((2, 7),),
        score=1.0,
    )
    show_hits(terminal, "quick", [hit])
    assert "    a \x1b[1;33mquick\x1b[0m fox" in terminal.result.file.getvalue()


def test_a_character_that_the_encoding_lacks_is_replaced(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", stream)
    Output().text("caf\u00e9")
    stream.flush()
    assert stream.buffer.getvalue() == b"caf?\n"


def test_texts_are_made_printable_and_short():
    assert printable("a\x00b\x1b\ud800c\td\n") == "a\ufffdb\ufffd\ufffdc\td\n"
    assert one_line("a\n  b\tc") == "a b c"
    assert one_line("x" * 400) == "x" * 299 + "\u2026"


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 errors"), (1, "1 error"), (2, "2 errors"), (1234, "1,234 errors")]
)
def test_numbers_are_counted_in_words(number, text):
    assert counted(number, "error") == text
