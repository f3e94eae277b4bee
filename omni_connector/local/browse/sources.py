"""Sources as an overview shows them."""

from __future__ import annotations

import re
import sqlite3
from datetime import datetime
from typing import Final, NamedTuple

import attrs
from attrs import frozen

from omni_connector.local import runs as stored
from omni_connector.local.browse.runs import RunSummary, last_run
from omni_connector.local.due import due_at
from omni_connector.local.rows import SourceRow, SyncRunRow, load
from omni_connector.local.settings import LocalSettings
from omni_connector.local.strict_json import JSON
from omni_connector.local.timestamps import to_datetime

_HIDDEN: Final = "(not shown)"
_SECRET_NAME = re.compile(
    r"^token$|(access|refresh|id|bot|bearer)_?token|secret|passw|credential|(api|private)_?key|^authorization$|cookie",
    re.IGNORECASE,
)
_SHORTEST_SECRET = 4
_DEFAULTS: Final = LocalSettings()


class SourceName(NamedTuple):
    """A source as a list of choices needs it."""

    id: str
    name: str


@frozen(kw_only=True)
class SourceSummary:
    """A source with its last and next run.

    Attributes:
        source: its row. Where config, checkpoint or connector state hold a text of its credentials, or a field whose name says that
            it is secret, there is ``(not shown)``.
        documents: how many are indexed.
        last_run: the one that was started last.
        next_run_at: when it is synced by itself; in the past: at the next tick. None: never, or not while a run is in progress.
        failures: full and incremental runs that failed in a row.
        is_given_up: whether there were so many failures that it is not scheduled any more.
    """

    source: SourceRow
    documents: int
    last_run: RunSummary | None
    next_run_at: datetime | None
    failures: int
    is_given_up: bool


def list_sources(
    db: sqlite3.Connection, *, settings: LocalSettings = _DEFAULTS, deleted: bool = False
) -> list[SourceSummary]:
    """Return all sources by name; those that are being deleted only with ``deleted``."""
    rows = db.execute(
        "SELECT * FROM sources WHERE is_deleted <= ? ORDER BY name COLLATE NOCASE, id", (deleted,)
    ).fetchall()
    return [_summary(db, SourceRow.read(row), settings) for row in rows]


def source_names(db: sqlite3.Connection) -> list[SourceName]:
    """Return the sources to choose one from, by name."""
    rows = db.execute("SELECT id, name FROM sources WHERE NOT is_deleted ORDER BY name COLLATE NOCASE, id")
    return [SourceName(*row) for row in rows]


def find_source(
    db: sqlite3.Connection, source_id: str, *, settings: LocalSettings = _DEFAULTS
) -> SourceSummary | None:
    """Return one source, or None."""
    row = db.execute("SELECT * FROM sources WHERE id = ?", (source_id,)).fetchone()
    return None if row is None else _summary(db, SourceRow.read(row), settings)


def _summary(db: sqlite3.Connection, source: SourceRow, settings: LocalSettings) -> SourceSummary:
    documents = db.execute("SELECT count(*) FROM documents WHERE source_id = ?", (source.id,)).fetchone()
    last = last_run(db, source.id)
    failures = stored.failures_in_a_row(db, source.id)
    is_scheduled = source.is_active and not source.is_deleted and source.is_native
    due = None
    if is_scheduled and (last is None or not last.run.is_running):
        due = due_at(source, stored.last_completed(db, source.id, scheduled_only=True), failures, settings)
    return SourceSummary(
        source=_without_secrets(db, source),
        documents=documents[0],
        last_run=last,
        next_run_at=None if due is None else max(to_datetime(due), source.created_at),
        failures=len(failures),
        is_given_up=len(failures) >= settings.sync_max_consecutive_failures,
    )


def shown_checkpoint(db: sqlite3.Connection, run: SyncRunRow) -> JSON:
    """Return the checkpoint of a run with ``(not shown)`` in place of secrets, as ``SourceSummary`` has that of a source."""
    return _hidden(run.checkpoint, _secrets_of(db, run.source_id))


def _secrets_of(db: sqlite3.Connection, source_id: str) -> set[str]:
    secrets: set[str] = set()
    for row in db.execute("SELECT credentials FROM credentials WHERE source_id = ?", (source_id,)):
        _gather(load(row["credentials"]), secrets)
    return secrets


def _without_secrets(db: sqlite3.Connection, source: SourceRow) -> SourceRow:
    secrets = _secrets_of(db, source.id)
    return attrs.evolve(
        source,
        config=_hidden(source.config, secrets),
        checkpoint=_hidden(source.checkpoint, secrets),
        connector_state=_hidden(source.connector_state, secrets),
    )


def _gather(value: JSON, texts: set[str]) -> None:
    """Add all texts in a value that are long enough to be a secret."""
    if isinstance(value, str) and len(value) >= _SHORTEST_SECRET:
        texts.add(value)
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            _gather(part, texts)


def _hidden(value: JSON, secrets: set[str]) -> JSON:
    if isinstance(value, dict):
        return {
            key: _HIDDEN if part and _SECRET_NAME.search(key) else _hidden(part, secrets)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [_hidden(part, secrets) for part in value]
    return _HIDDEN if isinstance(value, str) and value in secrets else value
