"""``Document(content=...)``: text, bytes, paths and files, stored as they are or extracted by the manager."""

from __future__ import annotations

import io

import pytest

from omni_connector import Connector, Document, DocumentPermissions, InvalidDocumentError, InvalidValueError
from omni_connector.local.contents import normalised
from omni_connector.sync.payloads import SPOOLED_BYTES, TEXT_LIMIT_BYTES, payload_of
from omni_connector.testing import run_sync

PUBLIC = DocumentPermissions(public=True)


class Emits(Connector):
    """Emits what it is told to."""

    name = "emits"
    version = "1"
    source_types = ["web"]

    def __init__(self, work):
        self.work = work

    def sync(self, source_config, credentials, state, ctx):
        self.work(ctx)


def doc(content, number=1, **fields):
    return Document(external_id=f"d{number}", title="T", content=content, permissions=PUBLIC, **fields)


def synced(work):
    return run_sync(Emits(work))


def test_bytes_paths_and_files_of_text_arrive_as_that_text(tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("On a päth\n")

    def work(ctx):
        ctx.emit(doc("Text", 1))
        ctx.emit(doc("Bÿtes".encode(), 2))
        ctx.emit(doc(bytearray(b"More bytes"), 3))
        ctx.emit(doc(path, 4))
        with path.open("rb") as file:
            ctx.emit(doc(file, 5))

    result = synced(work)

    assert result.status == "completed", result.error
    contents = {name: document.content for name, document in result.documents.items()}
    assert contents == {
        "d1": "Text",
        "d2": "Bÿtes",
        "d3": "More bytes",
        "d4": "On a päth",
        "d5": "On a päth",
    }


def test_files_of_text_take_their_share_of_the_buffer_while_they_are_read(tmp_path):
    """Dozens are read at once: 64 threads with 5 MiB each would take a gigabyte."""
    path = tmp_path / "note.txt"
    path.write_bytes(b"x" * 1000)
    assert payload_of(doc(path)).buffered_bytes == 1000
    with path.open("r+b") as file:
        file.truncate(100 * TEXT_LIMIT_BYTES)
    assert payload_of(doc(path)).buffered_bytes == TEXT_LIMIT_BYTES
    assert payload_of(doc(tmp_path / "gone")).buffered_bytes == 0


HTML = b"<html><body><h1>Head</h1><p>Some <b>bold</b> words</p></body></html>"


@pytest.mark.parametrize("form", ["bytes", "path", "file", "unseekable"])
@pytest.mark.parametrize(
    "fields", [{"mime_type": "text/html"}, {"filename": "page.html"}], ids=["mime_type", "filename"]
)
def test_files_are_extracted_by_the_manager(tmp_path, form, fields):
    path = tmp_path / "page"
    path.write_bytes(HTML)

    class Unseekable(io.RawIOBase):
        def __init__(self):
            self.left = [HTML[:10], HTML[10:]]

        def read(self, size=-1):
            return self.left.pop(0) if self.left else b""

    def work(ctx):
        with path.open("rb") as file:
            given = {"bytes": HTML, "path": path, "file": file, "unseekable": Unseekable()}[form]
            ctx.emit(doc(given, **fields))

    result = synced(work)

    assert result.status == "completed", result.error
    assert result.errors == []
    content = result.documents["d1"].content
    assert "Head" in content
    assert "bold" in content
    assert "<b>" not in content


def test_bytes_that_are_no_text_are_refused_at_emit_with_the_remedy():
    def work(ctx):
        with pytest.raises(InvalidDocumentError, match=r"'d1', content: .*give mime_type or filename"):
            ctx.emit(doc(b"\xff\xfe\x00"))

    assert synced(work).documents == {}


def test_a_path_that_cannot_be_read_costs_its_document(tmp_path):
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")

    def work(ctx):
        ctx.emit(doc(tmp_path / "missing", 1))
        ctx.emit(doc(binary, 2))
        ctx.emit(doc("fine", 3))

    result = synced(work)

    assert result.status == "completed"
    assert set(result.documents) == {"d3"}
    assert [(error.document_id, error.stage) for error in result.errors] == [
        ("d1", "content"),
        ("d2", "content"),
    ]


def test_text_beyond_the_limit_is_in_the_ledger_whatever_it_comes_from(tmp_path):
    long = "ä" * (TEXT_LIMIT_BYTES // 2 + 1)
    path = tmp_path / "long.txt"
    path.write_text(long)

    def work(ctx):
        ctx.emit(doc(long, 1))
        ctx.emit(doc(path, 2))
        ctx.emit(doc(long.encode(), 3))

    result = synced(work)

    assert result.status == "completed"
    stages = sorted((error.document_id, error.stage) for error in result.errors)
    assert stages == [("d1", "truncated"), ("d2", "truncated"), ("d3", "truncated")]
    contents = {document.content for document in result.documents.values()}
    assert len(contents) == 1, "all three were cut alike"
    assert contents.pop().endswith("exceeded the configured byte limit.]")


def test_a_large_file_arrives(tmp_path):
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.truncate(40 * 1024 * 1024)

    def work(ctx):
        ctx.emit(doc(path, filename="large.unknown"))

    result = synced(work)

    assert result.status == "completed", result.error
    assert result.documents["d1"].content == normalised(""), "an unknown type has no text"


def test_a_large_file_object_goes_through_a_temporary_file():
    def work(ctx):
        ctx.emit(doc(io.BytesIO(b"x" * (SPOOLED_BYTES * 3)), filename="a.unknown"))

    assert synced(work).errors == []


@pytest.mark.parametrize(
    ("fields", "remedy"),
    [
        ({"content": 7}, "give text, bytes, a path or a file opened with 'rb'"),
        ({"content": io.StringIO("text")}, "give text, bytes, a path or a file opened with 'rb'"),
        ({"content": "text", "mime_type": "text/html"}, "is text already"),
        ({"content": "text", "filename": "a.html"}, "is text already"),
    ],
)
def test_what_cannot_be_content_is_refused(fields, remedy):
    with pytest.raises(InvalidValueError, match=remedy):
        Document(external_id="1", title="T", **fields)
