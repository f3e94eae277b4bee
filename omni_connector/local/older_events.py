"""How older managers decode events: fewer kinds; dates are required and may have other forms."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from attrs import frozen

from omni_connector.local.event_shapes import EVENT_TYPES, Event, decode_event
from omni_connector.local.manager_dates import ManagerDate, Since
from omni_connector.local.shapes import Decoder, ShapeError, Struct, child, list_of, required, string
from omni_connector.local.strict_json import JSON

_LATER = {
    "group_membership_sync": Since.GROUP_EVENTS,
    "person_sync": Since.PERSON_EVENTS,
    "person_deleted": Since.PERSON_EVENTS,
}
_DATES = ("created_at", "updated_at")


@frozen
class EventShapes:
    """The two envelopes of events."""

    single: Struct
    batch: Struct


@lru_cache
def shapes_of(date: ManagerDate) -> EventShapes:
    """Return the envelopes as the manager of that date decodes them."""
    decode = _decoder(date)
    ids = (required("sync_run_id", string), required("source_id", string))
    return EventShapes(
        single=Struct("EmitEventRequest", (*ids, required("event", decode))),
        batch=Struct("EmitBatchRequest", (*ids, required("events", list_of(decode)))),
    )


def _decoder(date: ManagerDate) -> Decoder:
    known = tuple(kind for kind in EVENT_TYPES if kind not in _LATER or date.has(_LATER[kind]))
    if known == EVENT_TYPES:
        return decode_event
    dates_required = not date.has(Since.OPTIONAL_DATES)
    any_form = not date.has(Since.RFC3339_DATES)

    def decode(value: JSON, path: str) -> Event:
        if not isinstance(value, dict) or not isinstance(value.get("type"), str):
            return decode_event(value, path)
        if value["type"] in EVENT_TYPES and value["type"] not in known:
            expected = ", ".join(f"`{kind}`" for kind in known)
            raise ShapeError(
                child(path, "type"), f"unknown variant `{value['type']}`, expected one of {expected}"
            )
        metadata = value.get("metadata")
        if isinstance(metadata, dict):
            value = {**value, "metadata": _dated(metadata, path, required=dates_required, any_form=any_form)}
        return decode_event(value, path)

    return decode


def _dated(metadata: dict[str, JSON], path: str, *, required: bool, any_form: bool) -> dict[str, JSON]:
    for key in _DATES:
        if required and key not in metadata:
            raise ShapeError(path, f"missing field `{key}`")
    if not any_form:
        return metadata
    return {key: _rfc3339(value) if key in _DATES else value for key, value in metadata.items()}


def _rfc3339(value: JSON) -> JSON:
    """Write a moment in any ISO 8601 form with an offset as RFC 3339; the decoder refuses the rest."""
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    return value if moment.tzinfo is None else moment.isoformat()
