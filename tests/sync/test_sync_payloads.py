"""``Document(content=...)``: text, bytes, paths and files, stored as they are or extracted by the manager."""

from __future__ import annotations

import codecs
import contextlib
import gc
import io
import os
import socket
import threading
import tracemalloc

import pytest
from support.scripted import sync_request

from omni_connector import (
    Connector,
    Document,
    DocumentPermissions,
    InvalidDocumentError,
    InvalidValueError,
    SdkClientError,
    Settings,
)
from omni_connector.local.contents import normalised
from omni_connector.models.codec import decode
from omni_connector.runtime.service import ConnectorService
from omni_connector.sources.charset import TEXT_LIMIT_BYTES
from omni_connector.sync.content_files import SPOOLED_BYTES
from omni_connector.sync.payloads import TextPayload, payload_of
from omni_connector.testing import MemoryManager, run_sync

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


def test_what_is_read_counts_in_the_buffer(tmp_path):
    path = tmp_path / "note.txt"
    path.write_bytes(b"x" * 1000)
    assert payload_of(doc(path)).buffered_bytes == len('""') + 1000
    with path.open("r+b") as file:
        file.write(b"x" * 60 * 1024 * 1024)
    assert payload_of(doc(path)).buffered_bytes < TEXT_LIMIT_BYTES + 100
    copied = payload_of(
        doc(path, filename="a.bin"),
    )
    try:
        assert copied.buffered_bytes < copied.size_bytes // 10, "on disk"
    finally:
        copied.close()


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
        with pytest.raises(InvalidDocumentError, match="it is not windows-1252 text"):
            ctx.emit(doc(b"\x89PNG\x81"))

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


def test_the_copy_of_a_file_is_closed_when_its_upload_cannot_begin():
    class Unwilling(MemoryManager):
        def upload_file(self, *_):
            raise SdkClientError("not now", operation="POST /sdk/extract-content", status=500, body="")

    def work(ctx):
        with pytest.raises(SdkClientError):
            ctx.emit(doc(b"%PDF", filename="a.pdf"))

    manager = Unwilling()
    with contextlib.closing(
        ConnectorService(Emits(work), Settings(manager_url="http://x"), manager)
    ) as service:
        service.start_sync(sync_request())
        manager.wait_for(lambda m: m.status is not None)
    gc.collect()  # A copy that is open warns, and warnings are errors.


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


# -- charsets -----------------------------------------------------------------------------------------------------

GREETING = "Grüße aus Łódź — café"


@pytest.mark.parametrize("form", ["bytes", "path", "file"])
@pytest.mark.parametrize("kind", ["text/plain", "text/html", "text/csv", "text/x-log"])
@pytest.mark.parametrize(
    ("charset", "mark"),
    [
        ("iso-8859-1", b""),
        ("ISO-8859-2", b""),
        ("cp1250", b""),
        ("utf-16", b""),
        ('"koi8-r"', b""),
        ("shift_jis", b""),
        ("utf-8", b""),
        ("utf-16le", b""),
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16le", codecs.BOM_UTF16_LE),
        ("utf-16be", codecs.BOM_UTF16_BE),
        ("utf-32le", codecs.BOM_UTF32_LE),
        ("utf-32be", codecs.BOM_UTF32_BE),
    ],
)
def test_the_declared_charset_is_honoured(tmp_path, kind, charset, mark, form):
    """A byte-order mark in front of the text is not part of it."""
    text = {"koi8-r": "Привет", "shift_jis": "こんにちは"}.get(charset.strip('"'), "Grüße")
    path = tmp_path / "file"
    path.write_bytes(mark + text.encode(charset.strip('"')))
    with path.open("rb") as file:
        given = {"bytes": path.read_bytes(), "path": path, "file": file}[form]
        payload = payload_of(doc(given, mime_type=f"{kind}; charset={charset}"))
    assert (sent_text(payload), payload.is_guessed) == (text, False)


def sent_text(payload):
    """Return what travels."""
    if isinstance(payload, TextPayload):
        return decode(payload.encoded)
    try:
        return payload.file.read().decode()
    finally:
        payload.close()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (codecs.BOM_UTF8 + GREETING.encode(), GREETING),
        (GREETING.encode("utf-16"), GREETING),
        (codecs.BOM_UTF16_BE + GREETING.encode("utf-16-be"), GREETING),
        (GREETING.encode("utf-32"), GREETING),
        (GREETING.encode(), GREETING),
        (b"", ""),
    ],
)
@pytest.mark.parametrize(
    "fields", [{}, {"mime_type": "text/plain"}, {"filename": "a.csv"}, {"mime_type": "text/html"}]
)
def test_a_byte_order_mark_or_utf_8_is_recognised(data, text, fields):
    payload = payload_of(doc(data, **fields))
    assert (sent_text(payload), payload.is_guessed) == (text, False)


@pytest.mark.parametrize(
    "fields", [{}, {"mime_type": "text/plain"}, {"filename": "a.csv"}, {"mime_type": "text/html"}]
)
def test_other_text_is_windows_1252_or_refused(fields):
    payload = payload_of(doc(b"caf\xe9 \x80 5", **fields))
    assert (sent_text(payload), payload.is_guessed) == ("café € 5", True)
    with pytest.raises(InvalidDocumentError, match="it is not windows-1252 text"):
        payload_of(doc(b"caf\xe9\x81", **fields))


def test_the_charset_that_a_page_names_is_honoured():
    page = '<html><head><META charset="iso-8859-2"></head>Łódź</html>'
    payload = payload_of(doc(page.encode("iso-8859-2"), mime_type="text/html"))
    assert (sent_text(payload), payload.is_guessed) == (page, False)


@pytest.mark.parametrize("charset", ["klingon", "hex", "undefined"])
@pytest.mark.parametrize("kind", ["text/plain", "text/html"])
def test_an_unknown_charset_is_refused_for_that_document(charset, kind):
    with pytest.raises(InvalidDocumentError, match=f"no text encoding '{charset}'"):
        payload_of(doc(b"x", mime_type=f"{kind}; charset={charset}"))


def test_what_is_not_in_the_declared_charset_is_refused_for_that_document():
    with pytest.raises(InvalidDocumentError, match="it is not utf-8 text"):
        payload_of(doc(b"caf\xe9", mime_type="text/plain; charset=utf-8"))


def test_text_that_was_guessed_arrives_and_is_noted():
    result = synced(lambda ctx: ctx.emit(doc(b"caf\xe9")))
    assert (result.status, result.documents["d1"].content) == ("completed", "café")
    assert [(error.document_id, error.stage) for error in result.errors] == [("d1", "decoded")]


# -- files, read to their end when they are emitted ---------------------------------------------------------------


def unbuffered(data, tmp_path):
    path = tmp_path / "unbuffered"
    path.write_bytes(data)
    return path.open("rb", buffering=0)


def pipe(data, _tmp_path):
    reading, writing = os.pipe()
    written = threading.Thread(target=lambda: (write_all(writing, data), os.close(writing)))
    written.start()
    return os.fdopen(reading, "rb", buffering=0)


def write_all(descriptor, data):
    for start in range(0, len(data), 1000):
        os.write(descriptor, data[start : start + 1000])


def connected_socket(data, _tmp_path):
    ours, theirs = socket.socketpair()
    sent = threading.Thread(target=lambda: (theirs.sendall(data), theirs.close()))
    sent.start()
    with ours:
        return ours.makefile("rb", buffering=0)


@pytest.mark.parametrize("make", [unbuffered, pipe, connected_socket])
@pytest.mark.parametrize("fields", [{}, {"filename": "a.bin"}, {"filename": "a.txt"}])
def test_files_that_return_little_at_a_time_are_read_to_their_end(tmp_path, make, fields):
    data = b"".join(b"line %d\n" % number for number in range(200_000))
    with make(data, tmp_path) as file:
        payload = payload_of(doc(file, **fields))
    assert sent_text(payload) == data.decode()


@pytest.mark.parametrize("fields", [{}, {"filename": "a.bin"}, {"mime_type": "text/html"}])
@pytest.mark.parametrize("then", ["overwritten", "deleted"])
def test_what_a_file_held_in_emit_is_sent(tmp_path, fields, then):
    path = tmp_path / "download"

    def work(ctx):
        for number in range(50):
            path.write_text(f"<p>text {number}</p>")
            ctx.emit(doc(path, number, **fields))
            path.write_text("another") if then == "overwritten" else path.unlink()

    manager = MemoryManager()  # Extracts nothing, and so shows what was sent.
    with contextlib.closing(
        ConnectorService(Emits(work), Settings(manager_url="http://x"), manager)
    ) as service:
        service.start_sync(sync_request())
        manager.wait_for(lambda m: m.status == "completed")
    sent = {event["document_id"]: manager.contents[event["content_id"]] for event in manager.events}
    assert sent == {f"d{number}": f"<p>text {number}</p>" for number in range(50)}


@pytest.mark.parametrize("fields", [{}, {"filename": "a.bin"}])
def test_the_path_of_a_pipe_or_a_folder_is_refused_by_name(tmp_path, fields):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()

    def work(ctx):
        ctx.emit(doc(tmp_path / "pipe", 1, **fields))
        ctx.emit(doc(tmp_path / "folder", 2, **fields))
        ctx.emit(doc("fine", 3))

    result = synced(work)
    assert (result.status, set(result.documents)) == ("completed", {"d3"})
    first, second = result.errors
    assert (first.document_id, second.document_id) == ("d1", "d2")
    assert "'d1', content: " in first.reason
    assert "it is a pipe, socket or device" in first.reason
    assert "folder" in second.reason


def test_a_file_that_does_not_block_is_refused_rather_than_cut(tmp_path):
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.write(writing, b"a beginning")
    with (
        os.fdopen(reading, "rb", buffering=0) as file,
        os.fdopen(writing, "wb"),
        pytest.raises(InvalidDocumentError, match="it does not block"),
    ):
        payload_of(doc(file))


def test_a_file_whose_read_returns_text_is_refused():
    reader = codecs.getreader("utf-8")(io.BytesIO(b"x"))
    with pytest.raises(InvalidDocumentError, match=r"its read\(\) returns str"):
        payload_of(doc(reader))


class Endless(io.RawIOBase):
    """As large as is asked for; counts what was read."""

    def __init__(self, size):
        self.left, self.read_bytes = size, 0

    def read(self, size=-1):
        data = b"x" * min(size, self.left)
        self.left -= len(data)
        self.read_bytes += len(data)
        return data


@pytest.mark.parametrize("form", ["str", "bytes", "file"])
def test_hundreds_of_megabytes_of_text_are_cut_while_they_are_read(form):
    size = 300 * 1024 * 1024
    given = {"str": "x", "bytes": b"x"}[form] * size if form != "file" else Endless(size)
    tracemalloc.start()
    try:
        payload = payload_of(doc(given))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert payload.is_too_long
    assert TEXT_LIMIT_BYTES < len(payload.encoded) < TEXT_LIMIT_BYTES + 100
    assert peak < 100 * 1024 * 1024
    if form == "file":
        assert given.read_bytes < 8 * 1024 * 1024


def test_a_file_that_no_manager_takes_is_not_copied_whole(monkeypatch):
    monkeypatch.setattr("omni_connector.sync.content_files.LARGEST_FILE_BYTES", 3 * 1024 * 1024)
    file = Endless(2**40)
    with pytest.raises(InvalidDocumentError, match="which no manager takes"):
        payload_of(doc(file, filename="a.bin"))
    assert file.read_bytes < 8 * 1024 * 1024
