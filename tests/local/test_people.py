import pytest


def errors(manager):
    return [event.error for event in manager.events() if event.status == "dead_letter"]


def person(**fields):
    return {"external_id": "E1", "email": "Ada@Example.com ", "display_name": "Ada", **fields}


def test_a_membership_replaces_the_whole_group_and_keeps_its_name(emitter, manager, source):
    def sync(members, name=None):
        emitter.emit(
            emitter.event("group_membership_sync", group_email="eng", group_name=name, member_emails=members)
        )
        (group,) = manager.groups()
        return group.source_id, group.email, group.name, group.members

    assert sync(["a@x.org", "b@x.org"], "Engineering") == (
        source.id,
        "eng",
        "Engineering",
        ("a@x.org", "b@x.org"),
    )
    assert sync(["c@x.org"]) == (source.id, "eng", "Engineering", ("c@x.org",))
    assert sync([]) == (source.id, "eng", "Engineering", ())


@pytest.mark.parametrize(
    "fields",
    [
        {"member_emails": ["a@x.org", "a@x.org"]},
        {"group_email": "x" * 256},
        {"group_name": "x" * 256},
        {"member_emails": ["x" * 256]},
    ],
)
def test_an_unusable_membership_fails_alone(emitter, manager, fields):
    event = emitter.event("group_membership_sync", group_email="eng", member_emails=[])
    emitter.emit({**event, **fields}, emitter.event(), {**event, "group_email": "ops"})
    assert [group.email for group in manager.groups()] == ["ops"]
    assert len(errors(manager)) == 1
    assert len(list(manager.documents())) == 1


def test_a_person_is_known_by_the_address_over_all_sources(emitter, manager, source):
    emitter.emit(emitter.event("person_sync", person=person(job_title="Analyst")))
    emitter.emit(emitter.event("person_sync", person=person(is_active=False)))
    (ada,) = manager.people()
    assert (ada.email, ada.is_active) == ("ada@example.com", False)
    assert ada.entries == {
        source.id: {
            "external_id": "E1",
            "email": "Ada@Example.com ",
            "display_name": "Ada",
            "is_active": False,
        }
    }
    emitter.emit(emitter.event("person_sync", person=person()))
    assert manager.people()[0].is_active
    emitter.emit(
        emitter.event("person_deleted", email=" ADA@example.com"), emitter.event("person_deleted", email="x")
    )
    assert manager.people() == []


def test_a_full_record_is_stored(emitter, manager, source):
    emitter.emit(
        emitter.event(
            "person_sync",
            person=person(
                manager_external_id="E2",
                employment_start_date="2020-01-31",
                source_updated_at="2026-08-01T12:00:00+02:00",
            ),
        )
    )
    assert manager.people()[0].entries[source.id]["manager_external_id"] == "E2"


@pytest.mark.parametrize(
    "fields",
    [
        {"email": "ada"},
        {"email": "@example.com"},
        {"email": "ada@localhost"},
        {"email": "ada@example.com."},
        {"external_id": ""},
        {"external_id": " E1"},
        {"manager_external_id": "E1"},
        {"manager_external_id": ""},
        {"employment_start_date": "31.01.2020"},
        {"source_updated_at": "2026-08-01T12:00:00"},
        {"display_name": "x" * 129},
        {"department": "x" * 256},
        {"grade": "x" * 65},
    ],
)
def test_a_record_that_breaks_a_rule_fails_alone(emitter, manager, fields):
    emitter.emit(
        emitter.event("person_sync", person=person(**fields)),
        emitter.event("person_sync", person=person(email="bob@example.com")),
    )
    assert [each.email for each in manager.people()] == ["bob@example.com"]
    assert len(errors(manager)) == 1
