"""The catalogue on disk: a connector that restarts knows at once what its server offers."""

import contextlib
import hashlib
import logging
import os
import stat
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from attrs import frozen

from omni_connector.exceptions import MalformedRequestError
from omni_connector.mcp.catalogue import McpCatalogue
from omni_connector.models.codec import decode, encode, structure, unstructure
from omni_connector.models.mcp_servers import McpServer
from omni_connector.private_files import make_private_folder

log = logging.getLogger(__name__)

FORMAT = "omni-connector mcp-catalogue"
VERSION = 1
"""Of the file; where it has another version, the server is asked again."""

CLOCK_SECONDS = 60
"""How far ahead the clock of another process may have been."""

LARGEST_FILE = 32 * 1024 * 1024
"""Bytes; a catalogue has some hundred kilobytes at most."""


@frozen(kw_only=True)
class CachedCatalogue:
    """The file: ``server`` is a digest of what identifies the server, ``saved_at`` seconds since 1970."""

    format: str
    version: int
    connector: str
    server: str
    saved_at: float
    catalogue: McpCatalogue


class CatalogueCache:
    """Reads and writes one file. What it cannot read or write is logged; the connector works without.

    ``directory`` is made, for the owner only, when it does not exist; a catalogue may be used for ``ttl_seconds``.
    """

    def __init__(self, directory: Path, ttl_seconds: float, *, connector: str, server: McpServer) -> None:
        self.path = directory / f"{quote(connector, safe=' ')}.mcp-catalog.json"
        self._ttl_seconds = ttl_seconds
        self._connector = connector
        self._server = hashlib.sha256(encode(server.identity)).hexdigest()
        self._seen: tuple[int, int] | None = None  # The file as it was read or written last.

    def load(self) -> McpCatalogue | None:
        """Return the catalogue, if the file has a usable one that was not read or written before by this object."""
        try:
            opened = self._open()
            if opened is None:
                return None
            with opened:
                found = structure(CachedCatalogue, decode(opened.read(LARGEST_FILE)))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, MalformedRequestError) as error:
            log.warning("The MCP catalogue in %s is not used: %s", self.path, error)
            return None
        problem = self._problem(found)
        if problem:
            log.info("The MCP catalogue in %s is not used: %s", self.path, problem)
            return None
        return found.catalogue

    def save(self, catalogue: McpCatalogue) -> None:
        """Write the file; readers see the old or the new one, never a part."""
        whole = CachedCatalogue(
            format=FORMAT,
            version=VERSION,
            connector=self._connector,
            server=self._server,
            saved_at=time.time(),
            catalogue=catalogue,
        )
        try:
            self._replace(encode(unstructure(whole)))
        except OSError as error:
            log.warning("The MCP catalogue could not be kept in %s: %s", self.path, error)

    def _open(self) -> Any:
        """Open the file, unless it is the one that is known already.

        Raises:
            OSError: it cannot be read, is no plain file, or belongs to another account, which could have put tools there.
        """
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, descriptor)
            found = os.fstat(descriptor)
            if (found.st_ino, found.st_mtime_ns) == self._seen:
                return None
            self._seen = (found.st_ino, found.st_mtime_ns)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
                raise PermissionError("it is not a file of this account's own")
            if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise PermissionError("other accounts may write it")
            stack.pop_all()
        return os.fdopen(descriptor, "rb")

    def _problem(self, found: CachedCatalogue) -> str | None:
        if (found.format, found.version) != (FORMAT, VERSION):
            return f"its format is {found.format!r}, version {found.version}"
        if found.connector != self._connector:
            return f"it is of the connector {found.connector!r}"
        if found.server != self._server:
            return "it is of another server"
        age = time.time() - found.saved_at
        if not -CLOCK_SECONDS <= age <= self._ttl_seconds:
            return f"it is {age:.0f} s old"
        return None

    def _replace(self, body: bytes) -> None:
        make_private_folder(self.path.parent)
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:  # For the owner only: mkstemp sees to it.
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
                found = os.fstat(file.fileno())
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        self._seen = (found.st_ino, found.st_mtime_ns)
