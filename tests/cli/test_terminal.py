"""What a person sees, on a real pseudo-terminal."""

import fcntl
import os
import pty
import re
import struct
import sys
import termios

import pytest
from cli_cases import NOTES

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="pseudo-terminals need fork")

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def seen(*args, columns=80):
    """Run the command on a terminal and return all that was written to it, and the exit status."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS=str(columns))
        os.execv(sys.executable, [sys.executable, "-m", "omni_connector.cli", *args])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    written = b""
    while True:
        try:
            block = os.read(terminal, 65536)
        except OSError:  # How Linux says that the other side is gone.
            break
        if not block:
            break
        written += block
    os.close(terminal)
    return written.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_run_shows_a_line_that_moves_and_a_table_at_the_end():
    text, status = seen("run", NOTES, "--set", 'broken=["x"]', "--set", "notes=50")
    assert status == 4
    assert "\x1b[?25l" in text
    moving, table = text.split("\x1b[?25h")
    assert "full sync" in COLOUR.sub("", moving)
    assert "\x1b[1;33mcompleted with 1 error\x1b[0m after" in table
    assert "Documents   50 scanned, 50 emitted" in COLOUR.sub("", table)


@pytest.mark.slow
def test_the_moving_line_never_takes_two_lines():
    text, _ = seen("run", NOTES, "--set", "wait=true", "--timeout", "0.6", columns=50)
    assert text.count("\x1b[2K") >= 2
    assert "\x1b[1A\x1b[2K\x1b[1A" not in text


def test_search_marks_matches_in_colour_and_wraps_snippets():
    seen("run", NOTES)
    text, status = seen("search", "number1", columns=40)
    assert status == 0
    assert "\x1b[1;33mnumber1\x1b[0m" in text
    lines = COLOUR.sub("", text).replace("\r", "").splitlines()
    assert all(line.startswith("    ") for line in lines[1:])
    assert max(map(len, lines)) <= 40


@pytest.mark.slow
def test_no_colours_where_the_environment_refuses_them(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    text, _ = seen("run", NOTES)
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", text)
