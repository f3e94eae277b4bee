"""Groups and people."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from attrs import frozen

from omni_connector.local.access import Access, Key
from omni_connector.local.browse.pages import LIST_COUNT_LIMIT, Count, Page, counted
from omni_connector.local.rows import load
from omni_connector.local.strict_json import JSON, stored_json

_GROUPS = """
SELECT g.source_id, s.name AS source_name, g.email, g.name, json_array_length(g.members) AS members
FROM member_groups g JOIN sources s ON s.id = g.source_id
WHERE (g.email, g.source_id) > (:email, :source)
    AND (:text IS NULL OR instr(lower(g.email), :text) OR instr(unicode_lower(coalesce(g.name, '')), :text))
ORDER BY g.email, g.source_id LIMIT :limit
"""
_ADDRESSES = """
SELECT email FROM people WHERE email > :after AND (:text IS NULL OR instr(email, :text))
UNION
SELECT lower(m.value) AS email FROM member_groups g, json_each(g.members) m
WHERE lower(m.value) > :after AND (:text IS NULL OR instr(lower(m.value), :text))
ORDER BY email LIMIT :limit
"""
_GROUPS_OF_ALL = """
SELECT lower(m.value) AS person, g.email FROM member_groups g, json_each(g.members) m
WHERE lower(m.value) IN (SELECT value FROM json_each(?)) ORDER BY g.email
"""


@frozen(kw_only=True)
class GroupItem:
    """A group of one source; ``documents`` are those whose permissions name it."""

    source_id: str
    source_name: str
    email: str
    name: str | None
    members: int
    documents: Count


@frozen(kw_only=True)
class PersonItem:
    """Somebody for whom there is a person event, or who is a member of a group.

    Attributes:
        records: what sources say of this person, by source id; empty for one that only groups name.
        groups: addresses of the groups.
        documents: those that name the person or one of the groups. All public documents can be found, too.
    """

    email: str
    records: dict[str, dict[str, JSON]]
    groups: tuple[str, ...]
    documents: Count

    @property
    def name(self) -> str | None:
        """What the first source that knows it calls the person."""
        names = (record.get("display_name") for record in self.records.values())
        return next((str(name) for name in names if name), None)


def list_groups(
    db: sqlite3.Connection, text: str | None = None, *, after: tuple[str, str] = ("", ""), limit: int = 50
) -> Page[GroupItem]:
    """Return groups by address, those with a text in address or name; ``after`` is address and source id of the last one."""
    parameters = {"email": after[0], "source": after[1], "text": _text(text), "limit": limit + 1}
    rows = db.execute(_GROUPS, parameters).fetchall()
    items = [GroupItem(**dict(row), documents=_named(db, [Key("group", row["email"])])) for row in rows]
    return Page(
        tuple(items[:limit]),
        (items[limit - 1].email, items[limit - 1].source_id) if len(items) > limit else None,
    )


def find_group(
    db: sqlite3.Connection, source_id: str, email: str
) -> tuple[GroupItem, tuple[str, ...]] | None:
    """Return a group with its members, or None."""
    row = db.execute(
        "SELECT g.source_id, s.name AS source_name, g.email, g.name, g.members FROM member_groups g"
        " JOIN sources s ON s.id = g.source_id WHERE g.source_id = ? AND g.email = ?",
        (source_id, email),
    ).fetchone()
    if row is None:
        return None
    members = tuple(load(row["members"]))
    documents = _named(db, [Key("group", email)])
    return GroupItem(**{**dict(row), "members": len(members)}, documents=documents), members


def find_person(db: sqlite3.Connection, email: str) -> PersonItem:
    """Return what is known of an address, in lower case; that may be nothing."""
    return _people(db, [email])[0]


def list_people(
    db: sqlite3.Connection, text: str | None = None, *, after: str = "", limit: int = 50
) -> Page[PersonItem]:
    """Return people by address, those with a text in it."""
    page = Page.cut(_addresses(db, text, after, limit + 1), limit, str)
    return Page(tuple(_people(db, list(page.items))), page.next)


def known_addresses(db: sqlite3.Connection, text: str | None = None, *, limit: int = 100) -> list[str]:
    """Return addresses to suggest: those of people, and of members of groups."""
    return _addresses(db, text, "", limit)


def _addresses(db: sqlite3.Connection, text: str | None, after: str, limit: int) -> list[str]:
    parameters = {"text": _text(text), "after": after, "limit": limit}
    return [row["email"] for row in db.execute(_ADDRESSES, parameters)]


def _people(db: sqlite3.Connection, emails: list[str]) -> list[PersonItem]:
    groups: dict[str, list[str]] = {}
    for row in db.execute(_GROUPS_OF_ALL, (stored_json(emails),)):
        groups.setdefault(row["person"], []).append(row["email"])
    people = []
    for email in emails:
        access = Access(person=email, groups=tuple(dict.fromkeys(groups.get(email, ()))))
        documents = _named(db, access.keys[1:])
        people.append(
            PersonItem(email=email, records=_records(db, email), groups=access.groups, documents=documents)
        )
    return people


def _records(db: sqlite3.Connection, email: str) -> dict[str, dict[str, JSON]]:
    rows = db.execute("SELECT source_id, record FROM people WHERE email = ? ORDER BY source_id", (email,))
    return {row["source_id"]: load(row["record"]) for row in rows}


def _named(db: sqlite3.Connection, keys: Sequence[Key]) -> Count:
    """Count the documents whose permissions name one of the keys."""
    return counted(
        db,
        "SELECT DISTINCT r.number FROM json_each(?) k CROSS JOIN document_readers r"
        " ON r.kind = json_extract(k.value, '$[0]') AND r.name = json_extract(k.value, '$[1]')",
        (stored_json([[key.kind, key.name] for key in keys]),),
        LIST_COUNT_LIMIT,
    )


def _text(text: str | None) -> str | None:
    return text.strip().lower() or None if text else None
