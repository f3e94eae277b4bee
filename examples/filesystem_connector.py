"""Index a folder: its text files, who may find them, what changed, what is gone.

    omni-connector run examples/filesystem_connector.py --set path=docs --set public=true
    omni-connector search checkpoint

Settings of the source:

``path``         the folder.
``include``      patterns of names or paths to index: ``["*.md", "plans/*.txt"]``. Default: every file.
``exclude``      patterns of names or paths to skip; a folder is skipped with its contents. Default: hidden files and
                 folders, ``__pycache__`` and ``node_modules``.
``max_size``     in bytes; larger files are skipped. Default: 5 MiB, the most that the manager keeps of a text.
``public``       true: all users find the documents.
``users``        or only these, by e-mail address: ``["ann@example.com"]``.
``groups``       or the members of these groups or domains. Without any of the three, no user finds the documents.
``allow_empty``  true: folders that were mount points may be empty, or gone; see below. Default: false.

Texts in UTF-8, and in UTF-16 or UTF-32 with a byte-order mark, are decoded; other texts are read as windows-1252.
Binary files are skipped. The log says how many files were skipped because they are binary, or too large. Symbolic links are not followed: a link could lead in a circle, or out of the folder.

The inventory holds a fingerprint of the modification time and size of every file. An incremental run reads only files where
one of them has changed; a full run reads all files. An interrupted run sends what it had not sent.

A file or folder that cannot be read is reported as an error, its documents stay, and the next run tries again. The same
holds for a document that the manager rejects. An empty folder where there were files is probably a disk that is not
mounted: nothing is deleted until an operator approves it (docs/how-to/deletions.md), nor when more than a fifth of the files is gone. The state
lists the folders that were mount points: the documents in one that is empty or gone stay, unless ``allow_empty`` is set.
"""

import codecs
import datetime as dt
import logging
import mimetypes
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import translate
from operator import attrgetter
from pathlib import Path
from typing import Any
from urllib.parse import quote

from omni_connector import (
    ConfigurationError,
    Connector,
    Document,
    DocumentMetadata,
    DocumentPermissions,
    ErrorLimits,
    Inventory,
    SyncContext,
)

log = logging.getLogger(__name__)

MAX_SIZE = 5 * 1024 * 1024
EXCLUDED = [".*", "__pycache__", "node_modules"]
HEAD_SIZE = 8192
"""Bytes that are searched for a NUL, which no text contains."""

BYTE_ORDER_MARKS = [
    (codecs.BOM_UTF32_LE, "utf-32"),  # Before UTF-16: its mark begins with that of UTF-16.
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
]

FILES_PER_CHECKPOINT = 1000
ON_PURPOSE = "If this is on purpose: --set allow_empty=true"
OF_OPERATORS = ("allow_empty", "approve_deletions")
"""Settings that change no document."""

NOTHING = r"(?!)"
"""An expression that matches nothing."""

State = dict[str, Any]


class FilesystemConnector(Connector):
    """Reads a folder tree."""

    name = "filesystem"
    version = "1.0.0"
    display_name = "Folder"
    description = "Text files of a folder tree"
    sync_modes = ["full", "incremental"]
    source_types = ["file_system"]
    # However many files cannot be read, the others are indexed: the next run would fail at the same files.
    error_limits = ErrorLimits(share=None)

    def sync(self, source_config: State, _credentials: State, _state: State | None, ctx: SyncContext) -> None:
        """Emit new and changed files, then delete the documents of files that are gone."""
        # Other settings may mean other permissions: all files are sent again.
        settings = {name: value for name, value in source_config.items() if name not in OF_OPERATORS}
        inventory = ctx.inventory(version=settings)
        inventory.start_over()  # An interrupted run walks through the whole folder again.
        folder = Folder.from_config(source_config, list((ctx.checkpoint or {}).get("mounts", [])))
        unsaved = 0
        for file in folder.files(ctx):
            ctx.increment_scanned()
            unsaved += emit_changed(file, folder, ctx, inventory)
            if unsaved >= FILES_PER_CHECKPOINT:
                ctx.save_state({"mounts": folder.mounts})
                unsaved = 0
        for name in folder.unread:
            inventory.unread(f"{name}/")
        inventory.finish()
        if folder.binary or folder.too_large:
            log.info(
                "Files left out: %d are no text, %d are larger than max_size", folder.binary, folder.too_large
            )
        ctx.complete({"mounts": folder.mounts})


@dataclass(frozen=True)
class File:
    """A file as it was when its folder was listed."""

    id: str
    path: str
    size: int
    mtime_ns: int

    @property
    def signature(self) -> str:
        """Changes when the file changes."""
        return f"{self.mtime_ns}-{self.size}"


@dataclass
class Folder:
    """The source's settings, and the walk through the folder.

    Attributes:
        mounts: ids of folders that are mount points, or were when they last had files.
        unread: ids of files and folders that could not be read.
        binary: number of files that were read and are no text.
        too_large: number of files that were not read because of their size.
    """

    root: str
    include: re.Pattern[str]
    exclude: re.Pattern[str]
    max_size: int
    permissions: DocumentPermissions
    allow_empty: bool
    mounts: list[str]
    unread: list[str] = field(default_factory=list)
    binary: int = 0
    too_large: int = 0

    @classmethod
    def from_config(cls, config: State, mounts: list[str]) -> "Folder":
        """Check the settings.

        Raises:
            ConfigurationError: there is no such folder, or a setting has the wrong type.
        """
        path = config.get("path")
        if not isinstance(path, str) or not Path(path).expanduser().is_dir():
            raise ConfigurationError(f"path: {path!r} is not a folder. Give one: --set path=docs")
        max_size = config.get("max_size", MAX_SIZE)
        if not isinstance(max_size, int):
            raise ConfigurationError(f"max_size: {max_size!r} is not a number of bytes.")
        permissions = DocumentPermissions(
            public=config.get("public", False), users=config.get("users"), groups=config.get("groups")
        )
        if permissions == DocumentPermissions():
            log.warning(
                "No user will find the documents in Omni. Set public to true, or set users or groups. "
                "For example: --set public=true"
            )
        return cls(
            root=str(Path(path).expanduser().resolve()),
            include=patterns("include", config.get("include") or ["*"]),
            exclude=patterns("exclude", config.get("exclude", EXCLUDED)),
            max_size=max_size,
            permissions=permissions,
            allow_empty=config.get("allow_empty") is True,
            mounts=mounts,
        )

    def files(self, ctx: SyncContext) -> Iterator[File]:
        """Yield the files, in the same order each time; report what cannot be read as errors."""
        folders = [self.root]
        seen = set()
        while folders:
            folder = folders.pop()
            seen.add(self.id_of(folder))
            for entry in self.entries(folder, ctx):
                relative = self.relative(entry.path)
                if matches(self.exclude, entry.name, relative):
                    continue
                try:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                        continue
                    file = self.file(entry) if matches(self.include, entry.name, relative) else None
                except OSError as error:
                    self.report_unread(entry.path, error, ctx)
                    continue
                if file is None:
                    continue
                if file.size > self.max_size:
                    self.too_large += 1
                else:
                    yield file
        for mount in [mount for mount in self.mounts if mount not in seen]:
            path = os.path.join(self.root, mount)  # noqa: PTH118 - as above, paths are text here.
            if os.path.lexists(path) or self.allow_empty:  # It is excluded now.
                self.mounts.remove(mount)
            else:
                self.report_unread(
                    path, OSError(f"The folder was a mount point and is gone. {ON_PURPOSE}"), ctx
                )

    def entries(self, folder: str, ctx: SyncContext) -> list[os.DirEntry[str]]:
        """Return what is in a folder, by name; nothing where it cannot be listed.

        Raises:
            OSError: the root folder cannot be listed. A disk that is not there has not lost its files.
        """
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=attrgetter("name"))
            if folder != self.root:
                self.check_mount(folder, is_empty=not entries)
        except OSError as error:
            if folder == self.root:
                raise
            if not isinstance(error, FileNotFoundError):  # Else it was removed after its parent was listed.
                self.report_unread(folder, error, ctx)
            return []
        return entries

    def check_mount(self, folder: str, *, is_empty: bool) -> None:
        """Note mount points.

        Raises:
            OSError: an empty folder was a mount point in an earlier run and is none now.
        """
        folder_id = self.id_of(folder)
        is_mount = os.path.ismount(folder)
        if is_mount and folder_id not in self.mounts:
            self.mounts.append(folder_id)
        elif not is_mount and folder_id in self.mounts:
            if is_empty and not self.allow_empty:
                raise OSError(f"The folder was a mount point and is empty. {ON_PURPOSE}")
            self.mounts.remove(folder_id)

    def report_unread(self, path: str, error: OSError, ctx: SyncContext) -> None:
        """Report an error, and keep the documents of the file, or of all files in the folder."""
        self.unread.append(self.id_of(path))
        ctx.emit_error(self.id_of(path), error)

    def file(self, entry: os.DirEntry[str]) -> File | None:
        """Return a regular file; None for anything else, and for a file that was removed.

        Raises:
            OSError: it cannot be read what it is.
        """
        if not entry.is_file(follow_symlinks=False):
            return None
        try:
            stat = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return None
        return File(self.id_of(entry.path), entry.path, stat.st_size, stat.st_mtime_ns)

    def relative(self, path: str) -> str:
        """Return the path below the folder, with slashes."""
        return path.removeprefix(self.root).lstrip(os.sep).replace(os.sep, "/")

    def id_of(self, path: str) -> str:
        """Return the document's id: the relative path, with escapes in names that are not text."""
        relative = self.relative(path)
        try:
            relative.encode()
        except UnicodeEncodeError:
            return "/".join(map(escaped, relative.split("/")))
        return relative


def emit_changed(file: File, folder: Folder, ctx: SyncContext, inventory: Inventory) -> bool:
    """Emit the file if it has changed, or delete its document where it must not have one any more; say whether it had to be read."""
    try:
        if not inventory.changed(file.id, file.signature):
            return False
        text = read_text(file.path)
        if text is None:
            folder.binary += 1
            inventory.gone(file.id)
        else:
            ctx.emit(to_document(file, text, folder))
    except FileNotFoundError:
        inventory.gone(file.id)
    # ValueError: an id that is too long, or bytes that are not what the byte-order mark says.
    except (OSError, OverflowError, ValueError) as error:
        ctx.emit_error(file.id, error)  # The old document stays; the next run tries again.
    return True


def read_text(path: str) -> str | None:
    """Return the file's text, or None for a binary file.

    Raises:
        UnicodeDecodeError: the bytes are not in the encoding that their byte-order mark names.
    """
    with open(path, "rb") as file:  # noqa: PTH123 - many thousand times; a Path costs more than the call.
        head = file.read(HEAD_SIZE)
        encoding = next((name for mark, name in BYTE_ORDER_MARKS if head.startswith(mark)), None)
        if encoding is None and b"\0" in head:
            return None
        data = head + file.read()
    if encoding is not None:
        return data.decode(encoding)
    for guess in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(guess)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def to_document(file: File, text: str, folder: Folder) -> Document:
    """Return the file as a document."""
    name = file.id.rpartition("/")[2]
    heading = markdown_title(text) if name.lower().endswith((".md", ".markdown")) else None
    return Document(
        external_id=file.id,
        title=heading or name,
        content=text,
        metadata=DocumentMetadata(
            url=Path(file.path).as_uri(),
            path=file.id,
            size=file.size,
            mime_type=mimetypes.guess_type(name)[0] or "text/plain",
            updated_at=dt.datetime.fromtimestamp(file.mtime_ns / 1e9, tz=dt.UTC),
        ),
        permissions=folder.permissions,
    )


def markdown_title(text: str) -> str | None:
    """Return the text of the first heading that is not in a block of code."""
    in_code = False
    for line in text.splitlines():
        if line.startswith(("```", "~~~")):
            in_code = not in_code
        elif not in_code and (heading := re.match(r"#{1,6}\s+(.*?)\s*#*\s*$", line)) and heading[1]:
            return heading[1]
    return None


def escaped(name: str) -> str:
    """Return a file name as text."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return quote(os.fsencode(name))
    return name


def patterns(name: str, globs: Any) -> re.Pattern[str]:
    """Return one expression for all patterns; it matches nothing when there are none."""
    globs = [globs] if isinstance(globs, str) else globs
    if not isinstance(globs, list) or not all(isinstance(glob, str) for glob in globs):
        raise ConfigurationError(f'{name}: {globs!r} is not a list of patterns, such as ["*.md"].')
    return re.compile("|".join(translate(glob) for glob in globs) or NOTHING)


def matches(expression: re.Pattern[str], name: str, relative: str) -> bool:
    """Say whether the name, or the whole path, matches."""
    return bool(expression.match(name) or expression.match(relative))


if __name__ == "__main__":
    FilesystemConnector().serve()
