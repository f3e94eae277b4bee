"""Why a person finds a document, or does not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from attrs import frozen

from omni_connector.local.access import Access
from omni_connector.local.browse.documents import DocumentItem, find_item
from omni_connector.local.browse.pages import Count, counted
from omni_connector.local.strict_json import JSON

_SHOWN = 10
_MEMBERS = "SELECT DISTINCT lower(m.value) FROM member_groups g, json_each(g.members) m WHERE g.email = ?"


@frozen(kw_only=True)
class Verdict:
    """The answer to: does this person find this document?

    Attributes:
        reasons: the rules that let the person in; empty when there is none.
        obstacles: why the person does not find it, and what would be needed.
    """

    person: str
    reasons: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()

    @property
    def finds_it(self) -> bool:
        """Whether the person finds the document."""
        return not self.obstacles


@frozen(kw_only=True)
class Reader:
    """An entry of permissions: ``kind`` is ``public``, ``user``, ``domain`` or ``group``; ``members`` only for a known group."""

    kind: str
    name: str
    members: Count | None = None


def explain(db: sqlite3.Connection, source_id: str, external_id: str, person: str) -> Verdict:
    """Say whether a person finds a document, and why."""
    access = Access.of(db, person)
    item = find_item(db, source_id, external_id)
    if item is None:
        return Verdict(
            person=access.person,
            obstacles=(
                "No event has named a document with this id. Check the id, and the run that should have emitted it.",
            ),
        )
    return judge(db, access, item)


def judge(db: sqlite3.Connection, access: Access, item: DocumentItem) -> Verdict:
    """Say whether a person finds a document of a list, and why."""
    if not item.is_indexed:
        return Verdict(person=access.person, obstacles=(_missing(item),))
    reasons = why_in(access, item.permissions)
    obstacles = tuple(_obstacles(db, access, item)) if not reasons else ()
    source = db.execute("SELECT is_deleted FROM sources WHERE id = ?", (item.source_id,)).fetchone()
    if source is None or source["is_deleted"]:
        obstacles = (
            "Its source is deleted: none of its documents can be found, and they are being removed.",
        )
    return Verdict(person=access.person, reasons=() if obstacles else reasons, obstacles=obstacles)


def why_in(access: Access, permissions: dict[str, JSON] | None) -> tuple[str, ...]:
    """Return the rules by which permissions let a person in, as sentences; empty for none."""
    sentences = []
    for key in access.keys_in(permissions):
        if key.kind == "public":
            sentences.append("It is public: everyone finds it.")
        elif key.kind == "user":
            sentences.append(f"Its permissions name the user {key.name}.")
        if key.kind == "group" and key.name == access.domain:
            sentences.append(f"Its permissions name the domain {key.name}, to which the address belongs.")
        if key.kind == "group" and key.name in access.groups:
            sentences.append(
                f"Its permissions name the group {key.name}, of which {access.person} is a member."
            )
    return tuple(sentences)


def readers_of(
    db: sqlite3.Connection, permissions: dict[str, JSON] | None, *, limit: int = 1000
) -> list[Reader]:
    """Return what permissions say, entry by entry, at most ``limit`` of each kind."""
    if permissions is None:
        return []
    readers = [Reader(kind="public", name="")] if permissions["public"] else []
    readers += [Reader(kind="user", name=name) for name in permissions["users"][:limit]]
    for name in permissions["groups"][:limit]:
        known = db.execute("SELECT 1 FROM member_groups WHERE email = ? LIMIT 1", (name,)).fetchone()
        if known is not None:
            readers.append(Reader(kind="group", name=name, members=counted(db, _MEMBERS, (name,))))
        else:
            readers.append(Reader(kind="group" if "@" in name else "domain", name=name))
    return readers


def _missing(item: DocumentItem) -> str:
    if item.outcome == "refused":
        return f"It was refused and is not indexed: {item.error}."
    if item.outcome in {"deleted", "absent"}:
        return f"It is deleted: run {item.run_id} emitted its deletion."
    return "It is not indexed."


def _obstacles(db: sqlite3.Connection, access: Access, item: DocumentItem) -> Iterator[str]:
    permissions = item.permissions
    if permissions is None:
        yield "Its last update had no permissions, so no user finds it. Send permissions with every update."
        return
    users, groups = permissions["users"], permissions["groups"]
    if not users and not groups:
        yield f"Its permissions name no user and no group, and it is not public. {_remedy(access)}"
        return
    found = [*_about_users(access, users), *_about_groups(db, access, groups)]
    yield from found[:_SHOWN]
    if len(found) > _SHOWN:
        yield f"The other {len(found) - _SHOWN} entries of its permissions do not let {access.person} in either."
    yield _remedy(access)


def _about_users(access: Access, users: list[str]) -> Iterator[str]:
    others = 0
    for name in users:
        if name.strip().lower() == access.person:
            yield f"Its permissions name the user {name!r}, but addresses are compared exactly: write {access.person}."
        elif "@" not in name and name.strip().lower() == access.domain:
            yield f"Its permissions name the domain {name} among the users; a domain belongs in permissions.groups."
        elif name in access.groups:
            yield f"Its permissions name the group {name} among the users; a group belongs in permissions.groups."
        else:
            others += 1
    if others:
        yield f"Its permissions name {others} {'other user' if others == 1 else 'other users'}."


def _about_groups(db: sqlite3.Connection, access: Access, groups: list[str]) -> Iterator[str]:
    mine = {name.lower(): name for name in (access.domain, *access.groups)}
    for name in groups:
        right = mine.get(name.strip().lower())
        if right is not None:
            yield f"Its permissions name the group {name!r}, but names are compared exactly: write {right}."
        elif name.strip().lower() == access.person:
            yield f"Its permissions name {name} among the groups; a person belongs in permissions.users."
        elif "@" not in name:
            yield f"Its permissions name the domain {name}; the address is at {access.domain}."
        else:
            yield _about_group(db, access, name)


def _about_group(db: sqlite3.Connection, access: Access, name: str) -> str:
    rows = db.execute("SELECT 1 FROM member_groups WHERE email = ? LIMIT 1", (name,)).fetchone()
    if rows is None:
        return f"Its permissions name the group {name}, which is unknown: no source has sent its members. Emit a group membership event."
    members = counted(db, _MEMBERS, (name,))
    if members.number == 0:
        return f"Its permissions name the group {name}, which has no members."
    has = "1 member" if members.number == 1 else f"{members} members"
    return f"Its permissions name the group {name}, which has {has}, but not {access.person}."


def _remedy(access: Access) -> str:
    return (
        f"To let {access.person} find it, add the address to permissions.users, add a group with this member"
        f" or the domain {access.domain} to permissions.groups, or set permissions.public."
    )
