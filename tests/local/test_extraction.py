import io
import sys
import threading
import zipfile

import pytest
from attrs import evolve
from support.local_manager import QUICK

from omni_connector.local import LocalManagerError
from omni_connector.local.contents import TRUNCATION_MARKER
from omni_connector.local.converters import PDF_FAILURE_NOTE
from omni_connector.local.extraction import Extractor

OOXML = "application/vnd.openxmlformats-officedocument"
XLSX = f"{OOXML}.spreadsheetml.sheet"
PPTX = f"{OOXML}.presentationml.presentation"
DOCX = f"{OOXML}.wordprocessingml.document"


@pytest.fixture
def settings(request):
    return evolve(QUICK, **getattr(request, "param", {}))


@pytest.fixture
def extractor(settings):
    return Extractor(settings)


@pytest.fixture
def no_markitdown(monkeypatch):
    monkeypatch.setitem(sys.modules, "markitdown", None)


def send(api, path="/sdk/extract-text", **parts):
    parts = {"sync_run_id": "r", "mime_type": "text/plain", "data": b"Hello", **parts}
    files = {
        name: (None if name != "data" else "some.bin", value)
        for name, value in parts.items()
        if value is not None
    }
    return api("POST", path, files=files)


def pdf(text):
    """A one-page PDF, written by hand."""
    stream = f"BT /F1 24 Tf 20 100 Td ({text}) Tj ET".encode() if text else b""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    body, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return (
        body
        + b"xref\n0 6\n0000000000 65535 f \n%strailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF"
        % (
            table,
            len(body),
        )
    )


def docx(text):
    relations = "http://schemas.openxmlformats.org/package/2006/relationships"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(
            "[Content_Types].xml",
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="xml" ContentType="application/xml"/><Default Extension="rels"'
            ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/word/document.xml" ContentType="{DOCX}.main+xml"/></Types>',
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{relations}"><Relationship Id="r1" Type="{office}"'
            ' Target="word/document.xml"/></Relationships>',
        )
        archive.writestr(
            "word/document.xml",
            f'<w:document xmlns:w="{word}"><w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body></w:document>',
        )
    return file.getvalue()


def workbook(*rows):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def test_extracted_text_is_returned_or_stored(*, api, manager, source, run_id, clock, emitter):
    clock.advance(minutes=1)
    assert send(api, sync_run_id=run_id, data=b"Hello \t there").json() == {"text": "Hello there"}
    assert manager.run(run_id).last_activity_at == clock.moment
    content_id = send(api, "/sdk/extract-content", sync_run_id=run_id, data=b"Hello  there").json()[
        "content_id"
    ]
    assert content_id == emitter.content("Hello there")


@pytest.mark.parametrize(
    ("data", "mime_type", "filename", "text"),
    [
        ("\ufeffÄ".encode(), "text/plain", None, "Ä"),
        (b"# Title", "text/markdown", None, "# Title"),
        (b"Name,Age,City\nAda,36,London\n1,2,3\n", "text/csv", None, "Name Age City\nAda London"),
        (b"text", "text/plain; charset=utf-8", None, ""),
        (b"text", "application/x-unknown", "x.txt", ""),
        (b"text", "application/msword", None, ""),
        (b"text", "application/octet-stream", "notes.TXT", "text"),
        (b"text", "application/octet-stream", "notes", ""),
        (b"text", "application/octet-stream", None, ""),
        (b"Subject: Hi\nFrom: a@b.c\n\nbody", "message/rfc822", None, "Subject: Hi\nFrom: a@b.c\n\nbody"),
        (
            b"Subject: Hi\nContent-Type: multipart/mixed; boundary=b\n\n--b--",
            "message/rfc822",
            None,
            "Subject: Hi",
        ),
    ],
)
def test_simple_types_need_no_extra(*, extractor, no_markitdown, data, mime_type, filename, text):
    assert extractor.extract(data, mime_type, filename) == text


def test_html_is_read_simply_without_the_extra(extractor, no_markitdown):
    page = b"<html><style>x</style><p>Hello <b>there</b></p><script>y</script><p>&amp; you</p></html>"
    assert extractor.extract(page, "text/html", None) == "Hello there\n\n& you"
    mail = b"Subject: Hi\nContent-Type: text/html\n\n<p>Hello</p>"
    assert extractor.extract(mail, "message/rfc822", None) == "Subject: Hi\n\nHello"


@pytest.mark.parametrize(
    ("mime_type", "missing", "said"),
    [
        ("application/pdf", "pypdf", "PDF files need pypdf, which is not installed; run: pip install 'omni-connector[extract]'"),
        (DOCX, "mammoth", "DOCX files need mammoth, which is not installed; run: pip install 'omni-connector[extract]'"),
        (XLSX, "openpyxl", "XLSX files need openpyxl, which is not installed; run: pip install 'omni-connector[extract]'"),
        (PPTX, "markitdown", "PPTX files need markitdown, which is not installed; run: pip install 'omni-connector[extract-all]'"),
    ],
)  # fmt: skip
def test_other_types_say_which_extra_they_need(*, api, no_markitdown, monkeypatch, mime_type, missing, said):
    monkeypatch.setitem(sys.modules, missing, None)
    answer = send(api, mime_type=mime_type)
    assert answer.status_code == 500
    assert answer.json()["error"].endswith(said)


def test_a_missing_part_of_markitdown_is_no_loss_where_the_light_extra_is_there(extractor, monkeypatch):
    markitdown = pytest.importorskip("markitdown")
    pytest.importorskip("pypdf")

    class Incomplete:
        def convert(self, *_):
            raise markitdown.MissingDependencyException("no parser")

    for name in ("PdfConverter", "PptxConverter"):
        monkeypatch.setattr(markitdown.converters, name, Incomplete)
    assert extractor.extract(pdf("Hello page"), "application/pdf", None) == "Hello page"
    with pytest.raises(LocalManagerError, match=r"omni-connector\[extract-all\]"):
        extractor.extract(b"x", PPTX, None)


@pytest.fixture(params=["extract", "extract-all"])
def extra(request, monkeypatch):
    """The files that both extras read are read with each."""
    if request.param == "extract":
        pytest.importorskip("pypdf")
        monkeypatch.setitem(sys.modules, "markitdown", None)
    else:
        pytest.importorskip("markitdown")


@pytest.fixture
def markitdown():
    return pytest.importorskip("markitdown")


def test_html_becomes_markdown_with_the_extra(extractor, markitdown):
    page = b"<h1>Title</h1><p>Hello <b>there</b></p><script>y</script>"
    assert extractor.extract(page, "text/html", None) == "# Title\n\nHello **there**"


def test_office_files_and_pdf(extractor, extra):
    assert extractor.extract(docx("Hello Word"), DOCX, None) == "Hello Word"
    assert extractor.extract(pdf("Hello page"), "application/octet-stream", "a.pdf") == "Hello page"


@pytest.mark.parametrize("settings", [{"spreadsheet_max_indexed_rows": 4}], indirect=True)
def test_spreadsheets_keep_cells_with_letters_and_a_limited_number_of_rows(extractor, extra, settings):
    rows = [["Name", "Age"], ["Ada", 36], [None, 4.5], ["Bob", "x1"]]
    assert extractor.extract(workbook(*rows), XLSX, None) == "## Sheet\nName Age\nAda"
    assert extractor.extract(b"a\nb\nc\nd\ne", "text/csv", None) == "a\nb\nc\nd"


def test_a_damaged_file_that_only_markitdown_reads_is_a_500(api, markitdown):
    answer = send(api, mime_type="application/vnd.ms-outlook", data=b"garbage")
    assert answer.json() == {"error": "Content extraction failed: Failed to read MSG"}


@pytest.mark.parametrize(("mime_type", "kind"), [(DOCX, "DOCX"), (XLSX, "XLSX")])
def test_a_damaged_file_is_a_500(*, api, extra, mime_type, kind):
    answer = send(api, mime_type=mime_type, data=b"garbage")
    assert (answer.status_code, answer.json()) == (
        500,
        {"error": f"Content extraction failed: Failed to read {kind}"},
    )


def test_a_csv_with_an_endless_field_and_a_mail_with_a_broken_charset_are_500s(api):
    answer = send(api, mime_type="text/csv", data=b'"' + b"x" * 200_000)
    assert answer.json()["error"].startswith("Content extraction failed: Failed to read CSV")
    answer = send(api, mime_type="message/rfc822", data=b"Content-Type: text/plain; charset=nope\n\n\xff")
    assert answer.status_code == 500


@pytest.mark.parametrize("data", [b"garbage", pdf("")])
def test_a_pdf_without_text_is_a_note(api, extra, data):
    answer = send(api, mime_type="application/pdf", data=data)
    assert (answer.status_code, answer.json()) == (200, {"text": PDF_FAILURE_NOTE})
    assert PDF_FAILURE_NOTE.startswith("[Text extraction failed for this PDF.")


@pytest.mark.parametrize("settings", [{"max_extracted_text_bytes": 200}], indirect=True)
def test_extracted_text_is_cut(api, settings):
    text = send(api, data=b"word " * 100).json()["text"]
    assert len(text.encode()) <= 200
    assert text.endswith(TRUNCATION_MARKER)


@pytest.mark.parametrize("settings", [{"max_extract_input_bytes": 4}], indirect=True)
def test_too_large_a_file_is_a_413(api, settings):
    answer = send(api)
    error = "Extraction input too large: 5 bytes exceeds 4 byte limit"
    assert (answer.status_code, answer.json()) == (413, {"error": error})


@pytest.mark.parametrize(
    ("missing", "error"),
    [
        (("sync_run_id", "mime_type", "data"), "Missing sync_run_id"),
        (("mime_type", "data"), "Missing mime_type"),
        (("data",), "Missing data"),
    ],
)
def test_missing_fields_are_named_in_their_order(api, missing, error):
    answer = send(api, filename="x", **dict.fromkeys(missing))
    assert (answer.status_code, answer.json()) == (400, {"error": error})


@pytest.mark.parametrize(
    "content_type", ["application/json", "multipart/form-data", "multipart/mixed; boundary=b", "", None]
)
def test_without_a_boundary_there_is_a_400_in_plain_text(api, content_type):
    answer = api.raw("/sdk/extract-text", b"x", content_type=content_type)
    assert (answer.status_code, answer.text) == (400, "Invalid `boundary` for `multipart/form-data` request")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"garbage",
        b"--b\r\nno header",
        b'--b\r\nContent-Disposition: form-data; name="mime_type"\r\n\r\n\xff\r\n--b--\r\n',
    ],
)
def test_an_unreadable_form_is_a_400(api, body):
    answer = api.raw("/sdk/extract-text", body, content_type="multipart/form-data; boundary=b")
    assert answer.status_code == 400
    assert answer.json()["error"] in {
        "Failed to read multipart field: Error parsing `multipart/form-data` request",
        "Missing sync_run_id",
    }


def test_the_last_value_of_a_repeated_field_counts(api):
    parts = [
        ("sync_run_id", "r"),
        ("mime_type", "text/csv"),
        ("other", "x"),
        ("mime_type", "text/plain"),
        ("data", "36"),
    ]
    body = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in parts
    )
    answer = api.raw(
        "/sdk/extract-text", f"{body}--b--\r\n".encode(), content_type="multipart/form-data; boundary=b"
    )
    assert answer.json() == {"text": "36"}


@pytest.mark.parametrize("settings", [{"extraction_concurrency": 1}], indirect=True)
def test_without_a_free_permit_there_is_a_429(api, manager, settings):
    with manager._services.extractor.permit():
        for path in ("/sdk/extract-text", "/sdk/extract-content"):
            answer = send(api, path)
            assert answer.status_code == 429
            assert answer.json() == {"error": "Document extraction is busy. Try again later."}
            assert answer.headers["retry-after"] == "30"
    assert send(api).status_code == 200


def test_permits_come_back_from_every_thread(extractor):
    def use():
        with extractor.permit():
            pass

    for _ in range(5):
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
    with extractor.permit(), extractor.permit(), pytest.raises(LocalManagerError):  # noqa: SIM117
        with extractor.permit():
            pass
