"""The manager's endpoints, each as the call that it takes; what older managers lack is not known here."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO
from urllib.parse import quote

from omni_connector.manager import refusals
from omni_connector.manager.calls import (
    Call,
    Structured,
    TextUnder,
    any_json,
    cancelled,
    content_id,
    done,
    unreadable,
)
from omni_connector.manager.multipart import MultipartForm
from omni_connector.models import RunProgress
from omni_connector.models.codec import encode
from omni_connector.models.json_values import JsonValue
from omni_connector.models.source import ServiceCredential, SourceRow
from omni_connector.models.sync import SyncConfig

COPIED_BYTES = 64 * 1024
"""Shorter texts are put together with what belongs around them when they are emitted, which also frees spare memory."""

# -- documents --------------------------------------------------------------------------------------------------


def events(
    sync_run_id: str, source_id: str, encoded: Sequence[bytes], *, patient: bool, insistent: bool = False
) -> Call[bool]:
    """All events or none; without ``patient`` a refusal is reported at once, and a 500 soon unless ``insistent``."""
    body = b'{"sync_run_id":%b,"source_id":%b,"events":[%b]}'
    whole = body % (encode(sync_run_id), encode(source_id), b",".join(encoded))
    return _of_events("/sdk/events/batch", whole, patient=patient, insistent=insistent)


def event(
    sync_run_id: str, source_id: str, encoded: bytes, *, patient: bool, insistent: bool = False
) -> Call[bool]:
    """One event."""
    body = b'{"sync_run_id":%b,"source_id":%b,"event":%b}'
    whole = body % (encode(sync_run_id), encode(source_id), encoded)
    return _of_events("/sdk/events", whole, patient=patient, insistent=insistent)


CONTENT: Call[str] = Call(
    method="POST",
    path="/sdk/content",
    read=content_id,
    explain=refusals.of_content,
    gate="uploads",
)
"""A text, as ``content_body`` makes it; its content id."""


def content_body(sync_run_id: str, encoded: bytes, content_type: str | None) -> tuple[bytes, ...]:
    """Return what ``CONTENT`` carries for a text that is a JSON string already."""
    head = _content_head(sync_run_id, content_type)
    return (b"%b%b}" % (head, encoded),) if len(encoded) <= COPIED_BYTES else (head, encoded, b"}")


@functools.lru_cache(maxsize=32)
def _content_head(sync_run_id: str, content_type: str | None) -> bytes:
    return b'{"sync_run_id":%b,"content_type":%b,"content":' % (encode(sync_run_id), encode(content_type))


def extraction(
    path: str, sync_run_id: str, open_file: Callable[[], BinaryIO], mime_type: str, filename: str | None
) -> Call[str]:
    """The text of a file, or its content id: which of both is the path's."""
    fields = {"sync_run_id": sync_run_id, "mime_type": mime_type}
    if filename is not None:
        fields["filename"] = filename
    return Call(
        method="POST",
        path=path,
        read=TextUnder("text") if path.endswith("-text") else content_id,
        body=lambda: MultipartForm(fields, open_file()),
        policy="extraction",
        explain=refusals.of_extraction,
        gate="extractions",
    )


# -- runs -------------------------------------------------------------------------------------------------------


def heartbeat(sync_run_id: str) -> Call[bool]:
    """The run is alive."""
    return Call(
        method="POST", path=_of_run(sync_run_id, "heartbeat"), read=done, body=(b"{}",), policy="once"
    )


def count(counter: str, sync_run_id: str, number: int) -> Call[bool]:
    """Add to ``scanned`` or ``updated``."""
    body = (encode({"count": number}),)
    return Call(method="POST", path=_of_run(sync_run_id, counter), read=done, body=body, policy="counters")


def checkpoint(sync_run_id: str, state: JsonValue) -> Call[bool]:
    """Replace the run's checkpoint."""
    return Call(method="PUT", path=_of_run(sync_run_id, "checkpoint"), read=done, body=(encode(state),))


def complete(sync_run_id: str, *, scanned: int, updated: int, new_state: JsonValue) -> Call[bool]:
    """Finish the run; the body is for managers before 26 April 2026."""
    body = {"documents_scanned": scanned, "documents_updated": updated, "new_state": new_state}
    return Call(method="POST", path=_of_run(sync_run_id, "complete"), read=done, body=(encode(body),))


def fail(sync_run_id: str, error: str) -> Call[bool]:
    """Finish the run as failed."""
    body = (encode({"error": error}),)
    return Call(method="POST", path=_of_run(sync_run_id, "fail"), read=done, body=body)


def progress(sync_run_id: str) -> Call[RunProgress | None]:
    """The first event of a run's progress; None for an unknown run."""
    path = f"/sync/{segment(sync_run_id)}/progress"
    return Call(method="GET", path=path, read=_progress, policy="answering", is_stream=True)


def create_run(source_id: str, sync_mode: str) -> Call[str]:
    """Open a run that the manager did not dispatch; its id."""
    body = (encode({"source_id": source_id, "sync_type": sync_mode}),)
    return Call(
        method="POST", path="/sdk/sync/create", read=TextUnder("sync_run_id"), body=body, policy="once"
    )


def cancel_run(sync_run_id: str) -> Call[bool]:
    """Mark a run cancelled."""
    body = (encode({"sync_run_id": sync_run_id}),)
    return Call(method="POST", path="/sdk/sync/cancel", read=cancelled, body=body)


# -- sources, and the connector ---------------------------------------------------------------------------------


def register(manifest: dict[str, JsonValue]) -> Call[bool]:
    """Announce the connector; tried once, because it is repeated anyway."""
    return Call(method="POST", path="/sdk/register", read=done, body=(encode(manifest),), policy="once")


def health(policy: str = "once") -> Call[JsonValue]:
    """What the process that answers says of itself."""
    return Call(method="GET", path="/health", read=any_json, policy=policy)


def source(source_id: str) -> Call[SourceRow]:
    """The whole row, also of an inactive or deleted source."""
    return Call(
        method="GET",
        path=f"/sdk/source/{segment(source_id)}",
        read=Structured(SourceRow),
        policy="answering",
    )


def sync_config(source_id: str) -> Call[SyncConfig]:
    """What one run needs. OAuth tokens may have expired; see ``credentials``."""
    path = f"/sdk/source/{segment(source_id)}/sync-config"
    return Call(method="GET", path=path, read=Structured(SyncConfig), policy="answering")


def connector_state(source_id: str, state: JsonValue) -> Call[bool]:
    """Replace the durable notes of a source."""
    path = f"/sdk/source/{segment(source_id)}/connector-state"
    return Call(method="PUT", path=path, read=done, body=(encode(state),))


def user_email(source_id: str) -> Call[str]:
    """The address of the user who made the source."""
    return Call(
        method="GET",
        path=f"/sdk/source/{segment(source_id)}/user-email",
        read=TextUnder("email"),
        policy="answering",
        explain=refusals.of_owner,
    )


def credentials(source_id: str) -> Call[ServiceCredential]:
    """The owner's credential, with an OAuth token that is not about to expire."""
    path = f"/sdk/credentials/{segment(source_id)}"
    return Call(method="GET", path=path, read=Structured(ServiceCredential), policy="answering")


def sources_by_type(source_type: str) -> Call[list[SourceRow]]:
    """The active sources of a type, newest first."""
    path = f"/sdk/sources/by-type/{segment(source_type)}"
    return Call(method="GET", path=path, read=_rows, policy="answering")


def connector_config(provider: str) -> Call[JsonValue]:
    """What an administrator has set for a provider."""
    path = f"/sdk/connector-configs/{segment(provider)}"
    return Call(method="GET", path=path, read=any_json, policy="answering")


def webhook(source_id: str, event_type: str) -> Call[str]:
    """Have the manager start an incremental sync; the id of its run."""
    body = {"source_id": source_id, "event_type": event_type}
    return Call(
        method="POST",
        path="/sdk/webhook/notify",
        read=TextUnder("sync_run_id"),
        body=(encode(body),),
        policy="once",
        explain=refusals.of_webhook,
    )


def segment(text: str) -> str:
    """Return ``text`` as one segment of a path."""
    return quote(text, safe="")


def _of_run(sync_run_id: str, what: str) -> str:
    return f"/sdk/sync/{segment(sync_run_id)}/{what}"


def _of_events(path: str, body: bytes, *, patient: bool, insistent: bool) -> Call[bool]:
    return Call(
        method="POST",
        path=path,
        read=done,
        body=(body,),
        policy="bulk" if patient else "once",
        explain=refusals.of_events,
        is_divisible=not insistent,
    )


def _progress(answer: JsonValue, call: Call[Any]) -> RunProgress | None:
    return None if answer is None else Structured(RunProgress)(answer, call)


def _rows(answer: JsonValue, call: Call[Any]) -> list[SourceRow]:
    if not isinstance(answer, list):
        raise unreadable(call, "body", "is no list")
    return [Structured(SourceRow)(row, call) for row in answer]
