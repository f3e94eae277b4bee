"""What the tests of several commands share."""

from __future__ import annotations

import subprocess
from pathlib import Path

CONNECTORS = Path(__file__).parent / "connectors"
NOTES = f"{CONNECTORS / 'notes.py'}:Notes"


def connector(name: str) -> str:
    """Return the target of a connector in ``connectors/notes.py``."""
    return f"{CONNECTORS / 'notes.py'}:{name}"


def wait_for_line(popen: subprocess.Popen[str], text: str) -> str:
    """Return the first line of standard output that holds ``text``."""
    for line in popen.stdout:
        if text in line:
            return line
    raise AssertionError(f"ended without {text!r}: {popen.stderr.read()}")
