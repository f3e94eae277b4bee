"""Taps of two makers from PyPI: Widen's ``tap-rest-api-msdk`` (singer-sdk), Transferwise's ``pipelinewise-tap-postgres``."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from flask import Flask, request
from support.foreign_environment import environment_with
from support.postgres import PostgresServer

from omni_connector import Document
from omni_connector.bridges.singer import SingerConnector
from omni_connector.local import HttpServer

pytestmark = pytest.mark.slow


class Titles(SingerConnector):
    version = "1.0.0"

    def document(self, record, stream):
        return Document(external_id=stream.key(record), title=record["title"], content=record["title"])


@pytest.fixture(scope="module")
def rest_tap(shared_folder):
    folder = environment_with(
        shared_folder, "tap-rest-api-msdk==1.4.2", "setuptools<80"
    )  # Its fs needs pkg_resources.
    return str(folder / "tap-rest-api-msdk")


@pytest.fixture(scope="module")
def postgres_tap(shared_folder):
    return str(environment_with(shared_folder, "pipelinewise-tap-postgres==2.1.0") / "tap-postgres")


class Api:
    """Posts since a moment, and all tags."""

    def __init__(self):
        self.posts = {
            n: {"id": n, "title": f"Post {n}", "updated": f"2026-01-{n:02}T00:00:00Z"} for n in range(1, 13)
        }
        self.tags = {n: {"id": n, "title": f"Tag {n}"} for n in range(1, 13)}
        self.since = []
        app = Flask(__name__)
        app.add_url_rule("/posts", view_func=self.list_posts)
        app.add_url_rule("/tags", view_func=lambda: list(self.tags.values()))
        self.server = HttpServer(app, threads=4).start()

    def list_posts(self):
        since = request.args.get("updated_gte", "")
        self.since.append(since)
        return sorted(
            (each for each in self.posts.values() if each["updated"] >= since), key=lambda p: p["updated"]
        )


@pytest.fixture
def api():
    api = Api()
    yield api
    api.server.close()


class Rest(Titles):
    name = "rest"

    def tap_config(self, config, credentials):
        posts = {
            "name": "posts",
            "path": "/posts",
            "replication_key": "updated",
            "source_search_field": "updated_gte",
        }
        streams = [{**posts, "source_search_query": "$last_run_date"}, {"name": "tags", "path": "/tags"}]
        return {
            "api_url": config["url"],
            "streams": [{**each, "primary_keys": ["id"], "records_path": "$.[*]"} for each in streams],
        }


def test_a_tap_of_singer_sdk_goes_on_from_its_state_and_its_whole_streams_find_deletions(
    run_sync, rest_tap, api
):
    connector = Rest()
    connector.tap = rest_tap
    first = run_sync(connector, config={"url": api.server.url})
    assert (first.status, len(first.documents)) == ("completed", 24), first.error
    api.posts[1] = {"id": 1, "title": "Changed", "updated": "2026-02-01T00:00:00Z"}
    api.tags[2]["title"] = "Changed"
    del api.tags[3], api.posts[4]
    second = run_sync(connector, mode="incremental")
    assert (set(second.documents), second.deletions) == ({"posts/1", "tags/2"}, ["tags/3"]), second.error
    assert any(each.startswith("2026-01-12") for each in api.since)
    assert run_sync(connector).deletions == ["posts/4"]


def test_settings_select_streams_and_fields_and_the_schema_makes_the_document(run_sync, rest_tap, api):
    class Plain(Rest):
        document = SingerConnector.document

        def tap_config(self, config, credentials):
            declared = super().tap_config(config, credentials)
            return {**declared, **config.get("more", {})}

    connector, config = Plain(), {"url": api.server.url, "select": ["posts", "!posts.title"]}
    connector.tap = rest_tap
    assert connector.check_connection(config, {}) is None
    first = run_sync(connector, config=config)
    assert (first.status, len(first.documents)) == ("completed", 12), first.error
    post = first.documents["posts/3"]
    assert "title" not in post.content
    assert post.metadata["updated_at"].startswith("2026-01-03")
    wrong = {**config, "select": ["post"], "more": {"api_urls": "x"}}
    assert "did you mean 'posts'?" in run_sync(connector, config=wrong, source_id="wrong").error
    assert "the tap has no stream 'post'" in connector.check_connection({**config, "select": ["post"]}, {})
    # What the tap says with --about.
    connector.tap_config = lambda config, credentials: {"api_ulr": "x"}
    assert "no setting 'api_ulr'; did you mean 'api_url'?" in connector.check_connection(config, {})


def test_the_example_reads_an_api_and_finds_what_is_gone(run_sync, rest_tap, api, monkeypatch):
    from singer_connector import PostsConnector

    monkeypatch.setenv("PATH", str(Path(rest_tap).parent), prepend=os.pathsep)
    for post in api.posts.values():
        post |= {"body": "Text", "author": "ann@example.com"}
    first = run_sync(PostsConnector(), config={"api_url": api.server.url})
    assert (first.status, len(first.documents)) == ("completed", 12), first.error
    assert first.documents["posts/1"].permissions["users"] == ["ann@example.com"]
    del api.posts[1]
    second = run_sync(PostsConnector(), mode="incremental")
    assert (set(second.documents), second.deletions) == (set(), ["posts/1"]), second.error


class Rows(Titles):
    name = "rows"
    streams = {"public-notes": "updated_at", "public-tags": None}

    def tap_config(self, config, credentials):
        url = urlsplit(credentials["url"])
        account = {"user": url.username, "password": url.password}
        return {
            **account,
            "host": url.hostname,
            "port": url.port,
            "dbname": "postgres",
            "filter_schemas": "public",
        }


def test_a_tap_of_transferwise_reads_tables_incrementally_and_with_versions(run_sync, postgres_tap):
    def do(statement):
        with psycopg.connect(server.url) as connection:
            connection.execute(statement)

    connector = Rows()
    connector.tap = postgres_tap
    with PostgresServer() as server:
        for name in ("notes", "tags", "others"):
            do(f"create table {name} (id integer primary key, title text, updated_at timestamp)")
            do(
                f"insert into {name} select n, '{name} ' || n, timestamp '2026-01-01' + n * interval '1 day' from generate_series(1, 12) n"
            )
        config = {"select": ["public-*", "!public-others", "!*.updated_at"]}
        assert connector.check_connection(config, {"url": server.url}) is None
        first = run_sync(connector, credentials={"url": server.url}, config=config)
        assert (first.status, len(first.documents)) == ("completed", 24), first.error
        do("update notes set title = 'Changed', updated_at = '2026-03-01' where id = 3")
        do("update tags set title = 'Changed' where id = 4")
        do("delete from tags where id = 5")
        do("delete from notes where id = 6")
        second = run_sync(connector, mode="incremental")
        assert {name for name in second.documents if second.documents[name].title == "Changed"} == {
            "public-notes/3",
            "public-tags/4",
        }, second.error
        assert second.deletions == ["public-tags/5"]
        assert run_sync(connector).deletions == ["public-notes/6"]
