"""The examples stay as short as docs/how-to/examples.md says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.code_lines import code_lines

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "examples.md").read_text()
COMPARED = (ROOT / "docs" / "explanation" / "comparison.md").read_text()
LIMITS = {"ticket_connector.py": 60, "table_connector.py": 25, "imap_connector.py": 60}


def lines_of(name):
    return code_lines((ROOT / "examples" / name).read_text())


@pytest.mark.parametrize(("name", "limit"), LIMITS.items())
def test_a_connector_takes_no_more_lines_than_it_may(name, limit):
    assert lines_of(name) <= limit


def test_the_page_has_the_lines_of_each_example():
    stated = dict(re.findall(r"^\| `examples/(\w+\.py)` .*\| (\d+) \|$", PAGE, re.MULTILINE))
    assert len(stated) == 6
    assert {name: lines_of(name) for name in stated} == {name: int(lines) for name, lines in stated.items()}
    rows = re.findall(r"^\| [\w, ]+ \| \d+ \| (\d+) \|", COMPARED, re.MULTILINE)
    assert [int(lines) for lines in rows] == [lines_of(name) for name in LIMITS]


def test_what_is_no_code_is_not_counted():
    source = '"""Doc."""\n\nimport os  # Used.\n\nTEXT = """a\n\nb"""\n"""About it."""\n\n# Note.\n\n\ndef f():\n    "Doc."\n    return (\n        1\n    )\n'
    assert code_lines(source) == 8
