"""``content_storage.extract_and_store_content`` and ``extract_text``, in both colours."""

from __future__ import annotations

import io
import threading

import pytest

from omni_connector import (
    Document,
    DocumentPermissions,
    ExtractionError,
    InvalidValueError,
    SyncCancelledError,
)
from omni_connector.exceptions import ManagerUnreachableError

DAMAGED = ExtractionError("Content extraction failed: Failed to read DOCX", status=500)


def forms(tmp_path):
    path = tmp_path / "a.pdf"
    path.write_bytes(b"file text")
    return {
        "bytes": b"file text",
        "bytearray": bytearray(b"file text"),
        "path": path,
        "file": io.BytesIO(b"file text"),
    }


@pytest.mark.parametrize("form", ["bytes", "bytearray", "path", "file"])
def test_a_file_is_stored_or_returned_as_text_in_every_form(run, manager, tmp_path, form):
    colours = run()
    content_id = colours.do(
        lambda ctx: ctx.content_storage.extract_and_store_content(
            forms(tmp_path)[form], "application/pdf", filename="b.pdf"
        )
    )
    text = colours.do(
        lambda ctx: ctx.content_storage.extract_text(data=forms(tmp_path)[form], mime_type="application/pdf")
    )
    assert (manager.contents, text) == ({content_id: "file text"}, "file text")
    assert type(text) is str or str(text) == text
    name = "a.pdf" if form == "path" else None
    assert [(call.operation, call.args["mime_type"], call.args["filename"]) for call in manager.calls] == [
        ("extract_content", "application/pdf", "b.pdf"),
        ("extract_text", "application/pdf", name),
    ]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("text/html; charset=utf-8", "text/html"),
        ("Application/PDF", "application/pdf"),
        ("", "application/octet-stream"),
    ],
)
def test_a_media_type_is_sent_as_the_manager_compares_it(run, manager, given, sent):
    run().do(lambda ctx: ctx.content_storage.extract_text(b"x", given, "x.bin"))
    assert manager.calls[0].args["mime_type"] == sent


@pytest.mark.parametrize("data", ["text", None, io.StringIO("text")])
def test_what_is_no_file_is_refused(run, manager, data):
    with pytest.raises(InvalidValueError, match=r"ContentStorage\.data: .* give bytes, a path"):
        run().do(lambda ctx: ctx.content_storage.extract_text(data, "text/plain"))
    assert manager.calls == []


def test_the_file_of_the_caller_stays_open(run):
    file = io.BytesIO(b"text")
    run().do(lambda ctx: ctx.content_storage.extract_text(file, "text/plain"))
    assert not file.closed


def test_a_run_that_waits_for_an_extraction_makes_progress(run, manager):
    colours = run()
    inside, release = threading.Event(), threading.Event()

    def hold(_):
        inside.set()
        assert release.wait(60)

    manager.on("extract_text", hold)
    waiting = threading.Thread(
        target=lambda: colours.do(lambda ctx: ctx.content_storage.extract_text(b"x", "text/plain"))
    )
    waiting.start()
    assert inside.wait(60)
    idle = colours.rig.sync.pulse.idle_seconds
    release.set()
    waiting.join()
    assert (idle, colours.rig.sync.pulse.last) == (0.0, "extract_text")


def test_a_cancelled_run_extracts_nothing(run, manager):
    colours = run()
    colours.rig.stop.cancel()
    with pytest.raises(SyncCancelledError):
        colours.do(lambda ctx: ctx.content_storage.extract_text(b"x", "text/plain"))
    assert manager.calls == []


def emit_file(number):
    return lambda ctx: ctx.emit(
        Document(
            external_id=str(number),
            title="T",
            content=f"file {number}".encode(),
            mime_type="application/pdf",
            permissions=DocumentPermissions(public=True),
        )
    )


def test_a_file_that_cannot_be_extracted_costs_its_document(run, manager):
    files = iter([None, DAMAGED, None])

    def refuse(_):
        error = next(files)
        if error is not None:
            raise error

    manager.on("extract_content", refuse)
    colours = run()
    for number in (1, 2, 3):  # One after the other: two are extracted at once.
        colours.do(emit_file(number), lambda ctx: ctx.flush())
    colours.do(lambda ctx: ctx.complete())
    assert [event["document_id"] for event in manager.events] == ["1", "3"]
    (error,) = colours.ctx.errors
    assert (error.document_id, error.stage, error.status) == ("2", "content", 500)
    assert manager.status == "completed"


def test_a_manager_that_is_gone_ends_the_run(run, manager):
    manager.on("extract_content", ManagerUnreachableError("gone"))
    with pytest.raises(ManagerUnreachableError):
        run().do(emit_file(1), lambda ctx: ctx.flush())
