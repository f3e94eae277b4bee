"""Reading ``multipart/form-data`` as the extraction endpoints do: form fields by name, the last one counts."""

from __future__ import annotations

from attrs import frozen
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from omni_connector.local.errors import LocalManagerError

UNREADABLE_FORM = "Failed to read multipart field: Error parsing `multipart/form-data` request"


class NoBoundaryError(Exception):
    """The content type names no usable boundary; answered 400 in plain text."""


@frozen
class ExtractRequest:
    """The fields of ``/sdk/extract-content`` and ``/sdk/extract-text``."""

    sync_run_id: str
    mime_type: str
    data: bytes
    filename: str | None


def boundary_of(content_type: str) -> bytes:
    """Return the boundary; raises ``NoBoundaryError``."""
    kind, options = parse_options_header(content_type)
    boundary = options.get("boundary", "")
    if kind != "multipart/form-data" or not boundary or not boundary.isascii():
        raise NoBoundaryError
    return boundary.encode()


def read_extract_request(body: bytes, boundary: bytes) -> ExtractRequest:
    """Return the fields; raises ``LocalManagerError`` (400) for a missing or unreadable one."""
    try:
        fields = _fields(body, boundary)
        texts = {
            name: fields[name].decode() for name in ("sync_run_id", "mime_type", "filename") if name in fields
        }
    except ValueError as error:
        raise LocalManagerError(400, UNREADABLE_FORM) from error
    for name in ("sync_run_id", "mime_type", "data"):
        if name not in fields:
            raise LocalManagerError(400, f"Missing {name}")
    return ExtractRequest(texts["sync_run_id"], texts["mime_type"], fields["data"], texts.get("filename"))


def _fields(body: bytes, boundary: bytes) -> dict[str, bytes]:
    decoder = MultipartDecoder(boundary)
    decoder.receive_data(body)
    decoder.receive_data(None)
    fields: dict[str, bytes] = {}
    name, blocks = "", list[bytes]()
    while True:
        event = decoder.next_event()
        if isinstance(event, (Field, File)):
            name, blocks = event.name, []
        elif isinstance(event, Data):
            blocks.append(event.data)
            if not event.more_data:
                fields[name] = b"".join(blocks)
        elif isinstance(event, (Epilogue, NeedData)):
            return fields
