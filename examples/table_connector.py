"""Index the rows of a PostgreSQL table.

    pip install "psycopg[binary]"
    omni-connector run examples/table_connector.py --credentials database.json

``database.json``: ``{"url": "postgresql://indexer:password@db.example.com/wiki"}``. Change ``ROWS`` for your table: the columns are
an id of at most 500 characters, a title, a text, who may read the row, and when it was updated. Who may read it is JSON, such as
``{"users": ["ann@example.com"], "groups": ["example.org"]}``.

An incremental run reads the rows that were updated since the last one, and those of five minutes before, for rows of long
transactions. Deleted rows leave no trace: once a day, a run reads all rows, and the documents of those that are gone are
deleted. A run that is interrupted goes on with the rows that it has not read. The server sends some rows at a time, so that a
large table does not fill the memory.
"""

from datetime import timedelta

import psycopg
from attrs import define

from omni_connector import Connector, Document, SyncContext, secret

ROWS = "SELECT id::text, title, body, permissions, updated_at FROM pages WHERE updated_at >= %s ORDER BY 5"


@define
class Database:
    """The database, with an account that may read the table."""

    url: str = secret()


class TableConnector(Connector[object, Database]):
    """Reads a table."""

    name = "table"
    version = "1.0.0"
    sync_modes = ["full", "incremental"]
    source_types = ["web"]
    reconcile_every = timedelta(days=1)

    def sync(self, _config: object, database: Database, state: object, ctx: SyncContext) -> None:
        """Send the rows that have changed."""
        inventory, ago = ctx.inventory(), timedelta(minutes=5)
        cursor = inventory.cursor("updated_at", state, overlap=ago, start="-infinity")
        with psycopg.connect(database.url) as db, db.cursor("rows") as rows:
            for row_id, title, text, permissions, moment in rows.execute(ROWS, [cursor.since]):
                ctx.increment_scanned()
                if inventory.changed(row_id, moment):
                    ctx.emit(Document(external_id=row_id, title=title, content=text, permissions=permissions))
                ctx.save_state(cursor.take(moment).state, every_seconds=5)
        inventory.finish(complete=cursor.lists_all)
        ctx.complete(cursor.end())
