"""dlt's own sources: ``rest_api`` on a local server, ``sql_database`` on SQLite and PostgreSQL, ``filesystem``."""

import sqlite3
from contextlib import closing
from functools import partial

import psycopg
import pytest
from flask import Flask, request
from support.postgres import PostgresServer
from support.unprivileged import heed_modes

from omni_connector import Document
from omni_connector.bridges.dlt import DltConnector
from omni_connector.local import HttpServer

pytest.importorskip("dlt")
from dlt.sources import incremental
from dlt.sources.filesystem import filesystem
from dlt.sources.rest_api import rest_api_source
from dlt.sources.sql_database import sql_database

pytestmark = [
    pytest.mark.slow,
    # dlt's source passes its own deprecated argument.
    pytest.mark.filterwarnings("ignore:`detect_precision_hints`:DeprecationWarning"),
]


class Table:
    """Notes in a database."""

    rows = [(n, f"Note {n}", f"2026-01-{n:02} 10:00:00") for n in range(1, 31)]

    def __init__(self, url, connect, mark):
        self.url, self._connect, self._mark = url, connect, mark
        self.do("create table notes (id integer primary key, title text, updated_at timestamp)")
        self.do("create table tags (id integer primary key, title text)")
        for row in self.rows:
            self.do("insert into notes values (?, ?, ?)", *row)
            self.do("insert into tags values (?, ?)", row[0], f"Tag {row[0]}")

    def do(self, statement, *values):
        connection = self._connect()
        try:
            connection.cursor().execute(statement.replace("?", self._mark), values)
            connection.commit()
        finally:
            connection.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def table(request, tmp_path):
    if request.param == "sqlite":
        path = tmp_path / "notes.db"
        yield Table(f"sqlite:///{path}", partial(sqlite3.connect, path), "?")
        return
    with PostgresServer() as server:
        yield Table(server.url, partial(psycopg.connect, server.url), "%s")


class Notes(DltConnector):
    name = "notes"
    version = "1.0.0"

    def source(self, config, credentials):
        source = sql_database(credentials["url"], table_names=["notes", "tags"], chunk_size=10)
        source.notes.apply_hints(incremental=incremental("updated_at"))
        return source

    def document(self, row, resource):
        return Document(external_id=f"{resource}/{row['id']}", title=row["title"], content=row["title"])


def test_tables_are_read_incrementally_and_whole(run_sync, table):
    first = run_sync(Notes(), credentials={"url": table.url})
    assert (first.status, len(first.documents)) == ("completed", 60)
    table.do("update notes set title = 'Changed', updated_at = '2026-02-01 10:00:00' where id = 3")
    table.do("update tags set title = 'Changed' where id = 4")
    table.do("delete from notes where id = 5")
    table.do("delete from tags where id = 6")
    second = run_sync(Notes(), mode="incremental")
    assert (set(second.documents), second.deletions) == ({"notes/3", "tags/4"}, ["tags/6"])
    third = run_sync(Notes())
    assert (third.deletions, len(third.index)) == (["notes/5"], 58)


class Api:
    """Posts on pages, with comments of each; a deleted one is not listed any more."""

    def __init__(self):
        self.posts = {n: {"id": n, "title": f"Post {n}", "updated": n} for n in range(1, 13)}
        self.asked = []
        self.refuses = False
        app = Flask(__name__)
        app.add_url_rule("/posts", view_func=self.list_posts)
        app.add_url_rule("/posts/<int:post>/comments", view_func=self.comments)
        self.server = HttpServer(app, threads=4).start()

    def list_posts(self):
        since, page = int(request.args.get("since", 0)), int(request.args.get("page", 1))
        self.asked.append((since, request.headers["authorization"]))
        if self.refuses:
            return "no", 403
        found = sorted(
            (each for each in self.posts.values() if each["updated"] >= since), key=lambda p: p["updated"]
        )
        return {"posts": found[5 * (page - 1) : 5 * page], "pages": -(-len(found) // 5)}

    def comments(self, post):
        return {"comments": [{"id": f"{post}-{n}", "title": f"Comment {n}"} for n in range(2)]}


@pytest.fixture
def api():
    api = Api()
    yield api
    api.server.close()


class Blog(DltConnector):
    name = "blog"
    version = "1.0.0"

    def source(self, config, credentials):
        since = {"type": "incremental", "cursor_path": "updated", "initial_value": 0}
        posts = {"path": "posts", "params": {"since": since}, "data_selector": "posts"}
        paginator = {"type": "page_number", "base_page": 1, "total_path": "pages"}
        comments = {
            "path": "posts/{resources.posts.id}/comments",
            "data_selector": "comments",
            "paginator": "single_page",
        }
        return rest_api_source(
            {
                "client": {"base_url": config["url"], "auth": {"token": credentials["token"]}},
                "resources": [
                    {"name": "posts", "endpoint": {**posts, "paginator": paginator}},
                    {"name": "comments", "endpoint": comments},
                ],
            }
        )

    def document(self, row, resource):
        return Document(external_id=f"{resource}/{row['id']}", title=row["title"], content="")


def test_a_rest_api_is_read_with_the_resources_of_each_row(run_sync, api):
    first = run_sync(Blog(), config={"url": api.server.url}, credentials={"token": "t0ken-7-of-the-blog"})
    assert (first.status, len(first.documents)) == ("completed", 36)
    assert set(api.asked) == {(0, "Bearer t0ken-7-of-the-blog")}
    api.posts[2] = {"id": 2, "title": "Changed", "updated": 20}
    del api.posts[3]
    second = run_sync(Blog(), mode="incremental")
    assert (set(second.documents), second.deletions) == ({"posts/2"}, [])
    third = run_sync(Blog())
    assert sorted(third.deletions) == ["comments/3-0", "comments/3-1", "posts/3"]


def test_an_api_that_refuses_fails_the_run_and_nothing_is_deleted(run_sync, api):
    run_sync(Blog(), config={"url": api.server.url}, credentials={"token": "t0ken-7-of-the-blog"})
    api.refuses = True
    result = run_sync(Blog())
    assert (result.status, result.deletions, len(result.index)) == ("failed", [], 36)
    assert "posts" in result.error
    assert "t0ken-7" not in result.error


def test_the_example_reads_a_database(run_sync, tmp_path):
    from dlt_connector import DatabaseConnector

    path = tmp_path / "notes.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "create table notes (id integer primary key, title text, body text, owner text, updated_at timestamp)"
        )
        row = (7, "Note", "Text", "Ann@example.com", "2026-01-01 10:00:00")
        connection.execute("insert into notes values (?, ?, ?, ?, ?)", row)
        connection.commit()
    result = run_sync(
        DatabaseConnector(), config={"tables": ["notes"]}, credentials={"url": f"sqlite:///{path}"}
    )
    assert result.status == "completed", result.error
    note = result.documents["notes/7"]
    assert (note.title, note.content, note.permissions["users"]) == ("Note", "Text", ["ann@example.com"])


class Files(DltConnector):
    name = "files"
    version = "1.0.0"

    def source(self, config, credentials):
        heed_modes()
        return filesystem(config["url"], file_glob="**/*.txt")

    def document(self, row, resource):
        return Document(
            external_id=row["relative_path"], title=row["file_name"], content=row.read_bytes().decode()
        )


def test_a_folder_is_read_whole_each_time(run_sync, tmp_path):
    folder = tmp_path / "notes"
    (folder / "sea").mkdir(parents=True)
    for name in ("boat.txt", "sea/tide.txt", "sea/wave.txt"):
        (folder / name).write_text(f"About {name}")
    first = run_sync(Files(), config={"url": folder.as_uri()})
    assert {name: each.content for name, each in first.documents.items()} == {
        name: f"About {name}" for name in ("boat.txt", "sea/tide.txt", "sea/wave.txt")
    }
    (folder / "boat.txt").write_text("Changed")
    (folder / "sea/wave.txt").unlink()
    (folder / "sea").chmod(0)
    closed = run_sync(Files(), mode="incremental")
    (folder / "sea").chmod(0o700)
    assert (set(closed.documents), closed.deletions) == ({"boat.txt"}, [])
    (folder / "boat.txt").write_text("Changed again")
    second = run_sync(Files(), mode="incremental")
    assert (set(second.documents), second.deletions) == ({"boat.txt"}, ["sea/wave.txt"])
