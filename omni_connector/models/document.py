"""Documents as authors write them."""

import datetime as dt
from typing import Any

import attrs
from attrs import Factory, define, field

from omni_connector.exceptions import InvalidValueError
from omni_connector.models import fields

MAX_DOCUMENT_ID_LENGTH = 500
"""Characters; a longer id fails the indexing of a whole batch later (PROTOCOL, section 19)."""

MAX_CONTENT_TYPE_LENGTH = 100
"""Characters; the same."""

_valid_id = fields.text(maximum=MAX_DOCUMENT_ID_LENGTH, empty=False, clean=True)


@define(kw_only=True)
class DocumentMetadata:
    """What is known about a document beside its text. Every field may be left out.

    Attributes:
        title: shown in search results; ``Document.title`` is used where this is None.
        author: name or address of the author.
        created_at: datetime, or ISO 8601 text; without offset it is taken as UTC.
        updated_at: the same.
        content_type: the document's type in the words of its source, at most 100 characters.
        mime_type: media type of the original, at most 100 characters.
        size: bytes, as a number or as digits.
        url: where a person opens the document.
        path: where it is in its source, such as ``Team/Plans/2026.md``.
        extra: anything else, a dict of JSON values; stored, not searched by operator.

    Raises:
        InvalidValueError: a value has the wrong type or is too long.
    """

    title: str | None = field(
        default=None, converter=fields.to_clean_text, validator=fields.optional(fields.text())
    )
    author: str | None = field(
        default=None, converter=fields.to_clean_text, validator=fields.optional(fields.text())
    )
    created_at: dt.datetime | None = field(
        default=None, converter=fields.to_moment, validator=fields.optional(fields.moment)
    )
    updated_at: dt.datetime | None = field(
        default=None, converter=fields.to_moment, validator=fields.optional(fields.moment)
    )
    content_type: str | None = field(
        default=None,
        converter=fields.to_clean_text,
        validator=fields.optional(fields.text(maximum=MAX_CONTENT_TYPE_LENGTH)),
    )
    mime_type: str | None = field(
        default=None,
        converter=fields.to_clean_text,
        validator=fields.optional(fields.text(maximum=MAX_CONTENT_TYPE_LENGTH)),
    )
    size: str | None = field(
        default=None, converter=fields.to_text, validator=fields.optional(fields.decimal_digits)
    )
    url: str | None = field(
        default=None, converter=fields.to_clean_text, validator=fields.optional(fields.text())
    )
    path: str | None = field(
        default=None, converter=fields.to_clean_text, validator=fields.optional(fields.text())
    )
    extra: dict[str, Any] | None = field(default=None, validator=fields.optional(fields.json_object))


@define(kw_only=True)
class DocumentPermissions:
    """Who finds the document (PROTOCOL, section 11).

    Attributes:
        public: everybody finds it.
        users: e-mail addresses; written in lower case, because they are compared as they stand.
        groups: ``group_email`` of groups, or domains of addresses; addresses are written in lower case.

    Raises:
        InvalidValueError: a value has the wrong type.
    """

    public: bool = field(default=False, validator=fields.boolean)
    users: list[str] = field(default=Factory(list), converter=fields.to_addresses, validator=fields.text_list)
    groups: list[str] = field(
        default=Factory(list), converter=fields.to_group_keys, validator=fields.text_list
    )


@define(kw_only=True)
class Document:
    """One document of a source.

    Attributes:
        external_id: the document's id in its source, 1 to 500 characters, stable from run to run.
        title: shown in search results.
        content: the document's text; the SDK stores it and fills in the content id. Exactly one of ``content``
            and ``content_id`` is given.
        content_id: id that ``ctx.content_storage.save`` returned.
        metadata: what is known beside the text.
        permissions: who finds it; None means nobody (private).
        attributes: values for search operators and filters, a dict of JSON values.

    Raises:
        InvalidValueError: a value has the wrong type, or both or neither of ``content`` and ``content_id`` are given.
    """

    external_id: str = field(converter=fields.to_required_text, validator=_valid_id)
    title: str = field(converter=fields.to_clean_required_text, validator=fields.text())
    content: str | None = field(default=None, repr=False, validator=fields.optional(fields.text()))
    content_id: str | None = field(
        default=None, validator=fields.optional(fields.text(empty=False, clean=True))
    )
    metadata: DocumentMetadata | None = field(
        default=None,
        validator=fields.optional(
            fields.instance_of(DocumentMetadata, "give DocumentMetadata(url=..., ...)")
        ),
    )
    permissions: DocumentPermissions | None = field(
        default=None,
        validator=fields.optional(
            fields.instance_of(DocumentPermissions, "give DocumentPermissions(public=..., users=[...])")
        ),
    )
    attributes: dict[str, Any] | None = field(default=None, validator=fields.optional(fields.json_object))

    def __attrs_post_init__(self) -> None:
        """Hold the rule that spans two fields."""
        if self.content is None and self.content_id is None:
            raise InvalidValueError(
                model="Document",
                field="content",
                value=None,
                remedy=f'give content="the text" or content_id=... for {self.external_id!r} '
                '(content="" for a document without text)',
            )
        if self.content is not None and self.content_id is not None:
            raise InvalidValueError(
                model="Document",
                field="content",
                value=self.content,
                remedy=f"give either content or content_id for {self.external_id!r}, not both",
            )


def title_of(document: Document) -> str:
    """Return the title that goes into the metadata on the wire: the metadata's own, else the document's."""
    own = document.metadata.title if document.metadata else None
    return document.title if own is None else own


_SAMPLE = Document(external_id="sample", title="", content="")  # Names the class in errors of document_id().


def document_id(external_id: str | int) -> str:
    """Return the id of a document in its source, as it is sent.

    Raises:
        InvalidValueError: it is not a text of 1 to 500 characters that JSON can carry.
    """
    text = fields.to_required_text(external_id)
    _valid_id(_SAMPLE, attrs.fields(Document).external_id, text)
    return text
