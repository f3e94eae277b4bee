"""The code on docs/how-to/deletions.md, incremental.md and docs/reference/inventory.md does what the pages say."""

from __future__ import annotations

import datetime as dt
import re
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest

from omni_connector import Connector, InvalidValueError

(NOTES, GONE), (TICKETS, SAVED), (TOO_LONG,) = (
    re.findall(r"^ *```python\n(.*?)^ *```", Path(page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for page in ("docs/how-to/deletions.md", "docs/how-to/incremental.md", "docs/reference/inventory.md")
)
CONFIG = {"readers": ["ann@example.com"]}


def load(block, name, **source):
    namespace = {"__name__": "page", **source}
    exec(compile(block, "a how-to page", "exec"), namespace)
    return namespace[name]()


@pytest.fixture
def notes():
    return {f"n{number}": "1" for number in range(10)}


@pytest.fixture
def connector(notes):
    def list_notes(credentials, after):
        names = sorted(notes)
        for number in range(-1 if after is None else after, len(names)):
            page = [
                {"id": name, "etag": notes[name], "title": name, "text": "text"}
                for name in names[number : number + 1]
                if number >= 0
            ]
            yield {"number": number, "notes": page}

    return load(NOTES, "Notes", list_notes=list_notes)


def test_the_first_connector_finds_changes_and_deletions(run_sync, connector, notes):
    assert len(run_sync(connector, config=CONFIG).documents) == 10
    notes["n1"] = "2"
    del notes["n2"]
    result = run_sync(connector, mode="incremental")
    assert (set(result.documents), result.deletions) == ({"n1"}, ["n2"])
    everyone = run_sync(connector, mode="incremental", config={"readers": ["bob@example.com"]})
    assert len(everyone.documents) == 9


def test_the_test_of_the_page_passes(run_sync, connector, notes):
    notes["todo"] = "1"
    names = {"Notes": type(connector)}
    exec(compile(GONE, "docs/how-to/deletions.md", "exec"), names)
    names["test_a_note_that_is_gone_is_deleted"](run_sync, notes)


def test_the_state_is_saved():
    states = []
    exec(SAVED, {"ctx": SimpleNamespace(save_state=states.append), "page": {"number": 3}})
    assert states == [{"page": 3}]


def test_an_id_that_is_too_long_is_reported(run_sync):
    def sync(self, config, credentials, state, ctx):
        names = {"path": "a" * 501, "etag": "1", "InvalidValueError": InvalidValueError}
        exec(textwrap.dedent(TOO_LONG), {**names, "ctx": ctx, "inventory": ctx.inventory()})

    members = {"name": "paths", "version": "1", "source_types": ["web"], "sync": sync}
    result = run_sync(type("Paths", (Connector,), members)())
    assert [error.document_id for error in result.errors] == ["a" * 501]


def test_a_manager_of_its_own_begins_with_an_inventory_of_its_own(connector):
    from omni_connector.testing import run_sync

    assert [len(run_sync(connector, config=CONFIG, mode="incremental").documents) for _ in range(2)] == [
        10,
        10,
    ]


def test_the_second_connector_asks_for_changes_and_lists_everything_once_a_day(run_sync, monkeypatch):
    now = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    rows = dict.fromkeys(range(5), now)
    asked = []

    def query(statement, since=None):
        asked.append(since)
        return [
            {"id": number, "updated_at": moment, "title": "t", "text": "t"}
            for number, moment in sorted(rows.items(), key=lambda item: item[1])
            if since is None or moment >= since
        ]

    tickets = load(TICKETS, "Tickets", query=query)
    assert len(run_sync(tickets).documents) == 5
    rows[8] = now - dt.timedelta(hours=1)  # Later than the overlap.
    rows[7] = now - dt.timedelta(minutes=3)  # A late row.
    del rows[0]
    result = run_sync(tickets, mode="incremental")
    assert (set(result.documents), result.deletions) == ({"7"}, [])
    assert asked[-1] == now - dt.timedelta(minutes=5)
    tickets.reconcile_every = dt.timedelta(0)
    result = run_sync(tickets, mode="incremental")
    assert (set(result.documents), result.deletions) == ({"8"}, ["0"])
    assert run_sync(tickets, mode="incremental").events == []
