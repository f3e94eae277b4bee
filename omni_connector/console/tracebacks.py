"""Errors with their causes, and the author's frames, out of the text of a traceback."""

import re
from collections.abc import Iterator
from itertools import groupby

from attrs import frozen

from omni_connector.code_location import is_library, is_of_author

_BETWEEN = re.compile(
    r"\n*(?:The above exception was the direct cause of the following exception"
    r"|During handling of the above exception, another exception occurred):\n*"
)
_FRAME = re.compile(
    r'^[ |]*File "(?P<file>.+)", line (?P<line>\d+), in (?P<function>.+)\n(?:[ |]+(?P<code>\S.*)\n)?',
    re.MULTILINE,
)
_WITH_MARKERS = re.compile(
    r'^(?P<margin>[ |]*)File "(?P<file>.+)", line \d+, in .+\n(?:(?P=margin)(?:  .*|\[Previous line .*)\n)*',
    re.MULTILINE,
)
"""A frame with everything that is indented below it."""
_INSTALLED = re.compile(r"(?:site|dist)-packages[/\\](\w+)")
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


def folded(text: str) -> str:
    """Return a text in whose tracebacks the frames that are not the author's are only counted.

    A text without any frame of the author's is returned as it is: then the others are all there is to go by.
    """
    frames = list(_WITH_MARKERS.finditer(text))
    if not any(is_of_author(frame["file"]) for frame in frames):
        return text
    return "".join(_folded(text, frames))


def _folded(text: str, frames: list[re.Match[str]]) -> Iterator[str]:
    done = 0
    for (is_own, _), group in groupby(frames, key=_Neighbours()):
        together = list(group)
        yield text[done : together[0].start()]
        done = together[-1].end()
        if is_own:
            yield text[together[0].start() : done]
            continue
        names = ", ".join(dict.fromkeys(_package(frame["file"]) for frame in together))
        number = len(together)
        yield f"{together[0]['margin']}... {number} {'frame' if number == 1 else 'frames'} of {names}\n"
    yield text[done:]


class _Neighbours:
    """Tells frames apart: the author's from others, and those of one traceback from those of the next."""

    def __init__(self) -> None:
        self._end = -1
        self._section = 0

    def __call__(self, frame: re.Match[str]) -> tuple[bool, int]:
        if frame.start() != self._end:
            self._section += 1
        self._end = frame.end()
        return is_of_author(frame["file"]), self._section


def _package(file: str) -> str:
    installed = _INSTALLED.search(file)
    if installed is not None:
        return installed[1]
    if file.startswith("<") or is_library(file):
        return "Python"
    return "omni_connector"
