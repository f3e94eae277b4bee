"""What the schema of a Singer stream says of its records: what identifies them, and which of their values are moments."""

import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from attrs import field, frozen

from omni_connector.exceptions import InvalidValueError
from omni_connector.models.document import Document, DocumentMetadata

TITLES = ("title", "name", "subject", "summary", "label")
TEXTS = ("body", "content", "text", "description")
ADDRESSES = ("html_url", "web_url", "url", "link")
CREATED = ("created_at", "created", "createdat", "created_on", "created_date")
UPDATED = ("updated_at", "updated", "updatedat", "modified_at", "last_modified", "modified", "updated_on")


@frozen
class Stream:
    """A stream, as its SCHEMA message says.

    Attributes:
        name: its name.
        schema: JSON Schema of its records.
        key_properties: the properties that identify a record.
    """

    name: str
    schema: Mapping[str, Any] = field(repr=False)
    key_properties: tuple[str, ...] = ()

    def key(self, record: Mapping[str, Any]) -> str:
        """Return what identifies a record in all streams, such as ``issues/17``; several properties as ``issues/17/4``.

        Of a stream without a key it is a digest of the record: a record that changes becomes another document.

        Args:
            record: as the tap has sent it.

        Raises:
            InvalidValueError: none of the properties of the key has a value.
        """
        if not self.key_properties:
            return f"{self.name}/{_digest(record)}"
        values = [record.get(name) for name in self.key_properties]
        if all(value is None for value in values):
            raise InvalidValueError(
                model=self.name,
                field=", ".join(self.key_properties),
                value=None,
                remedy="select the properties of the stream's key, or make the id of other properties in document()",
            )
        if len(values) == 1:
            return f"{self.name}/{values[0]}"
        # With the separator in it, one value could be taken for two.
        return "/".join(
            [self.name, *(str(value).replace("%", "%25").replace("/", "%2F") for value in values)]
        )

    def parsed(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return a record whose dates and times are Python's where the schema says that they are such.

        A moment without an offset is in UTC. What is not written as the schema says is left as it is.

        Args:
            record: as the tap has sent it.
        """
        properties = self.schema.get("properties")
        return _parsed(record, properties if isinstance(properties, Mapping) else {})


def default_document(record: Mapping[str, Any], stream: Stream) -> Document:
    """Return a document of a record: its key is the id, and all its values are the text.

    The title, the address and the moments are taken from properties with the usual names.

    Args:
        record: as the tap has sent it.
        stream: to which it belongs.
    """
    values = stream.parsed(record)
    title = next((str(values[name]) for name in TITLES if values.get(name)), stream.key(record))
    address = next((values[name] for name in ADDRESSES if _is_address(values.get(name))), None)
    return Document(
        external_id=stream.key(record),
        title=title[:500],
        content="\n".join(_lines(values)),
        metadata=DocumentMetadata(
            url=address,
            created_at=_moment(values, CREATED),
            updated_at=_moment(values, UPDATED),
            content_type=stream.name,
        ),
    )


def _digest(record: Mapping[str, Any]) -> str:
    """Return a text that is the same for equal records; not of ``_sdc_extracted_at`` and its like, which differ in each run."""
    own = {name: value for name, value in record.items() if not name.startswith("_sdc_")}
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()


def _parsed(record: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(value, properties.get(name)) for name, value in record.items()}


def _value(value: Any, schema: Any) -> Any:
    if not isinstance(schema, Mapping):
        return value
    if isinstance(value, Mapping):
        inner = schema.get("properties")
        return _parsed(value, inner) if isinstance(inner, Mapping) else value
    if isinstance(value, list):
        return [_value(each, schema.get("items")) for each in value]
    return _moment_of(value, _format(schema)) if isinstance(value, str) else value


def _moment_of(text: str, kind: Any) -> Any:
    with suppress(ValueError):
        if kind == "date-time":
            moment = dt.datetime.fromisoformat(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        if kind == "date":
            return dt.datetime.fromisoformat(text).date()
        if kind == "time":
            return dt.time.fromisoformat(text)
    return text


def _format(schema: Mapping[str, Any]) -> Any:
    """Return the format of a property, also of one that may be null in the way of JSON Schema's ``anyOf``."""
    choices = [schema, *(schema.get("anyOf") or ()), *(schema.get("oneOf") or ())]
    return next((each["format"] for each in choices if isinstance(each, Mapping) and "format" in each), None)


def _lines(values: Mapping[str, Any]) -> Iterator[str]:
    texts = [name for name in TEXTS if isinstance(values.get(name), str)]
    yield from (values[name] for name in texts)
    for name, value in values.items():
        if name not in texts and value not in (None, "", [], {}) and not name.startswith("_sdc_"):
            plain = (
                value
                if isinstance(value, str)
                else json.dumps(value, default=str, ensure_ascii=False).strip('"')
            )
            yield f"{name}: {plain}"


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://"))


def _moment(values: Mapping[str, Any], names: tuple[str, ...]) -> dt.datetime | None:
    # Taps that infer their schema have moments as plain text.
    by_name = {
        name.lower(): _moment_of(value, "date-time") if isinstance(value, str) else value
        for name, value in values.items()
        if name.lower() in names
    }
    return next((by_name[name] for name in names if isinstance(by_name.get(name), dt.datetime)), None)
