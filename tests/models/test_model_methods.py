"""What connectors written for pydantic's models call on ours: dumps, copies with changes, models of dicts."""

from __future__ import annotations

import datetime as dt
import inspect
import json

import attrs
import pytest
from attrs import evolve

import omni_connector.models as models_room
from omni_connector.exceptions import InvalidValueError
from omni_connector.models import (
    ActionDefinition,
    ActionResponse,
    ConnectorManifest,
    ConnectorSkillDefinition,
    Document,
    DocumentMetadata,
    DocumentPermissions,
    McpPromptArgument,
    McpPromptDefinition,
    OAuthManifestConfig,
    OAuthScopeSet,
    PersonSyncRecord,
    SearchOperator,
    SyncRequest,
)
from omni_connector.models.model import Model

NOON = dt.datetime(2026, 8, 1, 12, tzinfo=dt.UTC)


def document(**changes):
    values = {
        "external_id": "1",
        "title": "Plan",
        "content_id": "c-1",
        "metadata": DocumentMetadata(updated_at=NOON, size=3, extra={"by": None, "on": NOON}),
        "permissions": DocumentPermissions(users=["Ann@Example.com"]),
        "attributes": {"tags": ["a"]},
    }
    return Document(**{**values, **changes})


def manifest(**changes):
    values = {
        "name": "notes",
        "version": "1",
        "display_name": "Notes",
        "connector_id": "notes",
        "connector_url": "http://notes:8000",
        "sync_modes": ["full"],
        "source_types": ["web"],
        "actions": [ActionDefinition(name="ping", description="Check", mode="read")],
        "search_operators": [SearchOperator(operator="by", attribute_key="author", value_type="person")],
        "prompts": [McpPromptDefinition(name="p", arguments=[McpPromptArgument(name="a", required=True)])],
        "skills": [ConnectorSkillDefinition(id="s", title="S", content="How")],
        "oauth": OAuthManifestConfig(
            provider="p",
            auth_endpoint="https://p/a",
            token_endpoint="https://p/t",
            userinfo_endpoint="https://p/u",
            scopes={"web": OAuthScopeSet(read=["r"])},
        ),
    }
    return ConnectorManifest(**{**values, **changes})


# -- dumps -------------------------------------------------------------------------------------------------------


def test_a_dump_has_every_field_and_models_in_it_are_dicts():
    assert document().model_dump() == {
        "external_id": "1",
        "title": "Plan",
        "content": None,
        "mime_type": None,
        "filename": None,
        "content_id": "c-1",
        "metadata": {
            "title": None,
            "author": None,
            "created_at": None,
            "updated_at": NOON,
            "content_type": None,
            "mime_type": None,
            "size": "3",
            "url": None,
            "path": None,
            "extra": {"by": None, "on": NOON},
        },
        "permissions": {"public": False, "users": ["ann@example.com"], "groups": []},
        "attributes": {"tags": ["a"]},
    }


def test_a_json_dump_without_none_is_what_json_can_say():
    dumped = document().model_dump(mode="json", exclude_none=True, by_alias=True)
    assert dumped["metadata"] == {
        "updated_at": "2026-08-01T12:00:00Z",
        "size": "3",
        "extra": {"by": None, "on": "2026-08-01T12:00:00Z"},  # What a dict holds is the author's own.
    }
    assert "content" not in dumped
    assert json.loads(json.dumps(dumped)) == dumped


def test_other_offsets_stay_as_they_are():
    east = NOON.astimezone(dt.timezone(dt.timedelta(hours=2)))
    assert (
        DocumentMetadata(created_at=east).model_dump(mode="json")["created_at"] == "2026-08-01T14:00:00+02:00"
    )


def test_fields_can_be_picked():
    made = document()
    assert made.model_dump(include={"external_id", "title"}) == {"external_id": "1", "title": "Plan"}
    assert set(made.model_dump(exclude=["metadata", "permissions", "attributes"])) == {
        "external_id", "title", "content", "mime_type", "filename", "content_id",
    }  # fmt: skip


@pytest.mark.parametrize("option", ["exclude_defaults", "exclude_unset"])
def test_defaults_can_be_left_out_at_every_level(option):
    made = manifest(actions=[], prompts=[], skills=[], oauth=None)
    assert made.model_dump(**{option: True}) == {
        "name": "notes",
        "version": "1",
        "display_name": "Notes",
        "connector_url": "http://notes:8000",
        "sync_modes": ["full"],
        "source_types": ["web"],
        "search_operators": [{"operator": "by", "attribute_key": "author", "value_type": "person"}],
    }


def test_a_dump_is_a_copy():
    made = document()
    dumped = made.model_dump()
    dumped["attributes"]["tags"].append("b")
    dumped["permissions"]["users"].clear()
    assert made.attributes == {"tags": ["a"]}
    assert made.permissions.users == ["ann@example.com"]


def test_a_value_without_json_form_is_named():
    with pytest.raises(InvalidValueError, match=r"attributes\.raw"):
        document(attributes={"raw": b"x"}).model_dump(mode="json")


def test_an_action_response_is_dumped_as_it_is_sent():
    answer = ActionResponse.failure("no", status_code=409)
    assert answer.model_dump() == {"status": "error", "result": None, "error": "no"} == answer.to_wire()


def test_what_the_wire_left_out_is_left_out_of_a_dump():
    request = SyncRequest(sync_run_id="r", source_id="s", sync_mode="full")
    assert "checkpoint" not in request.model_dump()
    assert evolve(request, checkpoint=None).model_dump(mode="json")["checkpoint"] is None


def test_a_person_is_dumped_with_dates_as_text():
    person = PersonSyncRecord(external_id="1", email="Ann@x.org", employment_start_date="2026-08-01")
    dumped = person.model_dump(mode="json", exclude_none=True)
    assert dumped == {"external_id": "1", "email": "ann@x.org", "employment_start_date": "2026-08-01"}
    assert PersonSyncRecord.model_validate(dumped) == person


def test_a_dump_may_be_json_text():
    text = document(title="Plän").model_dump_json(include=["title", "external_id"])
    assert text == '{"external_id":"1","title":"Plän"}'
    assert document().model_dump_json(include=["title"], indent=2) == '{\n  "title": "Plan"\n}'


# -- copies ------------------------------------------------------------------------------------------------------


def test_a_copy_has_its_changes_and_leaves_the_original():
    action = ActionDefinition(name="ping", description="Check")
    copied = action.model_copy(update={"mode": "read"})
    assert (type(copied), copied.name, copied.mode) == (ActionDefinition, "ping", "read")
    assert action.mode == "write"
    assert action.model_copy() == action
    assert action.model_copy() is not action


def test_a_deep_copy_shares_nothing():
    made = document()
    assert made.model_copy().metadata is made.metadata
    deep = made.model_copy(deep=True)
    deep.metadata.title = "Other"
    assert made.metadata.title is None


def test_the_changes_of_a_copy_are_validated():
    action = ActionDefinition(name="ping", description="Check")
    with pytest.raises(InvalidValueError, match=r"ActionDefinition\.mode: 'both' cannot be used"):
        action.model_copy(update={"mode": "both"})
    with pytest.raises(InvalidValueError, match=r"ActionDefinition\.modus: .* give one of name, description"):
        action.model_copy(update={"modus": "read"})


# -- models of dicts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("original", [document(), manifest()], ids=["document", "manifest"])
@pytest.mark.parametrize("mode", ["python", "json"])
def test_every_dump_makes_an_equal_model(original, mode):
    dumped = original.model_dump(mode=mode, exclude={"attributes"})
    assert type(original).model_validate(dumped).model_dump(mode="json", exclude={"attributes"}) == (
        original.model_dump(mode="json", exclude={"attributes"})
    )


def test_models_are_made_where_the_field_holds_models():
    made = ConnectorManifest.model_validate(manifest().model_dump())
    assert made == manifest()
    assert isinstance(made.oauth.scopes["web"], OAuthScopeSet)
    assert isinstance(made.prompts[0].arguments[0], McpPromptArgument)


def test_json_text_makes_a_model():
    made = Document.model_validate_json(document().model_dump_json())
    assert made.metadata.updated_at == NOON
    with pytest.raises(InvalidValueError, match="give JSON"):
        Document.model_validate_json("{")


def test_a_model_is_itself_and_unknown_keys_are_ignored():
    made = OAuthScopeSet(read=["r"])
    assert OAuthScopeSet.model_validate(made) is made
    assert OAuthScopeSet.model_validate({"read": ["r"], "newer": 1}) == made


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "x"}, r"ActionDefinition\.description: None cannot be used; it is missing"),
        ({"name": "x", "description": 1}, r"ActionDefinition\.description: 1 cannot be used; give a string"),
        ([], r"ActionDefinition\.model_validate: \[\] cannot be used; give a dict"),
    ],
)
def test_what_cannot_be_a_model_is_refused_by_field(given, message):
    with pytest.raises(InvalidValueError, match=message) as caught:
        ActionDefinition.model_validate(given)
    assert isinstance(caught.value, ValueError)  # What authors catch around pydantic.


def test_a_document_takes_dicts_for_its_models():
    made = Document(
        external_id="1", title="t", content="", metadata={"url": "u"}, permissions={"public": True}
    )
    assert made.metadata == DocumentMetadata(url="u")
    made.permissions = {"users": ["B@x.org"]}
    assert made.permissions == DocumentPermissions(users=["b@x.org"])
    with pytest.raises(InvalidValueError, match=r"DocumentMetadata\.url"):
        made.metadata = {"url": 5}


# -- what every model can ----------------------------------------------------------------------------------------

AUTHORS_MODELS = [
    member
    for name, member in sorted(vars(models_room).items())
    if inspect.isclass(member) and attrs.has(member) and issubclass(member, Model)
]


@pytest.mark.parametrize("kind", AUTHORS_MODELS, ids=lambda kind: kind.__name__)
def test_every_model_is_made_by_keywords_alone_and_has_no_other_fields(kind):
    assert all(attribute.kw_only for attribute in attrs.fields(kind))
    with pytest.raises(AttributeError):
        object.__new__(kind).tilte = "a misspelt field"


CHANGES = [
    (document(), "permissions", DocumentPermissions(public=True), "everybody"),
    (document(), "metadata", DocumentMetadata(title="x"), 5),
    (document(), "title", "New", None),
    (document().metadata, "title", "New", 5),
    (document().permissions, "groups", ["g@x.org"], "g@x.org"),
    (ActionDefinition(name="a", description="b"), "source_types", ["web"], "web"),
    (ActionDefinition(name="a", description="b"), "mode", "read", "both"),
    (ActionResponse.success({}), "result", [1], None),
    (manifest(), "actions", [], ["ping"]),
    (manifest(), "mcp_enabled", True, "yes"),
    (manifest().skills[0], "id", "mcp:other", ""),
    (manifest().oauth, "resource", "https://r", 1),
    (SearchOperator(operator="a", attribute_key="b"), "value_type", "text", 1),
]


@pytest.mark.parametrize(
    ("model", "name", "value", "wrong"), CHANGES, ids=lambda case: case if isinstance(case, str) else ""
)
def test_a_field_may_be_changed_later_and_is_validated_then(model, name, value, wrong):
    setattr(model, name, value)
    assert getattr(model, name) == value
    if wrong is not None:
        with pytest.raises(InvalidValueError, match=name):
            setattr(model, name, wrong)
        assert getattr(model, name) == value


@pytest.mark.parametrize("make", [document, manifest, lambda: ActionResponse.success({})])
def test_a_misspelt_field_is_no_field(make):
    with pytest.raises(AttributeError):
        make().titel = "x"
