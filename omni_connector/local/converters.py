"""Text out of PDF, Office and HTML files, with what is installed.

The extra ``extract`` brings three small libraries in pure Python (4 MB: pypdf, mammoth, openpyxl); ``extract-all`` brings markitdown,
which reads more formats and keeps headings and tables as Markdown, with onnxruntime, numpy and pandas (290 MB). markitdown
is used where it is there. python-docx and python-pptx need lxml (14 MB), pdfminer.six needs cryptography (26 MB), and a mistake in
pypdfium2's compiled code would end the manager.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from html.parser import HTMLParser

from omni_connector.local.errors import LocalManagerError

PDF_FAILURE_NOTE = "[Text extraction failed for this PDF. It may be scanned, encrypted or damaged.]"

_MARKITDOWN = {
    "pdf": "PdfConverter",
    "docx": "DocxConverter",
    "xlsx": "XlsxConverter",
    "pptx": "PptxConverter",
    "xls": "XlsConverter",
    "msg": "OutlookMsgConverter",
    "html": "HtmlConverter",
}
"""Its converter classes by extension. They are used one by one: markitdown as a whole would take a damaged file for plain text."""


def convert(extension: str, data: bytes) -> str:
    """Return the text of a file, of a workbook as Markdown tables.

    Raises ``LocalManagerError`` (500) for a damaged file, and for one that nothing here can read; it names the extra.
    """
    try:
        text = _read(extension, data)
    except LocalManagerError:
        raise
    except Exception as error:  # Parsers raise what they like.
        if extension == "pdf":
            return PDF_FAILURE_NOTE
        raise LocalManagerError(
            500, f"Content extraction failed: Failed to read {extension.upper()}"
        ) from error
    return PDF_FAILURE_NOTE if extension == "pdf" and not text.strip() else text


def _read(extension: str, data: bytes) -> str:
    try:
        from markitdown import MissingDependencyException, StreamInfo, converters  # noqa: PLC0415 - large, and an extra.
    except ImportError:
        return _read_simply(extension, data)
    try:
        converter = getattr(converters, _MARKITDOWN[extension])()
        return str(converter.convert(io.BytesIO(data), StreamInfo(extension=f".{extension}")).text_content)
    except MissingDependencyException:
        return _read_simply(extension, data)


def _read_simply(extension: str, data: bytes) -> str:
    if extension not in _SIMPLE:
        raise _missing(extension, "markitdown", "extract-all")
    library, read = _SIMPLE[extension]
    try:
        return read(data)
    except ImportError as error:
        raise _missing(extension, library, "extract") from error


def _missing(extension: str, library: str, extra: str) -> LocalManagerError:
    return LocalManagerError(
        500,
        f"Content extraction failed: {extension.upper()} files need {library}, which is not installed;"
        f" run: pip install 'omni-connector[{extra}]'",
    )


def _pdf(data: bytes) -> str:
    from pypdf import PdfReader  # noqa: PLC0415 - an extra.

    return "\n\n".join(page.extract_text() for page in PdfReader(io.BytesIO(data)).pages)


def _docx(data: bytes) -> str:
    from mammoth import extract_raw_text  # noqa: PLC0415 - an extra.

    return str(extract_raw_text(io.BytesIO(data)).value)


def _xlsx(data: bytes) -> str:
    from openpyxl import load_workbook  # noqa: PLC0415 - an extra.

    book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    lines = []
    for sheet in book.worksheets:
        lines.append(f"## {sheet.title}")
        for row in sheet.iter_rows(values_only=True):
            cells = ("" if cell is None else str(cell).replace("|", " ").replace("\n", " ") for cell in row)
            lines.append(f"|{'|'.join(cells)}|")
    return "\n".join(lines)


def _html(data: bytes) -> str:
    reader = _VisibleText()
    reader.feed(data.decode("utf-8-sig", errors="replace"))
    reader.close()
    return "".join(reader.pieces)


_SIMPLE: dict[str, tuple[str, Callable[[bytes], str]]] = {
    "pdf": ("pypdf", _pdf),
    "docx": ("mammoth", _docx),
    "xlsx": ("openpyxl", _xlsx),
    "html": ("", _html),
}
"""By extension, a library and what reads with it."""


class _VisibleText(HTMLParser):
    """Collects the text of a page, a line per block, without scripts and styles."""

    _HIDDEN = frozenset({"script", "style", "template", "noscript"})
    _INLINE = frozenset(
        {"a", "abbr", "b", "code", "em", "i", "mark", "q", "s", "small", "span", "strong", "sub", "sup", "u"}
    )

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the base's signature.
        self._hidden += tag in self._HIDDEN
        self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        self._hidden = max(0, self._hidden - (tag in self._HIDDEN))
        self._break(tag)

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(data)

    def _break(self, tag: str) -> None:
        if tag not in self._INLINE:
            self.pieces.append("\n")
