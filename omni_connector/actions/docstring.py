"""Reads descriptions out of docstrings in Google's style."""

import inspect
import re

from attrs import Factory, frozen

_PARAMETERS = frozenset(
    {"args", "arguments", "parameters", "params", "attributes", "keyword args", "keyword arguments"}
)
_OTHERS = frozenset(
    {
        "returns", "return", "yields", "yield", "raises", "example", "examples", "note", "notes", "see also",
        "references", "todo", "warning", "warnings", "warns",
    }
)  # fmt: skip
_HEADER = re.compile(r"([A-Za-z][A-Za-z ]*):\s*")
_ENTRY = re.compile(r"\*{0,2}(\w+)\s*(?:\(.*?\))?\s*:(?:\s+|$)(.*)")


@frozen
class Described:
    """What a docstring says.

    Attributes:
        text: what comes before its first section, a line a paragraph.
        parameters: descriptions by name.
    """

    text: str = ""
    parameters: dict[str, str] = Factory(dict)


def read_docstring(docstring: str | None) -> Described:
    """Return the text of a docstring, and what its sections ``Args`` and ``Attributes`` say of each name."""
    if not docstring:
        return Described()
    text: list[str] = []
    sections: list[tuple[str, list[str]]] = []
    for line in inspect.cleandoc(docstring).splitlines():
        header = _HEADER.fullmatch(line)
        name = header[1].lower() if header else ""
        if name in _PARAMETERS or name in _OTHERS:
            sections.append((name, []))
        elif sections:
            sections[-1][1].append(line)
        else:
            text.append(line)
    parameters: dict[str, str] = {}
    for name, lines in sections:
        if name in _PARAMETERS:
            parameters.update(_entries(lines))
    return Described(_paragraphs(text), parameters)


def _entries(lines: list[str]) -> dict[str, str]:
    """Read ``name (type): text``, with further lines of the text indented below."""
    found: dict[str, list[str]] = {}
    indents = [_indent(line) for line in lines if line.strip()]
    if not indents or indents[0] == 0:
        return {}
    current: list[str] | None = None
    for line in lines:
        if not line.strip():
            continue
        if _indent(line) == 0:  # Text after the section.
            break
        entry = _ENTRY.fullmatch(line.strip()) if _indent(line) <= indents[0] else None
        if entry:
            current = found[entry[1]] = [entry[2]]
        elif current is not None:
            current.append(line.strip())
    return {name: " ".join(part for part in parts if part) for name, parts in found.items()}


def _paragraphs(lines: list[str]) -> str:
    paragraphs = "\n".join(line.strip() for line in lines).strip().split("\n\n")
    return "\n".join(" ".join(paragraph.split()) for paragraph in paragraphs if paragraph.strip())


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
