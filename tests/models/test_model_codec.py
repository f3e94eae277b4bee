"""Structuring: strict, and with errors that name the field."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from omni_connector.exceptions import MalformedRequestError
from omni_connector.models import ActionRequest, CancelRequest, SyncConfig, SyncMode, SyncRequest
from omni_connector.models.codec import decode, encode, structure, unstructure
from omni_connector.models.sync import ABSENT, Slot

SYNC = {"sync_run_id": "r", "source_id": "s", "sync_mode": "full"}


@attrs.frozen(kw_only=True)
class Leaf:
    number: int
    ratio: float = 0.5
    flag: bool = False


@attrs.frozen(kw_only=True)
class Tree:
    leaves: list[Leaf]
    extra: dict[str, Any] = attrs.field(factory=dict)


def refused(cls, payload):
    with pytest.raises(MalformedRequestError) as caught:
        structure(cls, payload)
    assert str(caught.value).startswith(caught.value.field)
    return caught.value.field, str(caught.value)


def test_a_minimal_sync_request_has_defaults():
    request = structure(SyncRequest, SYNC)
    assert request.mode is SyncMode.FULL
    assert (request.last_sync_at, request.checkpoint, request.is_resume) == (None, ABSENT, False)


def test_a_checkpoint_of_null_is_told_from_none_at_all():
    assert structure(SyncRequest, {**SYNC, "checkpoint": None}).checkpoint is None


@pytest.mark.parametrize("checkpoint", [{"a": [1]}, [1], "text", 5, True])
def test_any_json_is_a_checkpoint(checkpoint):
    assert structure(SyncRequest, {**SYNC, "checkpoint": checkpoint}).checkpoint == checkpoint


def test_unknown_keys_are_ignored():
    assert structure(SyncRequest, {**SYNC, "documents_scanned": 0, "later": {}}).source_id == "s"


@pytest.mark.parametrize("field", ["sync_run_id", "source_id", "sync_mode"])
def test_a_missing_field_is_named(field):
    payload = {key: value for key, value in SYNC.items() if key != field}
    assert refused(SyncRequest, payload) == (field, f"{field}: required field is missing")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (5, "a number"),
        (1.5, "a number"),
        (True, "a boolean"),
        ([], "an array"),
        ({}, "an object"),
    ],
)
def test_a_mistyped_field_is_named_with_what_came(value, shown):
    field, message = refused(SyncRequest, {**SYNC, "source_id": value})
    assert (field, message) == ("source_id", f"source_id: a string is required, not {shown}")


def test_an_empty_id_is_refused():
    assert refused(SyncRequest, {**SYNC, "sync_run_id": ""})[0] == "sync_run_id"


def test_an_unknown_mode_is_refused_with_the_known_ones():
    field, message = refused(SyncRequest, {**SYNC, "sync_mode": "partial"})
    assert (field, message) == ("sync_mode", "sync_mode: give one of full, incremental, realtime")


@pytest.mark.parametrize("value", [None, 1, "true"])
def test_is_resume_is_a_boolean(value):
    field, message = refused(SyncRequest, {**SYNC, "is_resume": value})
    assert (field, "a boolean is required" in message) == ("is_resume", True)


def test_last_sync_at_may_be_null_but_not_a_number():
    assert structure(SyncRequest, {**SYNC, "last_sync_at": None}).last_sync_at is None
    assert refused(SyncRequest, {**SYNC, "last_sync_at": 5})[0] == "last_sync_at"


@pytest.mark.parametrize("payload", [None, [], "x", 5, True])
def test_a_body_that_is_no_object_is_refused(payload):
    field, message = refused(CancelRequest, payload)
    assert (field, "a JSON object is required" in message) == ("body", True)


def test_an_action_request_needs_only_its_name():
    request = structure(ActionRequest, {"action": "ping"})
    assert (request.params, request.credentials, request.source, request.actor_email) == (None,) * 4


def test_params_that_are_no_object_are_refused_by_name():
    assert refused(ActionRequest, {"action": "ping", "params": [1, 2]}) == (
        "params",
        "params: an object is required, not an array",
    )


def test_the_error_of_a_nested_value_names_its_path():
    assert refused(Tree, {"leaves": [{"number": 1}, {"number": "2"}]}) == (
        "leaves[1].number",
        "leaves[1].number: a whole number is required, not a string",
    )
    assert refused(Tree, {"leaves": [{}]})[0] == "leaves[0].number"


def test_numbers_are_not_coerced():
    assert structure(Tree, {"leaves": [{"number": 1, "ratio": 2}]}).leaves[0].ratio == 2.0
    assert refused(Tree, {"leaves": [{"number": 1.0}]})[0] == "leaves[0].number"
    assert refused(Tree, {"leaves": [{"number": True}]})[0] == "leaves[0].number"
    assert refused(Tree, {"leaves": [{"number": 1, "ratio": "2"}]})[0] == "leaves[0].ratio"
    assert refused(Tree, {"leaves": [{"number": 1, "ratio": True}]})[0] == "leaves[0].ratio"


def test_an_object_is_required_where_one_is_declared():
    assert structure(Tree, {"leaves": [], "extra": {"a": 1}}).extra == {"a": 1}
    assert refused(Tree, {"leaves": [], "extra": []})[1] == "extra: an object is required, not an array"


def test_unstructure_writes_every_field():
    assert unstructure(Tree(leaves=[Leaf(number=1)])) == {
        "leaves": [{"number": 1, "ratio": 0.5, "flag": False}],
        "extra": {},
    }


@pytest.mark.parametrize(
    "body", [b"", b"{", b"NaN", b'{"a": 1e400}', b"\xff", b'"\\ud800"', b"\xef\xbb\xbf{}"]
)
def test_what_is_not_json_is_a_value_error(body):
    with pytest.raises(ValueError):
        decode(body)


def test_decode_takes_bytes_and_text():
    assert decode(b'{"a":1}') == decode('{"a":1}') == {"a": 1}


def test_a_source_of_an_old_manager_has_no_checkpoint_and_no_type():
    config = structure(SyncConfig, {"config": {}, "credentials": {}, "connector_state": {"c": 1}})
    assert (config.checkpoint, config.source_type, config.user_filter_mode) == (ABSENT, None, "all")


def test_credentials_are_not_part_of_the_repr():
    assert "t0p-secret" not in repr(SyncConfig(credentials={"token": "t0p-secret"}))


def test_realtime_runs_have_a_slot_of_their_own():
    assert {mode: mode.slot for mode in SyncMode} == {
        SyncMode.FULL: Slot.SCHEDULED,
        SyncMode.INCREMENTAL: Slot.SCHEDULED,
        SyncMode.REALTIME: Slot.REALTIME,
    }


def test_encoding_writes_utf_8():
    assert encode({"ä": "漢"}) == '{"ä":"漢"}'.encode()


@pytest.mark.parametrize("kind", [bytes, bytearray, str])
@pytest.mark.parametrize("depth", [201, 1024, 1025, 50_000])
def test_what_is_nested_too_deeply_is_refused_before_anything_recurses(kind, depth):
    text = '{"a": ' + "[" * depth + "]" * depth + "}"
    with pytest.raises(
        ValueError, match=r"nested more than 200 levels deep|depth limit|recursion depth exceeded"
    ):
        decode(text if kind is str else kind(text.encode()))


def test_many_braces_are_not_deep():
    assert decode("[" + ",".join(["[{}]"] * 500) + "]") == [[{}]] * 500
    assert decode('"' + "[" * 500 + '"') == "[" * 500
    deep = decode("[" * 200 + "]" * 200)
    assert deep != []
