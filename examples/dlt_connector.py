"""Index tables of a database through dlt.

    pip install 'omni-connector[dlt]' 'dlt[sql_database]'
    omni-connector run examples/dlt_connector.py --set 'tables=["notes"]' --credentials '{"url": "sqlite:///notes.db"}'

Each table has an ``id``, a ``title``, a ``body``, the address of its ``owner``, and ``updated_at``, by which changes are found.
"""

from typing import Any

from dlt.sources import incremental
from dlt.sources.sql_database import sql_database

from omni_connector import Document, DocumentPermissions
from omni_connector.bridges.dlt import DltConnector


class DatabaseConnector(DltConnector):
    """Reads what changed; once a day, finds what is gone."""

    name = "database"
    version = "1.0.0"
    source_types = ["web"]

    def source(self, config: dict[str, Any], credentials: dict[str, Any]) -> Any:
        """Return the tables, each with the column that says when a row changed."""
        source = sql_database(credentials["url"], table_names=config["tables"])
        for table in source.resources.values():
            table.apply_hints(incremental=incremental("updated_at"))
        return source

    def document(self, row: dict[str, Any], resource: str) -> Document:
        """Return the document of a row, which its owner finds."""
        users = DocumentPermissions(users=[row["owner"]])
        name = f"{resource}/{row['id']}"
        return Document(external_id=name, title=row["title"], content=row["body"], permissions=users)
