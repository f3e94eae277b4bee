"""Where in somebody's own code an exception came from, for messages that spare people a traceback."""

import traceback
from collections.abc import Iterable
from pathlib import Path

_PACKAGE = str(Path(__file__).parent)
_STANDARD_LIBRARY = str(Path(traceback.__file__).parent)  # As sysconfig says, which reads the environment.


def place_of(error: BaseException) -> str:
    """Return ``file, line 7``: the innermost place of ``error`` in its author's code, or nothing."""
    return own_place(
        (frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(error.__traceback__)
    )


def own_place(frames: Iterable[tuple[str, int]]) -> str:
    """Return ``file, line 7``: the innermost place in nobody's library, else in a library; nothing without any.

    Args:
        frames: file names and line numbers, the outermost first. Ours are left out, and those of generated code.
    """
    files = [frame for frame in frames if not (frame[0].startswith("<") or frame[0].startswith(_PACKAGE))]
    own = [frame for frame in files if not _is_library(frame[0])] or files
    return f"{own[-1][0]}, line {own[-1][1]}" if own else ""


def _is_library(filename: str) -> bool:
    return any(part in filename for part in ("site-packages", "dist-packages")) or filename.startswith(
        _STANDARD_LIBRARY
    )
