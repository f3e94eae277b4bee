"""Which documents a list is asked for, as conditions of SQL."""

from __future__ import annotations

from typing import Any, Final

from attrs import frozen

from omni_connector.local.access import READER_OF_DOCUMENT, Access, Key

# A person of more groups finds so much that documents are looked at one after the other.
_MOST_KEYS: Final = 20

LAST_RUNS = "SELECT max(id) FROM runs GROUP BY source_id"

NOT_DELETED = "d.source_id NOT IN (SELECT id FROM sources WHERE is_deleted)"


@frozen(kw_only=True)
class DocumentFilter:
    """Which documents; what is not given filters nothing.

    Attributes:
        source_id: of this source.
        change: on which the last run of their source had this outcome (``EventRow.outcome``), or ``run_id`` if that is given.
        run_id: that an event of this run named.
        has_errors: whose last event was refused. They may never have been indexed.
        public: that everyone finds, or that not everyone finds.
        group: whose permissions name this group, or domain.
        access: that this person finds.
    """

    source_id: str | None = None
    change: str | None = None
    run_id: str | None = None
    has_errors: bool = False
    public: bool | None = None
    group: str | None = None
    access: Access | None = None

    @property
    def asks_events(self) -> bool:
        """Whether it matters what a run did."""
        return self.change is not None or self.run_id is not None

    @property
    def keys(self) -> tuple[Key, ...]:
        """The readers by one of which documents are looked up; empty: not by readers."""
        if self.is_of_events:
            return ()
        if self.access is not None:
            keys = self.access.keys if self.public is not False else self.access.keys[1:]
            return keys if len(keys) <= _MOST_KEYS else ()
        if self.group is not None:
            return (Key("group", self.group),)
        return (Key("public", ""),) if self.public else ()

    @property
    def is_of_events(self) -> bool:
        """Whether events are listed, so that documents may be among them that are not indexed (any more)."""
        return self.asks_events or self.has_errors

    @property
    def is_of_last_runs(self) -> bool:
        """Whether the last run of each source is meant."""
        return self.change is not None and self.run_id is None and self.source_id is None

    @property
    def asks_readers(self) -> bool:
        """Whether it matters who finds the documents, which must then be indexed."""
        return self.access is not None or self.group is not None or self.public is not None

    def parameters(self) -> dict[str, Any]:
        """Return the values that the conditions refer to."""
        keys = None if self.access is None else self.access.keys_json()
        return {
            "source": self.source_id,
            "run": self.run_id,
            "change": self.change,
            "group": self.group,
            "keys": keys,
        }

    def event_conditions(self) -> list[str]:
        """Return what holds for an event ``q`` of the documents that are wanted."""
        conditions = []
        if self.run_id is not None:
            conditions.append("q.run_id = :run")
        elif self.change is not None and self.source_id is not None:
            conditions.append("q.run_id = (SELECT max(id) FROM runs WHERE source_id = :source)")
        elif self.change is not None:
            conditions.append(f"q.run_id IN ({LAST_RUNS})")
        if self.change is not None:
            conditions.append("q.outcome = :change")
        return conditions

    def document_conditions(self) -> list[str]:
        """Return what holds for the documents ``d`` that are wanted, once they are looked up by ``keys``."""
        conditions = []
        if self.source_id is not None:
            conditions.append("d.source_id = :source")
        if self.access is not None:
            conditions.append(NOT_DELETED)
            if not self.keys:
                conditions.append(READER_OF_DOCUMENT)
        if self.group is not None and (self.is_of_events or self.access is not None):
            conditions.append(_names("group", ":group"))
        if self.public is not None:
            conditions.append(f"{'' if self.public else 'NOT '}{_names('public', chr(39) * 2)}")
        return conditions


def _names(kind: str, name: str) -> str:
    return (
        "EXISTS (SELECT 1 FROM document_readers n"  # noqa: S608 - our own text.
        f" WHERE n.name = {name} AND n.kind = '{kind}' AND n.number = d.number)"
    )
