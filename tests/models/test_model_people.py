"""People and groups: what is normalised, what is refused, and how they travel."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest
from support.openapi import document, problems

from omni_connector.exceptions import InvalidValueError
from omni_connector.local.event_shapes import decode_event
from omni_connector.models import GroupMembership, PersonRecord, PersonSyncRecord
from omni_connector.models.codec import decode
from omni_connector.models.events import encode_group, encode_person, encode_person_deletion
from omni_connector.models.people import person_email

IDS = {"sync_run_id": "run-1", "source_id": "source-1"}


def person(**changes):
    return PersonRecord(**{"external_id": "E1", "email": "ada@example.com", **changes})


WHOLE = {
    "external_id": "E1",
    "email": "ada@example.com",
    "display_name": "Ada Lovelace",
    "given_name": "Ada",
    "middle_name": "King",
    "surname": "Lovelace",
    "job_title": "Analyst",
    "department": "Engines",
    "division": "Research",
    "company_name": "Example",
    "office_location": "London",
    "work_country": "GB",
    "employee_id": "17",
    "employee_type": "staff",
    "cost_center": "4711",
    "grade": "9",
    "band": "B",
    "confirmation_status": "confirmed",
    "employment_start_date": "2026-01-01",
    "employment_end_date": "2026-12-31",
    "phone": "+44 1",
    "is_active": True,
    "top_department": "All",
    "manager_external_id": "E0",
    "source_updated_at": "2026-08-01T12:00:00+00:00",
}


def test_a_record_has_every_field_of_the_protocol():
    properties = document("manager")["components"]["schemas"]["PersonSyncRecord"]["properties"]
    assert {field.name for field in attrs.fields(PersonRecord)} == set(properties) == set(WHOLE)
    assert PersonSyncRecord is PersonRecord


def test_a_whole_person_travels_as_the_protocol_says():
    body = decode(encode_person(person(**WHOLE), **IDS).body)
    assert body == {"type": "person_sync", **IDS, "person": WHOLE}
    assert problems("manager", "PersonSyncEvent", body) == []
    assert decode_event(body, "")["person"] == WHOLE


def test_a_minimal_person_travels_with_nulls():
    body = decode(encode_person(person(), **IDS).body)
    assert set(body["person"]) == set(WHOLE)
    assert {key for key, value in body["person"].items() if value is not None} == {"external_id", "email"}
    assert problems("manager", "PersonSyncEvent", body) == []


@pytest.mark.parametrize(
    ("given", "field", "kept"),
    [
        ({"email": " Ada@Example.COM "}, "email", "ada@example.com"),
        ({"external_id": 7}, "external_id", "7"),
        ({"employee_id": 7}, "employee_id", "7"),
        (
            {"employment_start_date": dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC)},
            "employment_start_date",
            dt.date(2026, 1, 2),
        ),
        ({"employment_end_date": dt.date(2026, 1, 2)}, "employment_end_date", dt.date(2026, 1, 2)),
        ({"employment_end_date": "20260102"}, "employment_end_date", dt.date(2026, 1, 2)),
        (
            {"source_updated_at": "2026-08-01T12:00:00"},
            "source_updated_at",
            dt.datetime(2026, 8, 1, 12, tzinfo=dt.UTC),
        ),
        ({"job_title": "a\x00b"}, "job_title", "ab"),
    ],
)
def test_what_has_one_meaning_is_normalised(given, field, kept):
    assert getattr(person(**given), field) == kept


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ({"email": "ada"}, "whole e-mail address"),
        ({"email": "@example.com"}, "whole e-mail address"),
        ({"email": "ada@localhost"}, "whole e-mail address"),
        ({"email": "ada@example."}, "whole e-mail address"),
        ({"email": ""}, "whole e-mail address"),
        ({"email": None}, "give a string"),
        ({"email": "a" * 251 + "@b.de"}, "at most 255"),
        ({"external_id": ""}, "not empty"),
        ({"external_id": " E1"}, "remove the blanks"),
        ({"external_id": "x" * 65}, "at most 64"),
        ({"external_id": "a\x00"}, "remove NUL"),
        ({"manager_external_id": "E1"}, "themselves"),
        ({"manager_external_id": "E0 "}, "remove the blanks"),
        ({"manager_external_id": ""}, "not empty"),
        ({"employment_start_date": "1 May"}, "give a date"),
        ({"employment_end_date": ""}, "give a date"),
        ({"source_updated_at": "yesterday"}, "give a datetime"),
        ({"is_active": "yes"}, "True or False"),
        ({"display_name": "x" * 129}, "at most 128"),
        ({"surname": "x" * 129}, "at most 128"),
        ({"grade": "x" * 65}, "at most 64"),
        ({"department": "x" * 256}, "at most 255"),
        ({"phone": ["1"]}, "give a string"),
    ],
)
def test_what_the_manager_would_drop_later_is_refused_by_name(given, remedy):
    (field,) = given
    with pytest.raises(InvalidValueError, match=remedy) as caught:
        person(**given)
    assert (caught.value.model, caught.value.field) == ("PersonRecord", field)


def test_a_field_is_checked_when_it_is_set():
    ada = person()
    with pytest.raises(InvalidValueError, match="at most 128"):
        ada.surname = "x" * 129
    ada.email = "ADA@example.org"
    assert ada.email == "ada@example.org"


def test_members_are_written_in_lower_case_each_once_and_in_order():
    group = GroupMembership(
        group_email="Eng@Example.com",
        group_name="Engineering",
        member_emails=["Bob@example.com", " ada@example.com", "BOB@EXAMPLE.COM", ""],
    )
    body = decode(encode_group(group, **IDS).body)
    assert body == {
        "type": "group_membership_sync",
        **IDS,
        "group_email": "eng@example.com",
        "group_name": "Engineering",
        "member_emails": ["bob@example.com", "ada@example.com"],
    }
    assert problems("manager", "GroupMembershipSyncEvent", body) == []
    decode_event(body, "")


def test_an_identifier_that_is_no_address_keeps_its_case():
    group = GroupMembership(group_email="Team-7", member_emails=set())
    assert (group.group_email, group.member_emails) == ("Team-7", [])


@pytest.mark.parametrize(
    ("given", "field", "remedy"),
    [
        ({"member_emails": None}, "member_emails", "empties the group"),
        ({"member_emails": "ada@example.com"}, "member_emails", "a list of strings"),
        ({"member_emails": ["ada@example.com", None]}, "member_emails", "list of strings only"),
        ({"member_emails": ["x" * 256]}, "member_emails", "at most 255"),
        ({"group_email": ""}, "group_email", "not empty"),
        ({"group_email": None}, "group_email", "give a string"),
        ({"group_email": "x" * 256}, "group_email", "at most 255"),
        ({"group_name": "x" * 256}, "group_name", "at most 255"),
    ],
)
def test_a_group_that_the_manager_would_drop_is_refused_by_name(given, field, remedy):
    values = {"group_email": "eng@example.com", "member_emails": ["ada@example.com"], **given}
    with pytest.raises(InvalidValueError, match=remedy) as caught:
        GroupMembership(**values)
    assert (caught.value.model, caught.value.field) == ("GroupMembership", field)


def test_a_deletion_names_a_whole_address():
    body = decode(encode_person_deletion(person_email(" Bob@Example.com"), **IDS).body)
    assert body == {"type": "person_deleted", **IDS, "email": "bob@example.com"}
    assert problems("manager", "PersonDeletedEvent", body) == []
    with pytest.raises(InvalidValueError, match=r"PersonRecord\.email: 'bob'"):
        person_email("bob")
