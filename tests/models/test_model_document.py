"""Documents, their metadata and permissions: what is normalised, what is refused, and in which words."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import attrs
import pytest

from omni_connector.awaitables import AwaitableStr
from omni_connector.exceptions import InvalidDocumentError, InvalidValueError
from omni_connector.models import Document, DocumentMetadata, DocumentPermissions
from omni_connector.models.codec import decode
from omni_connector.models.document import document_id
from omni_connector.models.events import CREATED, encode_upsert


def doc(**changes):
    return Document(**{"external_id": "1", "title": "T", "content": "text", **changes})


def test_a_whole_number_as_external_id_becomes_its_digits():
    assert (doc(external_id=42).external_id, document_id(42)) == ("42", "42")


@pytest.mark.parametrize("value", [True, 5.0])
def test_other_numbers_as_external_id_are_refused_by_name(value):
    for make in (lambda: doc(external_id=value), lambda: document_id(value)):
        with pytest.raises(InvalidValueError, match=f"external_id: {value} cannot be used; give a string"):
            make()


def test_an_external_id_of_500_characters_is_the_longest():
    assert doc(external_id="x" * 500).external_id == "x" * 500


def test_a_title_loses_nul_and_lone_surrogates():
    assert doc(title="a\x00b\udc80").title == "ab\ufffd"


def test_an_empty_title_and_empty_content_are_allowed():
    assert (doc(title="").title, doc(content="").content) == ("", "")


def test_the_content_id_of_a_save_is_taken_as_it_is():
    assert doc(content=None, content_id=AwaitableStr("c-1")).content_id == "c-1"


class Unshowable:
    def __repr__(self):
        raise ZeroDivisionError


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(("value", "shown"), [(nested(100_000), "a list"), (Unshowable(), "a Unshowable")])
def test_a_value_that_cannot_be_shown_is_refused_like_any_other(value, shown):
    document = doc(content="x", attributes={"a": value})
    with pytest.raises(InvalidDocumentError, match=f"{shown} cannot be used"):
        encode_upsert(CREATED, document, sync_run_id="r", source_id="s")


def test_the_content_is_not_part_of_the_repr():
    assert "secret text" not in repr(doc(content="secret text"))


REFUSED = [
    ("external_id", None, "give a string"),
    ("external_id", "", "give a string that is not empty"),
    ("external_id", True, "give a string"),
    ("external_id", 1.0, "give a string"),
    ("external_id", "x" * 501, "it has 501 characters, give at most 500"),
    ("external_id", "a\x00", "remove NUL characters and lone surrogates"),
    ("external_id", "a\udc80", "urllib.parse.quote"),
    ("title", None, "give a string"),
    ("title", 5, "give a string"),
    ("content", 7, "give text, bytes, a path or a file"),
    ("content", None, "give content="),
    ("metadata", ["url"], "give DocumentMetadata("),
    ("permissions", "public", "give DocumentPermissions("),
    ("attributes", [1], "give a dict"),
    ("attributes", "text", "give a dict"),
]


@pytest.mark.parametrize(("field", "value", "remedy"), REFUSED)
def test_a_document_refuses_a_wrong_value_by_class_field_value_and_remedy(field, value, remedy):
    with pytest.raises(InvalidValueError) as caught:
        doc(**{field: value})
    error = caught.value
    assert (error.model, error.field, error.value) == ("Document", field, value)
    assert remedy in error.remedy
    assert str(error).startswith(f"Document.{field}: ")
    assert isinstance(error, ValueError)


def test_setting_a_field_later_is_checked_too():
    document = doc()
    with pytest.raises(InvalidValueError, match=r"Document\.title"):
        document.title = 5
    document.external_id = 7
    assert document.external_id == "7"


@pytest.mark.parametrize("content_id", ["", 5, "a\x00"])
def test_an_unusable_content_id_is_refused(content_id):
    with pytest.raises(InvalidValueError, match=r"Document\.content_id"):
        doc(content=None, content_id=content_id)


def test_content_and_content_id_together_are_refused_with_the_document_named():
    with pytest.raises(InvalidValueError, match=r"either content or content_id for '1', not both"):
        doc(content_id="c-1")


def test_an_unknown_field_is_refused():
    with pytest.raises(TypeError, match="contents"):
        doc(contents="x")


def test_positional_arguments_are_refused():
    with pytest.raises(TypeError):
        Document("1", "T")


def test_a_long_value_is_shortened_in_the_message():
    with pytest.raises(InvalidValueError) as caught:
        doc(attributes="x" * 10_000)
    assert len(str(caught.value)) < 200
    assert caught.value.value == "x" * 10_000


@pytest.mark.parametrize(
    ("metadata", "title"),
    [
        (None, "T"),
        (DocumentMetadata(url="u"), "T"),
        (DocumentMetadata(title="M"), "M"),
        (DocumentMetadata(title=""), ""),
    ],
)
def test_the_title_on_the_wire_is_the_metadata_s_own_if_there_is_one(metadata, title):
    event = encode_upsert(CREATED, doc(metadata=metadata), sync_run_id="r", source_id="s")
    assert decode(event.body)["metadata"]["title"] == title


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (dt.datetime.fromisoformat("2026-08-01T12:00"), "2026-08-01T12:00:00+00:00"),
        (dt.datetime(2026, 8, 1, 12, tzinfo=dt.UTC), "2026-08-01T12:00:00+00:00"),
        (dt.date(2026, 8, 1), "2026-08-01T00:00:00+00:00"),
        ("2026-08-01", "2026-08-01T00:00:00+00:00"),
        ("2026-08-01T12:00:00", "2026-08-01T12:00:00+00:00"),
        (" 2026-08-01T12:00:00Z ", "2026-08-01T12:00:00+00:00"),
        ("2026-08-01T12:00:00.123+02:00", "2026-08-01T12:00:00.123000+02:00"),
        ("2026-08-01T12:00:00+0530", "2026-08-01T12:00:00+05:30"),
        # RFC 3339 has no offsets with seconds: such a moment is written in UTC.
        ("2026-08-01T12:00:00+05:30:15", "2026-08-01T06:29:45+00:00"),
        (
            dt.datetime(1880, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Amsterdam")),
            "1879-12-31T23:40:28+00:00",
        ),
        (
            dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=5, seconds=15))),
            "0001-01-01T00:00:00+05:00",
        ),
    ],
)
def test_dates_become_datetimes_with_an_offset_of_whole_minutes(given, sent):
    metadata = DocumentMetadata(created_at=given, updated_at=given)
    assert metadata.created_at.isoformat() == sent
    assert metadata.updated_at == metadata.created_at


@pytest.mark.parametrize("field", ["created_at", "updated_at"])
@pytest.mark.parametrize("value", ["yesterday", "", 1754049600, 1.5, True, ["2026-08-01"]])
def test_what_is_no_moment_is_refused(field, value):
    with pytest.raises(InvalidValueError, match=rf"DocumentMetadata\.{field}: .*2026-08-01T12:00:00Z"):
        DocumentMetadata(**{field: value})


@pytest.mark.parametrize(("given", "sent"), [(0, "0"), (12, "12"), ("345", "345"), (None, None)])
def test_a_size_is_sent_as_digits(given, sent):
    assert DocumentMetadata(size=given).size == sent


@pytest.mark.parametrize("size", [-1, "-1", "12 kB", "", 1.0, True, "١٢", "1_000"])
def test_a_size_that_is_no_count_of_bytes_is_refused(size):
    with pytest.raises(InvalidValueError, match=r"DocumentMetadata\.size: .*the number of bytes"):
        DocumentMetadata(size=size)


@pytest.mark.parametrize("field", ["title", "author", "content_type", "mime_type", "url", "path"])
def test_texts_of_the_metadata_are_cleaned_and_checked(field):
    assert getattr(DocumentMetadata(**{field: "a\x00b"}), field) == "ab"
    assert getattr(DocumentMetadata(**{field: None}), field) is None
    with pytest.raises(
        InvalidValueError, match=rf"DocumentMetadata\.{field}: 5 cannot be used; give a string"
    ):
        DocumentMetadata(**{field: 5})


@pytest.mark.parametrize("field", ["content_type", "mime_type"])
def test_types_have_at_most_100_characters(field):
    assert getattr(DocumentMetadata(**{field: "x" * 100}), field) == "x" * 100
    with pytest.raises(InvalidValueError, match="it has 101 characters, give at most 100"):
        DocumentMetadata(**{field: "x" * 101})


def test_extra_is_a_dict():
    assert DocumentMetadata(extra={"a": 1}).extra == {"a": 1}
    with pytest.raises(InvalidValueError, match=r"DocumentMetadata\.extra"):
        DocumentMetadata(extra=["a"])


def test_users_are_stripped_and_lower_case_because_the_manager_compares_them_as_they_stand():
    assert DocumentPermissions(users=[" Ada@Example.COM "]).users == ["ada@example.com"]


def test_groups_are_lower_case_only_where_they_are_addresses():
    assert DocumentPermissions(groups=["Eng@Example.com", " Team-A "]).groups == ["eng@example.com", "Team-A"]


@pytest.mark.parametrize("field", ["users", "groups"])
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, []),
        ((), []),
        ({"b@x.y", "a@x.y"}, ["a@x.y", "b@x.y"]),
        (("b@x.y", "a@x.y"), ["b@x.y", "a@x.y"]),
        ({"b@x.y": 1, "a@x.y": 2}.keys(), ["b@x.y", "a@x.y"]),
    ],
    ids=["none", "empty", "set", "tuple", "view"],
)
def test_any_collection_of_texts_becomes_a_list(field, given, kept):
    assert getattr(DocumentPermissions(**{field: given}), field) == kept


def test_a_generator_of_users_is_read():
    assert DocumentPermissions(users=(name for name in ["a@x.y", "b@x.y"])).users == ["a@x.y", "b@x.y"]


@pytest.mark.parametrize("field", ["users", "groups"])
@pytest.mark.parametrize("value", ["ada@example.com", b"ada", {"ada": 1}, 5, [1], ["a", None], {"a", 1}])
def test_what_is_no_list_of_texts_is_refused(field, value):
    with pytest.raises(InvalidValueError, match=rf"DocumentPermissions\.{field}: .*list of strings"):
        DocumentPermissions(**{field: value})


def test_a_bare_string_of_users_is_answered_with_the_list_to_write():
    with pytest.raises(InvalidValueError, match=r'such as \["ada@example.com"\]'):
        DocumentPermissions(users="ada@example.com")


@pytest.mark.parametrize("value", [None, 1, "true"])
def test_public_is_true_or_false(value):
    with pytest.raises(InvalidValueError, match=r"DocumentPermissions\.public: .*give True or False"):
        DocumentPermissions(public=value)


def test_the_lists_of_a_caller_are_not_altered():
    users = ["Ada@Example.com"]
    permissions = DocumentPermissions(users=users)
    permissions.users.append("x@y.z")
    assert users == ["Ada@Example.com"]


def test_models_are_compared_by_value_and_copied_with_evolve():
    assert attrs.evolve(doc(), title="U") == doc(title="U")


def test_the_id_of_a_deletion_follows_the_rules_of_external_id():
    assert document_id(7) == "7"
    assert document_id("a/b") == "a/b"
    for wrong in ("", "x" * 501, "a\x00", None, 1.5):
        with pytest.raises(InvalidValueError, match=r"Document\.external_id"):
            document_id(wrong)
