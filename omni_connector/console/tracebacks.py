"""Errors with their causes, out of the text of a traceback."""

import re

from attrs import frozen

from omni_connector.code_location import is_of_author

_BETWEEN = re.compile(
    r"\n*(?:The above exception was the direct cause of the following exception"
    r"|During handling of the above exception, another exception occurred):\n*"
)
_FRAME = re.compile(
    r'^[ |]*File "(?P<file>.+)", line (?P<line>\d+), in (?P<function>.+)\n(?:[ |]+(?P<code>\S.*)\n)?',
    re.MULTILINE,
)
_HEAD = "Traceback (most recent call last):"


@frozen(kw_only=True)
class Cause:
    """One error of a chain.

    Attributes:
        error: type and message.
        file: where in the author's code it was raised or passed through; the innermost such place. Empty where there is none.
        line: in that file.
        function: around that line.
        code: that line; empty where it is not known.
    """

    error: str
    file: str = ""
    line: int = 0
    function: str = ""
    code: str = ""


def causes(text: str) -> list[Cause]:
    """Return the errors in a text with a traceback: what was raised last is first, then what has caused it."""
    at = text.find(_HEAD)
    if at < 0:
        return []
    sections = [each for each in _BETWEEN.split(text[at:]) if each.strip()]
    return [_cause(each) for each in reversed(sections)]


def _cause(section: str) -> Cause:
    frames = list(_FRAME.finditer(section))
    end = frames[-1].end() if frames else section.find("\n") + 1
    error = _without_markers(section[end:])
    own = [frame for frame in frames if is_of_author(frame["file"])]
    if not own:
        return Cause(error=error)
    frame = own[-1]
    return Cause(
        error=error,
        file=frame["file"],
        line=int(frame["line"]),
        function=frame["function"],
        code=frame["code"] or "",
    )


def _without_markers(text: str) -> str:
    """Return the lines of an error; before them Python marks the place in the code with ``^^^^``."""
    lines = text.strip("\n").split("\n")
    first = next((at for at, line in enumerate(lines) if line and not line.startswith(" ")), 0)
    return "\n".join(lines[first:])
