"""Where in the author's code an exception came from, for messages without a traceback."""

import inspect
import traceback
from collections.abc import Iterable
from pathlib import Path

_PACKAGE = str(Path(__file__).parent)
_STANDARD_LIBRARY = str(Path(traceback.__file__).parent)  # As sysconfig says, which reads the environment.


def author_location(error: BaseException) -> str:
    """Return ``file, line 7``: the innermost line of the author's code in the traceback of ``error``, or nothing."""
    return innermost_author_frame(
        (frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(error.__traceback__)
    )


def calling_author_line() -> str:
    """Return ``file, line 7``: the innermost line of the author's code that is being executed, or nothing."""
    for frame, line in traceback.walk_stack(inspect.currentframe()):
        if is_of_author(frame.f_code.co_filename):
            return f"{frame.f_code.co_filename}, line {line}"
    return ""


def innermost_author_frame(frames: Iterable[tuple[str, int]]) -> str:
    """Return ``file, line 7``: the innermost frame outside of libraries, else in a library; nothing without any.

    ``frames`` are file names and line numbers, the outermost first; the SDK's own and generated code are left out.
    """
    own = _authors([(filename, f"{filename}, line {line}") for filename, line in frames])
    return own[-1] if own else ""


def innermost_author_line(stack: Iterable[traceback.FrameSummary]) -> str:
    """Return ``file:7 in fetch``, of the frame that ``innermost_author_frame`` names."""
    own = _authors([(each.filename, f"{each.filename}:{each.lineno} in {each.name}") for each in stack])
    return own[-1] if own else ""


def is_of_author(filename: str) -> bool:
    """Say whether a file is neither generated, nor the SDK's, nor a library's."""
    return not (filename.startswith(("<", _PACKAGE)) or is_library(filename))


def _authors(frames: list[tuple[str, str]]) -> list[str]:
    files = [frame for frame in frames if not (frame[0].startswith("<") or frame[0].startswith(_PACKAGE))]
    own = [frame for frame in files if not is_library(frame[0])] or files
    return [shown for _, shown in own]


def is_library(filename: str) -> bool:
    """Say whether a file is of an installed package or of Python itself."""
    return any(part in filename for part in ("site-packages", "dist-packages")) or filename.startswith(
        _STANDARD_LIBRARY
    )
