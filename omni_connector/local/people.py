"""Groups and people: the rules that are applied when their events are indexed (PROTOCOL, section 15)."""

from __future__ import annotations

import sqlite3
from datetime import date

from omni_connector.local.event_shapes import Event
from omni_connector.local.indexed_rows import PersonRow
from omni_connector.local.rows import load
from omni_connector.local.strict_json import JSON, stored_json
from omni_connector.local.timestamps import parse_moment

_MAX_TEXT = 255
_MAX_LENGTHS = {
    "display_name": 128,
    "given_name": 128,
    "middle_name": 128,
    "surname": 128,
    "external_id": 64,
    "employee_id": 64,
    "manager_external_id": 64,
    "grade": 64,
}
_DATES = ("employment_start_date", "employment_end_date")


def apply_membership(db: sqlite3.Connection, event: Event) -> None:
    """Replace the membership of a group; raises ``ValueError`` for what the database would refuse."""
    email, members = event["group_email"], event["member_emails"]
    if max(map(len, [email, event["group_name"] or "", *members])) > _MAX_TEXT:
        raise ValueError(f"value too long for type character varying({_MAX_TEXT}): group {email[:100]!r}")
    if len(set(members)) != len(members):
        raise ValueError(f"duplicate in member_emails of group {email!r}")
    db.execute(
        "INSERT INTO member_groups (source_id, email, name, members) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (source_id, email) DO UPDATE SET"
        " name = coalesce(excluded.name, name), members = excluded.members",
        (event["source_id"], email, event["group_name"], stored_json(members)),
    )


def store_person(db: sqlite3.Connection, source_id: str, person: dict[str, JSON]) -> None:
    """Replace a source's entry for a person; raises ``ValueError`` for a record that breaks the rules."""
    email = _identity(person["email"])
    _check_record(person)
    db.execute(
        "INSERT INTO people (email, source_id, record) VALUES (?, ?, ?)"
        " ON CONFLICT (email, source_id) DO UPDATE SET record = excluded.record",
        (email, source_id, stored_json({key: value for key, value in person.items() if value is not None})),
    )


def forget_person(db: sqlite3.Connection, source_id: str, email: str) -> None:
    """Remove a source's entry for an address; an unknown one is fine."""
    db.execute("DELETE FROM people WHERE email = ? AND source_id = ?", (email.strip().lower(), source_id))


def read_people(db: sqlite3.Connection) -> list[PersonRow]:
    """Return all people with an entry, merged by address, in the order of addresses."""
    entries: dict[str, dict[str, dict[str, JSON]]] = {}
    for row in db.execute("SELECT email, source_id, record FROM people ORDER BY email, source_id"):
        entries.setdefault(row["email"], {})[row["source_id"]] = load(row["record"])
    return [
        PersonRow(
            email=email,
            # A person is active unless every entry that has the field says otherwise.
            is_active=any(record.get("is_active", True) for record in records.values()),
            entries=records,
        )
        for email, records in entries.items()
    ]


def _identity(email: str) -> str:
    """Return the address that identifies a person: trimmed and in lower case."""
    identity = email.strip().lower()
    local, at, domain = identity.rpartition("@")
    if not (local and at and "." in domain and not domain.endswith(".")):
        raise ValueError(f"invalid person email {email[:100]!r}")
    return identity


def _check_record(person: dict[str, JSON]) -> None:
    for key, value in person.items():
        if isinstance(value, str) and len(value) > _MAX_LENGTHS.get(key, _MAX_TEXT):
            raise ValueError(f"person {key} is longer than {_MAX_LENGTHS.get(key, _MAX_TEXT)} characters")
    _check_id("external_id", person["external_id"])
    manager = person["manager_external_id"]
    if manager is not None:
        _check_id("manager_external_id", manager)
        if manager == person["external_id"]:
            raise ValueError("person manager_external_id is the person's own external_id")
    for key in _DATES:
        if person[key] is not None:
            _check_date(key, person[key])
    if person["source_updated_at"] is not None:
        try:
            parse_moment(person["source_updated_at"])
        except ValueError as error:
            raise ValueError(f"person source_updated_at is not ISO 8601 with an offset: {error}") from error


def _check_id(key: str, value: str) -> None:
    if not value or value != value.strip():
        raise ValueError(f"person {key} {value!r} is empty or has blanks around it")


def _check_date(key: str, value: str) -> None:
    try:
        date.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f"person {key} is not an ISO 8601 date: {error}") from error
