"""Every example passes the checks that every connector must pass (``omni-connector check``)."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from async_connector import ApiConnector
from attrs import evolve
from dlt_connector import DatabaseConnector
from everything.tracker import Project
from everything.tracker_connector import TrackerConnector
from everything.wiki_connector import WikiConnector
from filesystem_connector import FilesystemConnector
from flask import Flask, request
from flask_app import create_app
from mailboxes_connector import MailboxConnector
from mcp_connector import GitConnector
from rss_connector import RssConnector
from singer_connector import PostsConnector
from support.foreign_environment import environment_with
from support.processes import ROOT, Process, child_environ
from webhook_app import TicketConnector

from omni_connector.local import HttpServer
from omni_connector.server import services
from omni_connector.testing.checks import Bench, Subject, run_checks

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.detect_precision_hints:DeprecationWarning"),  # Of dlt's own.
]

SAMPLE = ROOT / "examples" / "everything" / "projects" / "apollo"
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
        app.add_url_rule("/posts", view_func=self.posts)
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

    def posts(self):
        return [
            {"id": name, "title": name, "body": text, "author": ANN[0]} for name, text in self.items.items()
        ]


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

    # Hard links: a large source that takes no room.
    large = folder.with_name("large")
    large.mkdir()
    (large / "0.txt").write_text("Text of a large source. " * 40_000)
    for n in range(1, 20):
        (large / f"{n}.txt").hardlink_to(large / "0.txt")
    return Subject(
        make=FilesystemConnector,
        config={"path": str(folder), "users": ANN},
        remove_document=remove,
        large_config={"path": str(large), "users": ANN},
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


@pytest.fixture
def posts(server, shared_folder, monkeypatch):
    """Each run starts the tap twice, which takes seconds."""
    tap = environment_with(shared_folder, "tap-rest-api-msdk==1.4.2", "setuptools<80")
    monkeypatch.setenv("PATH", str(tap), prepend=os.pathsep)

    def remove():
        return f"posts/{server.remove()}"

    config = {"api_url": server.url}
    return Subject(make=PostsConnector, config=config, remove_document=remove, interruptions=1)


@pytest.fixture
def tracker(folder):
    """Each run starts an MCP server, which takes a second or two. The issue that is removed has no files."""
    shutil.copytree(SAMPLE, folder / "apollo")
    (folder / "apollo" / "files" / "AP-1" / "lost.html").write_text("It is missing in the sample on purpose.")
    token = "apollo-token"

    def remove():
        Project(folder, "apollo", token).save("AP-2", is_deleted=True)
        return "AP-2"

    return Subject(
        make=lambda: TrackerConnector(folder),
        config={"project": "apollo"},
        credentials={"token": token},
        remove_document=remove,
        interruptions=2,
        timeout_seconds=180,
    )


@pytest.fixture
def wiki(tmp_path):
    """Nothing says that a page is gone."""
    with Process(
        sys.executable, "-m", "everything.wiki_mcp", "--port", "0", env={"HOME": str(tmp_path)}
    ) as server:
        url = server.wait_for(r"(http://\S+/mcp)")[1]
        yield Subject(
            make=lambda: WikiConnector(url),
            credentials={"access_token": "office-token"},
            is_public=True,
            interruptions=2,
        )


@pytest.fixture(params=["rss", "filesystem"])
def application(request, feed, filesystem, omni_manager, monkeypatch):
    """One connector of the Flask application, as the application has made it."""
    monkeypatch.setenv("CONNECTOR_MANAGER_URL", omni_manager.url)
    monkeypatch.setenv("CONNECTOR_URL", "http://127.0.0.1:1")
    made = list(services(create_app()).values())
    [connector] = [each.connector for each in made if each.connector.name == request.param]
    yield evolve(feed if request.param == "rss" else filesystem, make=lambda: connector)
    for each in made:
        each.close(quick=True)


def require_right(subject, folder):
    with Bench(subject, folder) as bench:
        findings = [
            f"{result.name}: {finding}" for result in run_checks(bench) for finding in result.findings
        ]
    assert not findings, "\n".join(findings)


@pytest.mark.parametrize(
    "example",
    ["filesystem", "mailboxes", "git", "feed", "api", "tickets", "database", "posts", "tracker", "wiki"],
)
def test_an_example_is_right(example, request, tmp_path):
    require_right(request.getfixturevalue(example), tmp_path / "bench")


def test_the_connectors_of_an_application_are_right(application, tmp_path):
    require_right(application, tmp_path / "bench")


LOADER = """
import sys
from pathlib import Path
from loader_connector import HandbookConnector
from omni_connector.testing.checks import Bench, Subject, run_checks

def remove():
    Path(folder, "note-3.md").unlink()
    return f"{folder}/note-3.md"

if __name__ == "__main__":
    folder, data = sys.argv[1:]
    config = {"folder": folder, "users": ["ann@example.com"]}
    with Bench(Subject(make=HandbookConnector, config=config, remove_document=remove), Path(data)) as bench:
        for result in run_checks(bench):
            for finding in result.findings:
                print(f"FOUND {result.name}: {finding}")
    print("CHECKED")
"""


def test_the_example_of_a_loader_is_right(folder, tmp_path, shared_folder):
    """In an environment of its own: LangChain's dependencies are not ours."""
    python = environment_with(shared_folder, "langchain-community>=0.4", "--editable", str(ROOT)) / "python"
    for name in NAMES:
        (folder / f"{name}.md").write_text(f"Text of {name}")
    program = tmp_path / "program.py"
    program.write_text(LOADER)
    command = [str(python), str(program), str(folder), str(tmp_path / "bench")]
    env = child_environ({"PYTHONPATH": str(ROOT / "examples")})
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=250, env=env)
    assert "CHECKED" in done.stdout, done.stdout + done.stderr
    assert "FOUND" not in done.stdout, done.stdout
