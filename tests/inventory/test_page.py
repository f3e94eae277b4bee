"""The code on docs/how-to/deletions.md, incremental.md and docs/reference/inventory.md does what the pages say."""

from __future__ import annotations

import datetime as dt
import re
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.inventory_source import document

from omni_connector import Connector, InvalidValueError, Partition

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


@pytest.mark.slow
def test_the_documents_of_a_partition_that_is_gone_are_deleted_once_that_is_approved(run_sync):
    """The code on docs/how-to/big-sources.md."""
    drives = {key: [f"{key}-{number}" for number in range(3)] for key in ("one", "two")}
    page = Path("docs/how-to/big-sources.md").read_text(encoding="utf-8")
    block = re.findall(r"^```python\n(def partitions.*?)^```", page, re.MULTILINE | re.DOTALL)[0]
    read = []

    def list_files(_, key):
        read.append(key)
        return [{"id": name, "etag": 1} for name in drives[key]]

    members = {
        "name": "drives",
        "version": "1",
        "source_types": ["web"],
        "sync_modes": ["full", "incremental"],
    }
    names = {
        "Partition": Partition,
        "list_drives": lambda _: [{"id": key} for key in drives],
        "list_files": list_files,
        "to_document": lambda file: document(file["id"]),
    }
    exec(block, names)
    hooks = {name: names[name] for name in ("partitions", "sync_partition", "sync") if name in names}
    connector = type("Drives", (Connector,), members | hooks)()
    assert len(run_sync(connector).documents) == 6
    del drives["two"]
    [withheld] = run_sync(connector, mode="incremental").errors
    code = re.search(r"'(\d-\w+)'", withheld.reason)[1]
    approved = run_sync(connector, mode="incremental", config={"approve_deletions": code})
    assert sorted(approved.deletions) == ["two-0", "two-1", "two-2"]
    for _ in range(2):
        last = run_sync(connector, mode="incremental")
        assert (last.events, last.errors, set(last.state["partitions"])) == ([], [], {"one"})


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
