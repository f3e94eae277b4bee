import json

import pytest
from cli_cases import NOTES, connector


def test_the_manifest_is_printed_as_json(omni):
    result = omni("manifest", NOTES)
    assert result.exit_code == 0, result.output
    manifest = json.loads(result.stdout)
    assert (manifest["name"], manifest["version"], manifest["connector_url"]) == ("notes", "1.2.3", "")
    assert manifest["source_types"] == ["local_files", "web"]
    assert [action["name"] for action in manifest["actions"]] == ["ping"]
    assert result.stderr == ""


def test_a_source_type_that_a_real_manager_does_not_have_is_mentioned(omni):
    result = omni("manifest", connector("OwnType"))
    assert result.exit_code == 0
    assert json.loads(result.stdout)["source_types"] == ["own_type"]
    assert result.stderr.startswith(
        "Note: Omni has no source type own_type: only the embedded manager can have such"
    )
    assert 'such as source_types = ["web"]. Omni\'s types: clickup, ' in result.stderr


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("BadSchema", "bad-schema cannot be announced: action ping: input_schema.properties.a.$ref: "),
        ("BadMode", "'sometimes'"),
        ("BadInMany", "in-many cannot be announced: skill s: 2 skills have this id"),
    ],
)
def test_a_manifest_that_a_manager_would_refuse_is_no_manifest(omni, name, reason):
    result = omni("manifest", connector(name))
    assert (result.exit_code, result.stdout) == (3, "")
    assert reason in result.stderr


def test_a_target_that_is_no_connector_is_refused(omni):
    result = omni("manifest", "json:JSONDecoder")
    assert result.exit_code == 3
    assert "json:JSONDecoder is not a Connector" in result.stderr
