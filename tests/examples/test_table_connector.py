"""The example that reads a table of PostgreSQL."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from psycopg.types.json import Jsonb
from support.postgres import PASSWORD, PostgresServer
from support.real_system import RealSystemTests
from table_connector import TableConnector

pytestmark = pytest.mark.slow  # The server takes seconds to start.

TABLE = """
DROP TABLE IF EXISTS pages;
CREATE TABLE pages (
    id bigint PRIMARY KEY,
    title text NOT NULL,
    body text NOT NULL,
    permissions jsonb NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""


class Pages:
    """A table of four rows."""

    def __init__(self, url):
        self.database = psycopg.connect(url, autocommit=True)
        self.config = {}
        self.credentials = {"url": url}
        self.wrong_credentials = {"url": url.replace(PASSWORD, "wrong-password-3")}
        self.secrets = [PASSWORD, "wrong-password-3"]
        self.documents = {"aardvark": "1", "badger": "2", "cheetah": "3", "dolphin": "4"}
        self.finds = {
            "ann@example.com": set(self.documents),
            "bob@example.com": {"badger"},
            "joe@example.com": set(),
        }
        self.database.execute(TABLE)
        for word, number in self.documents.items():
            readers = ["ann@example.com", *(["Bob@example.com"] if word == "badger" else [])]
            self.database.execute(
                "INSERT INTO pages VALUES (%s, %s, %s, %s, clock_timestamp() - %s)",
                (
                    number,
                    word,
                    f"Of the {word}.",
                    Jsonb({"users": readers}),
                    timedelta(hours=4 - int(number)),
                ),
            )

    def change(self, word):
        self.database.execute(
            "UPDATE pages SET body = %s, updated_at = clock_timestamp() WHERE id = 1",
            (f"Now of the {word}.",),
        )
        return "1"

    def delete(self):
        self.database.execute("DELETE FROM pages WHERE id = 2")
        return "2"


@pytest.fixture(scope="module")
def server():
    with PostgresServer() as server:
        yield server


@pytest.fixture
def system(server):
    pages = Pages(server.url)
    yield pages
    pages.database.close()


class InEachRun(TableConnector):
    """Looks for deleted rows in each run."""

    reconcile_every = timedelta(0)


class TestTable(RealSystemTests):
    connector = InEachRun
    left = 3  # The one before the third is asked for again, and so are the five minutes before it.


def test_an_incremental_run_reads_only_what_was_updated(run_sync, system):
    run_sync(TableConnector(), credentials=system.credentials)
    system.change("wolverine")
    system.delete()
    result = run_sync(TableConnector(), mode="incremental")
    assert (set(result.documents), result.deletions, result.scanned) == ({"1"}, [], 2)
