"""Every example passes the checks that every connector must pass (``omni-connector check``)."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing

import pytest
from async_connector import ApiConnector
from dlt_connector import DatabaseConnector
from filesystem_connector import FilesystemConnector
from flask import Flask, request
from mailboxes_connector import MailboxConnector
from mcp_connector import GitConnector
from rss_connector import RssConnector
from webhook_app import TicketConnector

from omni_connector.local import HttpServer
from omni_connector.testing.checks import Bench, Subject, run_checks

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.detect_precision_hints:DeprecationWarning"),  # Of dlt's own.
]

ANN = ["ann@example.com"]
NAMES = [f"note-{n}" for n in range(5)]


class Server:
    """One source for the examples that read the web: a feed, an API with cursors, tickets. Items can be removed."""

    def __init__(self):
        self.items = {name: f"Text of {name}" for name in NAMES}
        self.changes = list(self.items)
        app = Flask(__name__)
        app.add_url_rule("/feed", view_func=self.feed)
        app.add_url_rule("/items", view_func=self.api)
        app.add_url_rule("/items/<name>", view_func=self.item)
        app.add_url_rule("/tickets", view_func=self.tickets)
        self.server = HttpServer(app, threads=4).start()
        self.url = self.server.url

    def remove(self):
        name, _ = self.items.popitem()
        self.changes.append(name)
        return name

    def feed(self):
        entries = "".join(
            f'<item><guid isPermaLink="false">{name}</guid><title>{name}</title><description>{text}</description></item>'
            for name, text in self.items.items()
        )
        return f'<rss version="2.0"><channel><title>News</title>{entries}</channel></rss>'

    def api(self):
        start = int(request.args.get("cursor", 0))
        end = min(start + 2, len(self.changes))
        items = [self.item(name) for name in self.changes[start:end]]
        return {"items": items, "next_cursor": str(end), "has_more": end < len(self.changes)}

    def item(self, name):
        if name not in self.items:
            return {"id": name, "deleted": True}
        return {"id": name, "title": name, "content": self.items[name]}

    def tickets(self):
        return [{"id": name, "subject": name, "text": text} for name, text in self.items.items()]


@pytest.fixture
def server():
    server = Server()
    yield server
    server.server.close()


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.fixture
def filesystem(folder):
    for name in NAMES:
        (folder / f"{name}.txt").write_text(f"Text of {name}")

    def remove():
        (folder / "note-3.txt").unlink()
        return "note-3.txt"

    return Subject(
        make=FilesystemConnector, config={"path": str(folder), "users": ANN}, remove_document=remove
    )


@pytest.fixture
def mailboxes(folder):
    message = "From ann Mon Jan  5 10:00:00 2026\nSubject: Boats\n\nText {0}\n\n"
    for box in ("a", "b"):
        (folder / f"{box}.mbox").write_text("".join(message.format(n) for n in range(3)))

    def remove():
        (folder / "b.mbox").write_text("".join(message.format(n) for n in range(2)))
        return "b.mbox/2"

    return Subject(make=MailboxConnector, config={"path": str(folder), "users": ANN}, remove_document=remove)


@pytest.fixture
def git(folder):
    command = ["git", "-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-C", str(folder)]
    subprocess.run([*command, "init", "-q"], check=True)
    for name in NAMES[:3]:
        (folder / "notes.txt").write_text(name)
        subprocess.run([*command, "add", "."], check=True)
        subprocess.run([*command, "commit", "-q", "-m", name], check=True)
    # Each run starts an MCP server, which takes a second or two.
    return Subject(make=GitConnector, config={"repo_path": str(folder), "users": ANN}, interruptions=2)


@pytest.fixture
def feed(server):
    return Subject(make=RssConnector, config={"feeds": [f"{server.url}/feed"]}, is_public=True)


@pytest.fixture
def api(server):
    return Subject(
        make=ApiConnector,
        config={"url": server.url},
        credentials={"token": "t0p-s3cret-0815"},
        is_public=True,
        remove_document=server.remove,
    )


@pytest.fixture
def tickets(server):
    return Subject(
        make=TicketConnector,
        config={"url": server.url},
        credentials={"webhook_secret": "s3cret-of-hooks"},
        is_public=True,
        remove_document=server.remove,
    )


@pytest.fixture
def database(folder):
    """Deletions are found once a day: the check does not wait for that."""
    path = folder / "notes.sqlite3"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TABLE notes (id INTEGER PRIMARY KEY, title, body, owner, updated_at INTEGER)"
        )
        row = "INSERT INTO notes (title, body, owner, updated_at) VALUES (?, ?, 'ann@example.com', 1)"
        connection.executemany(row, [(name, f"Text of {name}") for name in NAMES])

    def remove():
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("DELETE FROM notes WHERE id = 3")
        return "notes/3"

    return Subject(
        make=DatabaseConnector,
        config={"tables": ["notes"]},
        credentials={"url": f"sqlite:///{path}"},
        remove_document=remove,
        interruptions=3,
    )


@pytest.mark.parametrize("example", ["filesystem", "mailboxes", "git", "feed", "api", "tickets", "database"])
def test_an_example_is_right(example, request, tmp_path):
    with Bench(request.getfixturevalue(example), tmp_path / "bench") as bench:
        findings = [
            f"{result.name}: {finding}" for result in run_checks(bench) for finding in result.findings
        ]
    assert not findings, "\n".join(findings)
