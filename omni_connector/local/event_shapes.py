"""Events: decoded, and written out again with every optional key present (PROTOCOL, section 11).

Batches are large, so the document events are decoded by hand rather than with ``Struct``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from omni_connector.local.shapes import (
    Field,
    ShapeError,
    Struct,
    boolean,
    described,
    list_of,
    nullable,
    optional,
    required,
    string,
)
from omni_connector.local.strict_json import JSON, RepeatedKeys
from omni_connector.local.timestamps import normalised_rfc3339

Event = dict[str, Any]

EVENT_TYPES = (
    "document_created",
    "document_updated",
    "document_deleted",
    "group_membership_sync",
    "person_sync",
    "person_deleted",
)

_METADATA_TEXTS = ("title", "author", "content_type", "mime_type", "size", "url", "path")
_METADATA_KEYS = (
    "title",
    "author",
    "created_at",
    "updated_at",
    "content_type",
    "mime_type",
    "size",
    "url",
    "path",
    "extra",
)
_PERSON_TEXTS = (
    "display_name",
    "given_name",
    "middle_name",
    "surname",
    "job_title",
    "department",
    "division",
    "company_name",
    "office_location",
    "work_country",
    "employee_id",
    "employee_type",
    "cost_center",
    "grade",
    "band",
    "confirmation_status",
    "employment_start_date",
    "employment_end_date",
    "phone",
    "top_department",
    "manager_external_id",
    "source_updated_at",
)


def decode_event(value: JSON, path: str) -> Event:
    """Return the event as it is stored; raises ``ShapeError`` whose path stops at the event."""
    if not isinstance(value, dict):
        raise ShapeError(path, f"invalid type: {described(value)}, expected internally tagged enum")
    if "type" not in value:
        raise ShapeError(path, "missing field `type`")
    kind = value["type"]
    decode = _DECODERS.get(kind) if isinstance(kind, str) else None
    if decode is None:
        if not isinstance(kind, str):
            raise ShapeError(f"{path}.type", f"invalid type: {described(kind)}, expected variant identifier")
        expected = ", ".join(f"`{name}`" for name in EVENT_TYPES)
        raise ShapeError(f"{path}.type", f"unknown variant `{kind}`, expected one of {expected}")
    if isinstance(value, RepeatedKeys) and "type" in value.repeated:
        raise ShapeError(path, "duplicate field `type`")
    try:
        return decode(value)
    except ShapeError as error:
        raise ShapeError(path, error.reason) from None


def _text(value: dict[str, JSON], key: str) -> str:
    try:
        text = value[key]
    except KeyError:
        raise ShapeError("", f"missing field `{key}`") from None
    if type(text) is not str:
        raise ShapeError("", f"invalid type: {described(text)}, expected a string")
    return text


def _document(value: dict[str, JSON], *, permissions_required: bool) -> Event:
    if isinstance(value, RepeatedKeys):
        _refuse_repeated(value, _DOCUMENT_KEYS)
    if "metadata" not in value:
        raise ShapeError("", "missing field `metadata`")
    if permissions_required and "permissions" not in value:
        raise ShapeError("", "missing field `permissions`")
    permissions = value.get("permissions")
    attributes = value.get("attributes")
    if attributes is not None and not isinstance(attributes, dict):
        raise ShapeError("", f"invalid type: {described(attributes)}, expected a map")
    return {
        "type": value["type"],
        "sync_run_id": _text(value, "sync_run_id"),
        "source_id": _text(value, "source_id"),
        "document_id": _text(value, "document_id"),
        "content_id": _text(value, "content_id"),
        "metadata": _metadata(value["metadata"]),
        "permissions": None
        if permissions is None and not permissions_required
        else _permissions(permissions),
        "attributes": attributes,
    }


def _metadata(value: JSON) -> dict[str, JSON]:
    if not isinstance(value, dict):
        raise ShapeError("", f"invalid type: {described(value)}, expected struct DocumentMetadata")
    if isinstance(value, RepeatedKeys):
        _refuse_repeated(value, _METADATA_KEYS)
    metadata = {key: value.get(key) for key in _METADATA_KEYS}
    for key in _METADATA_TEXTS:
        text = metadata[key]
        if text is not None and type(text) is not str:
            raise ShapeError("", f"invalid type: {described(text)}, expected a string")
    for key in ("created_at", "updated_at"):
        if metadata[key] is not None:
            metadata[key] = _moment(metadata[key])
    extra = metadata["extra"]
    if extra is not None and not isinstance(extra, dict):
        raise ShapeError("", f"invalid type: {described(extra)}, expected a map")
    return metadata


def _moment(value: JSON) -> str:
    if type(value) is not str:
        raise ShapeError(
            "", f"invalid type: {described(value)}, expected an RFC3339-formatted `OffsetDateTime`"
        )
    try:
        return normalised_rfc3339(value)
    except ValueError as error:
        raise ShapeError("", str(error)) from None


def _permissions(value: JSON) -> dict[str, JSON]:
    return _PERMISSIONS(value, "")


def _refuse_repeated(value: RepeatedKeys, keys: tuple[str, ...]) -> None:
    for key in keys:
        if key in value.repeated:
            raise ShapeError("", f"duplicate field `{key}`")


def _created(value: dict[str, JSON]) -> Event:
    return _document(value, permissions_required=True)


def _updated(value: dict[str, JSON]) -> Event:
    return _document(value, permissions_required=False)


def _struct(name: str, *fields: Field) -> Callable[[dict[str, JSON]], Event]:
    """Return a decoder for an event with these fields beside its type, run and source."""
    shape = Struct(
        name,
        (required("type", string), required("sync_run_id", string), required("source_id", string), *fields),
    )
    return lambda value: shape(value, "")


_DOCUMENT_KEYS = (
    "sync_run_id",
    "source_id",
    "document_id",
    "content_id",
    "metadata",
    "permissions",
    "attributes",
)
_PERMISSIONS = Struct(
    "DocumentPermissions",
    (required("public", boolean), required("users", list_of(string)), required("groups", list_of(string))),
)
_PERSON = Struct(
    "PersonSyncRecord",
    (
        required("external_id", string),
        required("email", string),
        *(optional(key, string) for key in _PERSON_TEXTS),
        Field("is_active", nullable(boolean), lambda: None),
    ),
)
_DECODERS: dict[str, Callable[[dict[str, JSON]], Event]] = {
    "document_created": _created,
    "document_updated": _updated,
    "document_deleted": _struct("DocumentDeleted", required("document_id", string)),
    "group_membership_sync": _struct(
        "GroupMembershipSync",
        required("group_email", string),
        optional("group_name", string),
        required("member_emails", list_of(string)),
    ),
    "person_sync": _struct("PersonSync", required("person", _PERSON)),
    "person_deleted": _struct("PersonDeleted", required("email", string)),
}
