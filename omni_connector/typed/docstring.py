"""Descriptions in docstrings, read with ``docstring_parser``; the only module that imports it."""

from attrs import Factory, frozen


@frozen
class Described:
    """What a docstring says: its ``text``, one line for each paragraph, and the descriptions of parameters or attributes."""

    text: str = ""
    parameters: dict[str, str] = Factory(dict)


def read_docstring(docstring: str | None) -> Described:
    """Return what a docstring in the style of Google, NumPy, Sphinx or Epydoc says.

    One that cannot be read in any of them is text as a whole.
    """
    if not docstring or not docstring.strip():
        return Described()
    # Imported when the first action is declared: most connectors have none.
    from docstring_parser import ParseError, parse  # noqa: PLC0415
    from docstring_parser.google import DEFAULT_SECTIONS, GoogleParser, Section, SectionType  # noqa: PLC0415

    google = GoogleParser(
        [
            *DEFAULT_SECTIONS,
            *(
                Section(title, "param", SectionType.MULTIPLE)
                for title in ("Keyword Args", "Keyword Arguments")
            ),
            *(Section(title, title.lower(), SectionType.SINGULAR) for title in _MORE_SECTIONS),
        ]
    )
    try:
        parsed = google.parse(docstring)
    except ParseError:
        parsed = parse(docstring)
    if not parsed.meta:
        parsed = parse(docstring)
    paragraphs = (parsed.description or "").split("\n\n")
    return Described(
        "\n".join(" ".join(paragraph.split()) for paragraph in paragraphs if paragraph.strip()),
        {each.arg_name.lstrip("*"): " ".join((each.description or "").split()) for each in parsed.params},
    )


_MORE_SECTIONS = (
    "Raises", "Note", "Notes", "See Also", "References", "Todo", "Warning", "Warnings", "Warns",
)  # fmt: skip
"""Sections of plain text that the library does not know, or reads more strictly than people write them."""
