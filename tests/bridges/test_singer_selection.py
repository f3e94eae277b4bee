"""What a tap says of its streams and settings: which are read, what identifies a record, and what is wrong with its config."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from omni_connector import ConfigurationError, InvalidValueError
from omni_connector.bridges.singer import SingerConnector, Stream, TapSettings, default_document
from omni_connector.bridges.singer_catalog import narrowed, selected

PROPERTIES = {"id": {}, "title": {}, "body": {}}
CATALOG = {
    "streams": [
        {
            "tap_stream_id": "issues",
            "schema": {"properties": PROPERTIES},
            "metadata": [
                {"breadcrumb": [], "metadata": {}},
                {"breadcrumb": ["properties", "id"], "metadata": {"inclusion": "automatic"}},
            ],
        },
        {"tap_stream_id": "users", "schema": {"properties": {"id": {}, "name": {}}}},
        {"tap_stream_id": "raw"},
    ]
}


def read(*patterns):
    """Return the selected streams with their selected fields."""
    found = {}
    for entry in narrowed(selected(CATALOG, None), patterns)["streams"]:
        by_field = {tuple(item["breadcrumb"]): item["metadata"].get("selected") for item in entry["metadata"]}
        assert by_field[()] is entry["selected"]
        if entry["selected"]:
            found[entry["tap_stream_id"]] = sorted(
                name[1] for name, is_in in by_field.items() if name and is_in
            )
    return found


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["issues"], {"issues": ["body", "id", "title"]}),
        (["issues.*", "!issues.body"], {"issues": ["id", "title"]}),
        (["*.id", "raw"], {"issues": ["id"], "users": ["id"], "raw": []}),
        (["!issues", "!users.name"], {"users": ["id"], "raw": []}),
        (["is*.t*"], {"issues": ["title"]}),
    ],
)
def test_the_setting_select_narrows_streams_and_fields(patterns, expected):
    assert read(*patterns) == expected


def test_names_that_the_tap_does_not_have_are_refused_with_near_ones():
    with pytest.raises(ConfigurationError) as caught:
        read("isues.title", "users.nmae", "!nothing")
    assert list(caught.value.problems) == [
        "select: the tap has no stream 'isues'; did you mean 'issues'?",
        "select: 'users.nmae': the tap has no field 'nmae'; did you mean 'name'?",
        "select: the tap has no stream 'nothing'; it has issues, raw, users",
    ]


def test_the_schema_says_what_identifies_a_record_and_which_values_are_moments():
    schema = {
        "properties": {
            "created_at": {"type": "string", "format": "date-time"},
            "updated": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]},
            "due": {"type": "string", "format": "date"},
            "tags": {"items": {"properties": {"since": {"format": "date-time"}}}},
            "odd": {"format": "date-time"},
        }
    }
    record = {
        "repo": "a",
        "id": 7,
        "title": "T",
        "body": "Text",
        "created_at": "2026-01-02 03:04:05",
        "updated": "2026-01-03T00:00:00+02:00",
        "due": "2026-01-04",
        "tags": [{"since": "2026-01-05T00:00:00Z"}],
        "odd": "next week",
        "_sdc_sequence": 1,
    }
    stream = Stream("issues", schema, ("repo", "id"))
    parsed = stream.parsed(record)
    assert parsed["created_at"] == dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    assert parsed["updated"].utcoffset() == dt.timedelta(hours=2)
    assert parsed["due"] == dt.date(2026, 1, 4)
    assert parsed["tags"][0]["since"] == dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
    assert (parsed["odd"], record["due"]) == ("next week", "2026-01-04")
    document = default_document(record, stream)
    assert (document.external_id, document.title) == ("issues/a/7", "T")
    assert document.metadata.created_at == parsed["created_at"]
    assert document.metadata.updated_at == parsed["updated"]
    lines = document.content.split("\n")
    assert lines[0] == "Text"
    assert {"repo: a", "due: 2026-01-04", "odd: next week"} <= set(lines)
    assert "_sdc" not in document.content


def test_records_of_a_stream_have_ids_that_no_other_record_has():
    def key(names, record):
        return Stream("issues", {}, names).key(record)

    assert key(("id",), {"id": "a/b%"}) == "issues/a/b%"
    assert key(("repo", "id"), {"repo": "a/b", "id": 1}) != key(("repo", "id"), {"repo": "a", "id": "b/1"})
    assert key(("repo", "id"), {"repo": "a%2Fb", "id": 1}) != key(("repo", "id"), {"repo": "a/b", "id": 1})
    assert key((), {"n": 1, "_sdc_batched_at": "now"}) == key((), {"n": 1, "_sdc_batched_at": "then"})
    assert key((), {"n": 1}) != key((), {"n": 2})
    with pytest.raises(InvalidValueError, match="select the properties of the stream's key"):
        key(("repo", "id"), {"repo": None, "number": 7})


ABOUT = {
    "settings": {
        "properties": {"api_url": {}, "token": {}, "size": {"default": 1}},
        "required": ["api_url", "size"],
    }
}

TAP = """#!{python}
import json, sys
if "--about" in sys.argv:
    print({about!r})
elif "--discover" in sys.argv:
    config = json.load(open(sys.argv[sys.argv.index("--config") + 1]))
    if config.get("token") == "wrong":
        sys.exit("401: the token was not accepted")
    print({catalog!r})
"""


class Own(SingerConnector):
    name = "own"
    version = "1.0.0"


@pytest.fixture
def connector(tmp_path):
    import sys

    tap = tmp_path / "tap-own"
    tap.write_text(TAP.format(python=sys.executable, about=json.dumps(ABOUT), catalog=json.dumps(CATALOG)))
    tap.chmod(0o700)
    connector = Own()
    connector.tap = str(tap)
    return connector


def test_the_connection_is_checked_with_what_the_tap_says_of_its_settings_and_streams(connector):
    check = connector.check_connection
    assert check({"api_url": "http://x", "select": ["users"]}, {"token": "t"}) is None
    assert check({"api_ulr": "http://x"}, {}) == (
        "tap_config: 'api_url' is missing, which tap-own needs; tap_config: tap-own has no setting 'api_ulr'; "
        "did you mean 'api_url'?"
    )
    assert check({"api_url": "x", "select": ["user"]}, {}) == (
        "select: the tap has no stream 'user'; did you mean 'users'?"
    )
    with pytest.raises(Exception, match="401: the token was not accepted"):
        check({"api_url": "x"}, {"token": "wrong"})


def test_a_base_of_settings_shows_what_can_be_selected_in_the_manifest(connector):
    class Declared(Own):
        config = TapSettings

    select = Declared().declared_types.schemas["config"]["properties"]["select"]
    assert "Streams and fields" in select["description"] or "streams and fields" in select["description"]
    assert connector.tap_config(TapSettings(select=["users"]), {"token": "t"}) == {"token": "t"}
