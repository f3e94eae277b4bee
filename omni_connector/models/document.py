"""Documents as authors write them."""

import datetime as dt
from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any, Protocol

import attrs
from attrs import define, field

from omni_connector.exceptions import InvalidValueError
from omni_connector.models import fields

MAX_DOCUMENT_ID_LENGTH = 500
"""Characters; a longer id fails the indexing of a whole batch later (PROTOCOL, section 19)."""

MAX_CONTENT_TYPE_LENGTH = 100
"""Characters; the same."""

_ID = fields.text(maximum=MAX_DOCUMENT_ID_LENGTH, empty=False, clean=True)
_TEXT = fields.optional_text
_TYPE = fields.optional(fields.text(maximum=MAX_CONTENT_TYPE_LENGTH))
_MOMENT = fields.optional(fields.moment)
_OBJECT = fields.optional(fields.json_object)

_place = object.__setattr__
"""Sets all fields of a new instance at once: setting them one by one goes through ``__setattr__``."""


class Readable(Protocol):
    """Gives bytes: a file opened with ``"rb"``, or the body of an answer that is still arriving."""

    def read(self, size: int = ..., /) -> bytes:
        """Return the next bytes, at most ``size``; empty at the end."""
        ...


def _is_clean(value: Any) -> bool:
    """Say whether this is text without NUL and lone surrogates."""
    if type(value) is not str or "\x00" in value:
        return False
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:  # Lone surrogates.
        return False
    return True


def _is_plain_id(value: Any) -> bool:
    """Say whether this is an id as managers give it; ``save`` returns text that can be awaited, too."""
    return isinstance(value, str) and value.isascii() and value != "" and "\x00" not in value


@define(slots=False, init=False, kw_only=True, on_setattr=attrs.setters.NO_OP)
class DocumentMetadata(fields.QuickModel):
    """What is known about a document besides its text. Every field may be left out.

    Attributes:
        title: ``Document.title`` is used where this is None.
        created_at: datetime, or ISO 8601 text, like ``updated_at``; without offset it is taken as UTC.
        content_type: the document's type in the words of its source, at most 100 characters.
        mime_type: media type of the original, at most 100 characters.
        size: bytes, as a number or as digits.
        url: where a person opens the document.
        path: where it is in its source, such as ``Team/Plans/2026.md``.
        extra: anything else, a dict of JSON values; stored, not searched by operator.
    """

    title: str | None = field(default=None, converter=fields.clean, validator=_TEXT)
    author: str | None = field(default=None, converter=fields.clean, validator=_TEXT)
    created_at: dt.datetime | None = field(default=None, converter=fields.to_moment, validator=_MOMENT)
    updated_at: dt.datetime | None = field(default=None, converter=fields.to_moment, validator=_MOMENT)
    content_type: str | None = field(default=None, converter=fields.clean, validator=_TYPE)
    mime_type: str | None = field(default=None, converter=fields.clean, validator=_TYPE)
    size: str | None = field(
        default=None, converter=fields.to_text, validator=fields.optional(fields.decimal_digits)
    )
    url: str | None = field(default=None, converter=fields.clean, validator=_TEXT)
    path: str | None = field(default=None, converter=fields.clean, validator=_TEXT)
    extra: dict[str, Any] | None = field(default=None, validator=_OBJECT)

    def __init__(
        self,
        *,
        title: str | None = None,
        author: str | None = None,
        created_at: dt.datetime | dt.date | str | None = None,
        updated_at: dt.datetime | dt.date | str | None = None,
        content_type: str | None = None,
        mime_type: str | None = None,
        size: str | int | None = None,
        url: str | None = None,
        path: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        if created_at is not None:
            created_at = fields.to_moment(created_at)
        if updated_at is not None:
            updated_at = fields.to_moment(updated_at)
        if type(size) is int:
            size = str(size)
        values = {
            "title": title,
            "author": author,
            "created_at": created_at,
            "updated_at": updated_at,
            "content_type": content_type,
            "mime_type": mime_type,
            "size": size,
            "url": url,
            "path": path,
            "extra": extra,
        }
        _place(self, "__dict__", values)
        if not (
            (title is None or _is_clean(title))
            and (url is None or (type(url) is str and url.isascii() and "\x00" not in url) or _is_clean(url))
            and (author is None or _is_clean(author))
            and (path is None or _is_clean(path))
            and (mime_type is None or (_is_clean(mime_type) and len(mime_type) <= MAX_CONTENT_TYPE_LENGTH))
            and (
                content_type is None
                or (_is_clean(content_type) and len(content_type) <= MAX_CONTENT_TYPE_LENGTH)
            )
            and (created_at is None or type(created_at) is dt.datetime)
            and (updated_at is None or type(updated_at) is dt.datetime)
            and (size is None or (type(size) is str and size.isdigit() and size.isascii()))
            and (extra is None or type(extra) is dict)
        ):
            self.normalise()


@define(slots=False, init=False, kw_only=True, on_setattr=attrs.setters.NO_OP)
class DocumentPermissions(fields.QuickModel):
    """Who finds the document (PROTOCOL, section 11).

    Attributes:
        users: e-mail addresses; written in lower case, because the manager compares them as they are.
        groups: ``group_email`` of groups, or domains of addresses; addresses are written in lower case.
    """

    public: bool = field(default=False, validator=fields.boolean)
    users: list[str] = field(factory=list, converter=fields.to_addresses, validator=fields.text_list)
    groups: list[str] = field(factory=list, converter=fields.to_group_keys, validator=fields.text_list)

    def __init__(
        self,
        *,
        public: bool = False,
        users: Iterable[str] | None = (),
        groups: Iterable[str] | None = (),
    ) -> None:
        # The converters have looked at what is in a plain list.
        users = fields.to_addresses(users) if users else []
        groups = fields.to_group_keys(groups) if groups else []
        _place(self, "__dict__", {"public": public, "users": users, "groups": groups})
        if not (type(public) is bool and type(users) is list and type(groups) is list):
            self.normalise()


def _to_metadata(value: Any) -> Any:
    return DocumentMetadata.model_validate(value) if isinstance(value, Mapping) else value


def _to_permissions(value: Any) -> Any:
    return DocumentPermissions.model_validate(value) if isinstance(value, Mapping) else value


_METADATA = fields.instance_of(DocumentMetadata, "give DocumentMetadata(url=..., ...)")
_PERMISSIONS = fields.instance_of(DocumentPermissions, "give DocumentPermissions(public=..., users=[...])")


@define(slots=False, init=False, kw_only=True, on_setattr=attrs.setters.NO_OP)
class Document(fields.QuickModel):
    """One document of a source.

    Attributes:
        external_id: the document's id in its source, 1 to 500 characters, stable from run to run. A whole number becomes its
            digits: ``5`` and ``"5"`` are the same document. ``True`` and ``5.0`` are refused.
        content: the document's text; the SDK stores it and fills in the content id. A ``str``, or text as bytes, a path,
            or a binary file object; with ``mime_type`` or ``filename`` these are files whose text the manager extracts. It
            is read when the document is emitted, text beyond 5 MiB is cut. Exactly one of ``content`` and ``content_id`` is
            given.
        mime_type: media type of the content, such as ``application/pdf`` or ``text/plain; charset=iso-8859-1``. Without a
            charset, text is recognised by its byte-order mark, or taken as UTF-8, else as windows-1252.
        filename: its name; with no ``mime_type`` its extension decides.
        content_id: id that ``ctx.content_storage.save`` returned.
        permissions: who finds it; without any it is private.
        attributes: values for search operators and filters, a dict of JSON values.

    Raises:
        InvalidValueError: a value has the wrong type, or both or neither of ``content`` and ``content_id`` are given.
    """

    external_id: str = field(converter=fields.to_id, validator=_ID)
    title: str = field(converter=fields.clean, validator=fields.text())
    content: str | bytes | PathLike[str] | Readable | None = field(
        default=None, repr=False, validator=fields.optional(fields.content)
    )
    mime_type: str | None = field(default=None, converter=fields.clean, validator=_TYPE)
    filename: str | None = field(default=None, converter=fields.clean, validator=_TEXT)
    content_id: str | None = field(
        default=None, validator=fields.optional(fields.text(empty=False, clean=True))
    )
    metadata: DocumentMetadata | None = field(
        default=None, converter=_to_metadata, validator=fields.optional(_METADATA)
    )
    permissions: DocumentPermissions | None = field(
        default=None, converter=_to_permissions, validator=fields.optional(_PERMISSIONS)
    )
    attributes: dict[str, Any] | None = field(default=None, validator=_OBJECT)

    def __init__(
        self,
        *,
        external_id: str | int,
        title: str,
        content: str | bytes | PathLike[str] | Readable | None = None,
        mime_type: str | None = None,
        filename: str | None = None,
        content_id: str | None = None,
        metadata: DocumentMetadata | None = None,
        permissions: DocumentPermissions | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        external_id = fields.to_id(external_id)
        values = {
            "external_id": external_id,
            "title": title,
            "content": content,
            "mime_type": mime_type,
            "filename": filename,
            "content_id": content_id,
            "metadata": metadata,
            "permissions": permissions,
            "attributes": attributes,
        }
        _place(self, "__dict__", values)
        if not (
            (
                (type(external_id) is str and external_id.isascii() and "\x00" not in external_id)
                or _is_clean(external_id)
            )
            and 0 < len(external_id) <= MAX_DOCUMENT_ID_LENGTH
            and ((type(title) is str and title.isascii() and "\x00" not in title) or _is_clean(title))
            and (content is None or type(content) is str)
            and mime_type is None
            and filename is None
            and (content_id is None or _is_plain_id(content_id))
            and (metadata is None or type(metadata) is DocumentMetadata)
            and (permissions is None or type(permissions) is DocumentPermissions)
            and (attributes is None or type(attributes) is dict)
        ):
            self.normalise()
        if (content is None) is (content_id is None):
            require_one_content(self)
        if type(content) is str and (mime_type is not None or filename is not None):
            raise InvalidValueError(
                model="Document",
                field="mime_type" if mime_type is not None else "filename",
                value=mime_type or filename,
                remedy=f"the content of {external_id!r} is text already: give bytes, a path or a file to be "
                "extracted, or put it into DocumentMetadata(mime_type=...)",
            )


def require_one_content(document: Document) -> None:
    """Refuse a document unless exactly one of ``content`` and ``content_id`` is given; fields may be set one by one.

    Raises:
        InvalidValueError: both or neither are.
    """
    if (document.content is None) is not (document.content_id is None):
        return
    if document.content is None:
        raise InvalidValueError(
            model="Document",
            field="content",
            value=None,
            remedy=f'give content="the text" or content_id=... for {document.external_id!r} '
            '(content="" for a document without text)',
        )
    raise InvalidValueError(
        model="Document",
        field="content",
        value=document.content,
        remedy=f"give either content or content_id for {document.external_id!r}, not both",
    )


def document_id(external_id: str | int) -> str:
    """Return the id of a document in its source, as it is sent.

    Raises:
        InvalidValueError: it is not a text of 1 to 500 characters that JSON can carry.
    """
    text = fields.to_id(external_id)
    _ID.require(text, model="Document", field="external_id")
    return text
