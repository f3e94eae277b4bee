"""What a stdio server writes to its standard error: into the log, line by line, not to the terminal."""

import asyncio
import contextlib
import functools
import logging
import os
from collections.abc import Callable
from typing import Self, TextIO

from omni_connector.telemetry.foreign_lines import LONGEST_LINE, ForeignLines

log = logging.getLogger(__name__)


class ServerStderr:
    """A pipe for one server's standard error, read on the loop. An async context manager.

    ``writer`` is the end that is given to the process; call ``handed_over`` once it has it.
    """

    writer: TextIO

    def __init__(self, label: str) -> None:
        self._lines = ForeignLines(f"MCP server {label}", log)

    async def __aenter__(self) -> Self:
        reading, writing = os.pipe()
        reader = os.fdopen(reading, "rb", buffering=0)
        self.writer = os.fdopen(writing, "w")
        loop = asyncio.get_running_loop()
        try:
            self._transport, _ = await loop.connect_read_pipe(
                functools.partial(Lines, self._lines.add), reader
            )
        except BaseException:
            reader.close()
            self.writer.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop reading, also where a descendant of the server still holds the other end."""
        self.handed_over()
        await asyncio.sleep(0)  # What was written last is read first.
        self._transport.close()
        self._lines.close()

    def said(self) -> str:
        """Return the last lines, for a message; empty when there are none."""
        return self._lines.said()

    def handed_over(self) -> None:
        """Close this process's copy of the writing end, so that the pipe ends with the server."""
        with contextlib.suppress(OSError):
            self.writer.close()


class Lines(asyncio.Protocol):
    """Cuts what comes into lines; one without an end is cut where it gets too long to keep."""

    def __init__(self, on_line: Callable[[bytes], None]) -> None:
        self._on_line = on_line
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        """Hand on every whole line."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._on_line(line)
        if len(self._rest) > LONGEST_LINE * 8:
            self._on_line(self._rest)
            self._rest = b""

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - its name is asyncio's.
        """Hand on what has no end of line."""
        if self._rest:
            self._on_line(self._rest)
            self._rest = b""
