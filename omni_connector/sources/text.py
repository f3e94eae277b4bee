"""Text out of HTML and bytes."""

import re
from functools import cache
from typing import Any

from omni_connector.exceptions import ConfigurationError
from omni_connector.sources.charset import (
    HEAD_BYTES,
    UndecodableError,
    charset_of_html,
    declared_charset,
    read_text,
)

EXTRA = 'pip install "omni-connector[sources]"'

_ELEMENT = re.compile(r"<(?=/?([A-Za-z][\w:.-]*))")
_MARKUP = re.compile(r"<!--|<!doctype\b|&(?:#\d+|#x[\da-f]+|[a-z]{2,8}\d?);", re.IGNORECASE)
_BLANKS = re.compile(r"[ \t\xa0]+")
_EMPTY_LINES = re.compile(r"\n{3,}")


def decode_text(data: bytes, content_type: str | None = None) -> str:
    """Return bytes as text: by a byte-order mark, the charset that is declared, UTF-8, or else windows-1252.

    Never raises: what has no meaning in a charset that is declared is replaced by U+FFFD.

    Args:
        data: all of it.
        content_type: such as ``text/html; charset=iso-8859-1``. HTML may also name its charset itself.
    """
    try:
        charset = declared_charset(content_type)
    except UndecodableError:  # Python does not know it.
        charset = None
    if charset is None and "html" in (content_type or ""):
        charset = charset_of_html(data[:HEAD_BYTES])
    try:
        return read_text([data], charset, limit_bytes=4 * len(data) + 4).text
    except UndecodableError:
        return data.decode(charset or "utf-8", "replace")


def html_to_text(html: str) -> str:
    """Return the text of HTML: a line for each block, items of lists with ``*``, cells of tables apart, no scripts.

    Text that has no HTML in it is returned as it is, and so are names in angle brackets that are no elements of HTML, such as
    ``List<String>``.

    Args:
        html: a page or a part of one, as text.

    Raises:
        ConfigurationError: the extra ``sources`` is not installed.
    """
    elements, convert = _converter()
    is_html = any(name.lower() in elements for name in _ELEMENT.findall(html)) or _MARKUP.search(html)
    if not is_html:
        return html
    text: str = convert(_ELEMENT.sub(_Escaper(elements), html))
    lines = [_BLANKS.sub(" ", line).strip() for line in text.splitlines()]
    return _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip()


class _Escaper:
    """Writes what only looks like an element as text."""

    def __init__(self, elements: frozenset[str]) -> None:
        self._elements = elements

    def __call__(self, found: "re.Match[str]") -> str:
        name = found[1]
        is_known = name.lower() in self._elements or ":" in name or "-" in name
        return "<" if is_known else "&lt;"


@cache
def _converter() -> tuple[frozenset[str], Any]:
    try:
        from inscriptis import get_text  # noqa: PLC0415 - an extra.
        from inscriptis.css_profiles import CSS_PROFILES  # noqa: PLC0415
        from inscriptis.html_properties import Display  # noqa: PLC0415
        from inscriptis.model.config import ParserConfig  # noqa: PLC0415
        from inscriptis.model.html_element import HtmlElement  # noqa: PLC0415
        from lxml.html import defs  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(f"html_to_text needs the extra sources: {EXTRA}") from error
    usual = CSS_PROFILES["strict"]
    blocks = {name: HtmlElement(display=Display.block) for name in _BLOCKS if name not in usual}
    config = ParserConfig(css={**usual, **blocks})

    def convert(html: str) -> str:
        text: str = get_text(html, config)
        return text

    return frozenset(defs.tags) | _BLOCKS | {"audio", "canvas", "mark", "video"}, convert


_BLOCKS = frozenset(
    {
        "address", "article", "aside", "blockquote", "caption", "dd", "details", "dl", "dt", "fieldset", "figcaption",
        "figure", "footer", "form", "header", "hr", "main", "nav", "option", "section", "summary",
    }
)  # fmt: skip
"""Elements that begin a line, and that inscriptis takes for parts of one."""
