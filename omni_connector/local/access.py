"""Who finds what: the one statement of the rule of PROTOCOL, section 11, for searches and for explanations.

Permissions name readers: everyone, users by address, groups by address. A person is let in by a set of these *keys*.
"""

from __future__ import annotations

import sqlite3

from attrs import frozen

from omni_connector.local.strict_json import JSON, stored_json

READER_OF_DOCUMENT = """EXISTS (
    SELECT 1 FROM document_readers r INDEXED BY document_readers_of_document
    WHERE r.number = d.number AND r.kind || ' ' || r.name IN (SELECT value FROM json_each(:keys)))"""
"""Condition on documents ``d``: one of the ``:keys`` of a person is among its readers."""

_GROUPS_OF = """
SELECT g.source_id, g.email FROM member_groups g
WHERE EXISTS (SELECT 1 FROM json_each(g.members) m WHERE lower(m.value) = :person) ORDER BY g.email, g.source_id
"""


@frozen
class Key:
    """What permissions may name: ``kind`` is ``public`` (with an empty name), ``user`` or ``group``."""

    kind: str
    name: str

    def is_named_in(self, permissions: dict[str, JSON]) -> bool:
        """Say whether permissions name it: whole, and in the same case."""
        if self.kind == "public":
            return permissions["public"] is True
        names = permissions[f"{self.kind}s"]
        return isinstance(names, list) and self.name in names


@frozen(kw_only=True)
class Access:
    """What one person may find.

    Attributes:
        person: the address, in lower case and without blanks around it, as the manager keeps it.
        groups: addresses of the groups that have this member, in any source.
    """

    person: str
    groups: tuple[str, ...]

    @classmethod
    def of(cls, db: sqlite3.Connection, person: str) -> Access:
        """Look up the groups of a person; membership is the one comparison that ignores case."""
        person = person.strip().lower()
        rows = db.execute(_GROUPS_OF, {"person": person})
        return cls(person=person, groups=tuple(dict.fromkeys(row["email"] for row in rows)))

    @property
    def domain(self) -> str:
        """What is behind the @."""
        return self.person.rpartition("@")[2]

    @property
    def keys(self) -> tuple[Key, ...]:
        """What lets this person in when permissions name it."""
        groups = dict.fromkeys((self.domain, *self.groups))
        return (Key("public", ""), Key("user", self.person), *[Key("group", name) for name in groups])

    def keys_json(self) -> str:
        """Return the keys as ``READER_OF_DOCUMENT`` takes them."""
        return stored_json([f"{key.kind} {key.name}" for key in self.keys])

    def keys_in(self, permissions: dict[str, JSON] | None) -> tuple[Key, ...]:
        """Return which keys permissions name; none: this person does not find the document."""
        if permissions is None:
            return ()
        return tuple(key for key in self.keys if key.is_named_in(permissions))
