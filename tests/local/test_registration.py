import pytest
from support.local_manager import manifest

from omni_connector.local import LocalManagerError


def action(input_schema, **fields):
    return {"name": "do_it", "description": "Do it.", "input_schema": input_schema, **fields}


def refusal(api, url, **changes):
    answer = api.post("/sdk/register", manifest(url, **changes))
    assert answer.status_code == 400
    return answer.json()["error"]


def test_a_manifest_is_kept_with_its_defaults_once_the_connector_is_healthy(api, connector, register):
    register(source_types=["web", "acme"], unknown=1)
    entries = api.get("/connectors").json()
    assert {entry["source_type"] for entry in entries} == {"web", "acme"}
    assert entries[0]["url"] == connector.url
    assert entries[0]["healthy"] is True
    stored = entries[0]["manifest"]
    assert (stored["integration_type"], stored["read_only"], stored["actions"], stored["oauth"]) == (
        "connector",
        False,
        [],
        None,
    )
    assert "unknown" not in stored
    assert ("GET", "/health", None) in connector.calls


def test_checks_come_in_their_order(api, connector, unused_url):
    bad = [action({"$ref": "x"})]
    assert refusal(api, "", connector_id="", actions=bad) == "connector_id is required for registration"
    assert refusal(api, "", actions=bad) == "connector_url is required for registration"
    assert refusal(api, unused_url, actions=bad) == "my-connector.do_it input_schema.$ref is not supported"
    unhealthy = f"Connector health check failed at {unused_url}. Registration rejected."
    assert refusal(api, unused_url) == unhealthy
    connector.answers["/health"] = ({"status": "starting"}, 503)
    assert refusal(api, connector.url).startswith("Connector health check failed")
    assert refusal(api, "not a url").startswith("Connector health check failed at not a url.")
    assert api.get("/connectors").json() == []


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        (5, " must be a JSON object"),
        ({"anyOf": []}, ".anyOf is not supported at the top level"),
        ({"oneOf": []}, ".oneOf is not supported at the top level"),
        ({"type": "array"}, '.type must be "object"'),
        ({"type": ["object"]}, '.type must be "object"'),
        ({"properties": {"target": {"$ref": "#"}}}, ".properties.target.$ref is not supported"),
        ({"properties": {"x": {"anyOf": [{"not": {}}]}}}, ".properties.x.anyOf[0].not is not supported"),
        ({"properties": {"if": {"type": "string"}}}, ".properties.if is not supported"),
        ({"$defs": {}}, ".$defs is not supported"),
    ],
)
def test_an_unusable_action_schema_refuses_the_manifest(api, connector, schema, problem):
    assert (
        refusal(api, connector.url, actions=[action(schema)]) == f"my-connector.do_it input_schema{problem}"
    )


@pytest.mark.parametrize(
    "schema", [{}, {"type": "object", "properties": {"x": {"anyOf": [{"enum": [1, [2]]}]}}}]
)
def test_a_usable_action_schema_is_accepted(register, schema):
    register(actions=[action(schema)])


@pytest.mark.parametrize(
    ("changes", "status", "path"),
    [
        ({"sync_modes": ["full", "sometimes"]}, 422, "sync_modes[1]: unknown variant `sometimes`"),
        ({"sync_modes": [None]}, 400, "sync_modes[0]: expected value"),
        (
            {"actions": [action({}, source_types=["acme"])]},
            422,
            "actions[0].source_types[0]: unknown variant `acme`",
        ),
        ({"actions": [action({}, mode=None)]}, 400, "actions[0].mode: expected value"),
        ({"actions": None}, 422, "actions: invalid type: null, expected a sequence"),
        ({"source_types": None}, 422, "source_types: invalid type: null"),
        ({"skills": [{"id": "x"}]}, 422, "skills[0]: missing field `title`"),
        ({"version": 1}, 422, "version: invalid type: integer `1`"),
    ],
)
def test_a_manifest_of_the_wrong_shape_is_refused_in_plain_text(api, connector, changes, status, path):
    answer = api.post("/sdk/register", manifest(connector.url, **changes))
    assert (answer.status_code, path in answer.text) == (status, True), answer.text


def test_a_registration_lives_for_300_seconds(api, register, clock):
    register()
    clock.advance(seconds=299)
    assert len(api.get("/connectors").json()) == 1
    register()
    clock.advance(seconds=299)
    assert len(api.get("/connectors").json()) == 1
    clock.advance(seconds=1)
    assert api.get("/connectors").json() == []


def test_one_waits_for_a_connector(manager, register):
    with pytest.raises(TimeoutError, match="no connector for source type 'web' registered within"):
        manager.wait_for_connector("web", 0.01)
    register()
    manager.wait_for_connector("web", 0.01)


def test_waiting_for_a_connector_ends_when_the_manager_closes(manager):
    manager.close()
    with pytest.raises(LocalManagerError, match="closed"):
        manager.wait_for_connector("web")
