"""Where in the author's code an exception came from, for messages without a traceback."""

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


def innermost_author_frame(frames: Iterable[tuple[str, int]]) -> str:
    """Return ``file, line 7``: the innermost frame outside of libraries, else in a library; nothing without any.

    ``frames`` are file names and line numbers, the outermost first; the SDK's own and generated code are left out.
    """
    files = [frame for frame in frames if not (frame[0].startswith("<") or frame[0].startswith(_PACKAGE))]
    own = [frame for frame in files if not _is_library(frame[0])] or files
    return f"{own[-1][0]}, line {own[-1][1]}" if own else ""


def _is_library(filename: str) -> bool:
    return any(part in filename for part in ("site-packages", "dist-packages")) or filename.startswith(
        _STANDARD_LIBRARY
    )
