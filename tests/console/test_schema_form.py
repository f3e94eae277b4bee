"""Forms from schemas: what comes back is the value that was typed, with the command line's words for what is wrong."""

from __future__ import annotations

import enum
from datetime import date, datetime
from typing import Literal

import pytest
from attrs import define, field
from werkzeug.datastructures import MultiDict

from omni_connector import Connector, secret, setting
from omni_connector.console.hidden_values import NOT_SHOWN, all_secret, hidden, restored
from omni_connector.console.schema_form import SchemaForm


class Size(enum.Enum):
    """Sizes."""

    SMALL = 1
    LARGE = 2


@define
class Deep:
    """Inside."""

    depth: int
    note: str | None = None


@define
class Settings:
    """Settings with one field of each kind."""

    folder: str = setting("Folder that is read.")
    size: Size
    deep: Deep
    mode: Literal["a", "b"] = "a"
    since: datetime | None = None
    day: date | None = None
    include: list[str] = field(factory=lambda: ["*.md"])
    numbers: list[int] = field(factory=list)
    ratio: float = 0.5
    archived: bool = False
    follow: bool = True
    maybe: bool | None = None
    either: int | str = 1
    more: dict[str, int] = field(factory=dict)
    api_key: str = secret("A key.", default="")


class Typed(Connector[Settings]):
    """Has them."""

    name = "typed"


@pytest.fixture
def form():
    return SchemaForm(Typed.declared_types.schemas["config"], prefix="config.")


FILLED = {
    "config.folder": " /srv/notes ",
    "config.size": "2",
    "config.deep.depth": "3",
    "config.mode": "b",
    "config.since": "2026-01-31T09:00:00Z",
    "config.day": "2026-02-01",
    "config.include": "*.md\r\n\r\n*.txt\r\n",
    "config.numbers": "1\n2",
    "config.ratio": "0.25",
    "config.archived": "true",
    "config.maybe": "false",
    "config.either": "x",
    "config.more": '{"a": 1}',
    "config.api_key": "k-s3cret",
}
VALUE = {
    "folder": " /srv/notes ",
    "size": 2,
    "deep": {"depth": 3},
    "mode": "b",
    "since": "2026-01-31T09:00:00Z",
    "day": "2026-02-01",
    "include": ["*.md", "*.txt"],
    "numbers": [1, 2],
    "ratio": 0.25,
    "archived": True,
    "follow": False,
    "maybe": False,
    "either": "x",
    "more": {"a": 1},
    "api_key": "k-s3cret",
}


def flat(fields):
    return {each.path: each for one in fields for each in (one.fields if one.kind == "group" else [one])}


def test_what_was_typed_becomes_the_value_that_the_schema_asks_for(form):
    assert form.read(MultiDict(FILLED), {}) == VALUE
    assert form.problems(VALUE) == []


def test_a_shown_value_comes_back_as_it_was(form):
    sent = {
        each.name: each.text for each in flat(form.fields(VALUE)).values() if each.kind != "flag" or each.text
    }
    assert sent["config.api_key"] == ""
    assert form.read(MultiDict(sent), VALUE) == VALUE


def test_a_form_that_was_left_alone_adds_nothing_to_a_value(form):
    stored = {"folder": "x", "size": 1, "deep": {"depth": 1}, "read_only": True}
    sent = {
        each.name: each.text
        for each in flat(form.fields(stored)).values()
        if each.kind != "flag" or each.text
    }
    del sent["config.mode"]
    assert form.read(MultiDict(sent), stored) == stored


def test_each_problem_is_shown_at_its_field_in_the_words_of_the_command_line(form):
    value = form.read(
        MultiDict(
            FILLED
            | {
                "config.folder": "",
                "config.since": "soon",
                "config.deep.depth": "x",
                "config.numbers": "1\nb",
            }
        ),
        {},
    )
    problems = form.problems(value)
    fields = flat(form.fields(value, problems))
    assert fields["folder"].error == "text is required, and missing"
    assert fields["since"].error == 'an ISO 8601 date and time or null is required, not "soon"'
    assert fields["deep.depth"].error == "a whole number is required, not text"
    assert fields["numbers"].error == "numbers[1]: a whole number is required, not text"
    assert fields["since"].text == "soon"
    assert form.unmatched(problems) == []
    assert form.unmatched(["foldr: there is no such key", "elsewhere"]) == [
        "foldr: there is no such key",
        "elsewhere",
    ]


def test_a_secret_is_never_in_the_form_stays_when_left_empty_and_can_be_removed(form):
    field = flat(form.fields(VALUE))["api_key"]
    assert (field.kind, field.text, field.is_set) == ("secret", "", True)
    left = FILLED | {"config.api_key": ""}
    assert form.read(MultiDict(left), VALUE)["api_key"] == "k-s3cret"
    assert "api_key" not in form.read(MultiDict(left | {"config.api_key.remove": "true"}), VALUE)


def test_values_of_credentials_are_secret_all_of_them_also_in_messages():
    schema = all_secret(
        {"type": "object", "properties": {"user": {"type": "string"}, "pin": {"type": "integer"}}}
    )
    credentials = SchemaForm(schema, prefix="credentials.", place="credentials.")
    assert {each.kind for each in credentials.fields({"user": "ann", "pin": 1})} == {"secret"}
    assert credentials.problems({"pin": "s3cret"}) == [
        "credentials.pin: a whole number is required, not text"
    ]


def test_settings_are_shown_and_edited_without_their_secrets():
    schema = {
        "properties": {
            "pin": {"type": "integer", "writeOnly": True},
            "list": {"type": "array", "items": {"properties": {"x": {"writeOnly": True}}}},
        }
    }
    value = {"pin": 5, "apiToken": "t", "list": [{"x": "a", "y": 1}], "plain": 1, "empty_token": ""}
    shown = hidden(value, schema)
    assert shown == {
        "pin": NOT_SHOWN,
        "apiToken": NOT_SHOWN,
        "list": [{"x": NOT_SHOWN, "y": 1}],
        "plain": 1,
        "empty_token": "",
    }
    assert restored(shown | {"plain": 2}, value) == value | {"plain": 2}


def test_spaces_around_a_text_are_kept_and_only_the_newline_behind_a_secret_goes(form):
    typed = {f"{form.prefix}folder": "Console ", f"{form.prefix}api_key": " key \r\n"}
    value = form.read(MultiDict(typed), {})
    assert (value["folder"], value["api_key"]) == ("Console ", " key ")
