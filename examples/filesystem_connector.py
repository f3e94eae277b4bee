"""Index a folder: its text files, who may find them, what changed, what is gone.

    omni-connector run examples/filesystem_connector.py --set path=docs --set public=true
    omni-connector search checkpoint

Settings of the source:

``path``      the folder.
``include``   names or paths to take, as patterns: ``["*.md", "plans/*.txt"]``. Everything unless given.
``exclude``   names or paths to leave out, folders with all that is in them. Unless given: hidden ones,
              ``__pycache__`` and ``node_modules``.
``max_size``  bytes; larger files are left out. 5 MiB unless given: the manager keeps no more of a text.
``public``    true: everybody finds the documents.
``users``     or only these, by e-mail address: ``["ann@example.com"]``.
``groups``    or the members of these groups, or of these domains. With none of the three nobody finds them.

Binary files are left out, and symbolic links are not followed: a link could lead in a circle, or out of the folder.

The state holds the change time and size of every file. An incremental run reads only files where one of them is
different; a full run reads all. Either can be taken up again where it last saved its state.
"""

import datetime as dt
import logging
import mimetypes
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import translate
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
    SyncContext,
)

log = logging.getLogger(__name__)

MAX_SIZE = 5 * 1024 * 1024
EXCLUDED = [".*", "__pycache__", "node_modules"]
HEAD_SIZE = 8192
"""Bytes that are searched for a NUL, which no text holds."""

FILES_PER_CHECKPOINT = 1000

State = dict[str, Any]


class FilesystemConnector(Connector):
    """Reads a folder tree."""

    name = "filesystem"
    version = "1.0.0"
    display_name = "Folder"
    description = "Text files of a folder tree"
    sync_modes = ["full", "incremental"]
    source_types = ["file_system"]
    # A file that may not be read costs itself, however many there are: the next run would fail over them again.
    error_limits = ErrorLimits(share=None)

    def sync(self, source_config: State, _credentials: State, _state: State | None, ctx: SyncContext) -> None:
        """Emit new and changed files, then delete what was not found any more."""
        folder = Folder.from_config(source_config)
        # Not the state, which is None in a full run: what is gone is found by what earlier runs have sent.
        known = known_files(source_config, ctx.checkpoint or {}, ctx)
        found: set[str] = set()

        def snapshot() -> State:
            return {"run": ctx.sync_run_id, "config": source_config, "files": known}

        unsaved = 0
        for file in folder.files(ctx):
            ctx.increment_scanned()
            if known.get(file.id) == file.signature:
                found.add(file.id)
            elif emit(file, folder, ctx, known):
                found.add(file.id)
                unsaved += 1
            # The state grows with the folder, so that saving it at a fixed rhythm would cost more with each file.
            if unsaved >= max(FILES_PER_CHECKPOINT, len(known) // 10):
                ctx.save_state(snapshot())
                unsaved = 0

        for file_id in [name for name in known if name not in found and not folder.is_unread(name)]:
            ctx.emit_deleted(file_id)
            del known[file_id]
        ctx.complete(new_state=snapshot())


@dataclass(frozen=True)
class File:
    """A file as it was when its folder was listed."""

    id: str
    path: str
    size: int
    mtime_ns: int

    @property
    def signature(self) -> str:
        """Different once the file is changed."""
        return f"{self.mtime_ns}-{self.size}"


@dataclass
class Folder:
    """What the source's settings say, and the walk through the folder."""

    root: str
    include: re.Pattern[str] | None
    exclude: re.Pattern[str] | None
    max_size: int
    permissions: DocumentPermissions
    unread: list[str] = field(default_factory=list)

    @classmethod
    def from_config(cls, config: State) -> "Folder":
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
                "Nobody will find the documents in Omni: set public to true, or users, or groups. "
                "For example: --set public=true"
            )
        return cls(
            root=str(Path(path).expanduser().resolve()),
            include=patterns("include", config.get("include", [])),
            exclude=patterns("exclude", config.get("exclude", EXCLUDED)),
            max_size=max_size,
            permissions=permissions,
        )

    def files(self, ctx: SyncContext) -> Iterator[File]:
        """Yield the files, in the same order each time; folders that cannot be listed are noted."""
        folders = [self.root]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(folder) as listing:
                    entries = sorted(listing, key=lambda entry: entry.name)
            except OSError as error:
                if folder == self.root:
                    raise  # A disk that is not there has not lost its files.
                if isinstance(error, FileNotFoundError):
                    continue  # Gone since its parent was listed.
                self.unread.append(self.id_of(folder) + "/")
                ctx.emit_error(self.id_of(folder), error)
                continue
            for entry in entries:
                relative = self.relative(entry.path)
                if matches(self.exclude, entry.name, relative):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif self.include is None or matches(self.include, entry.name, relative):
                    file = self.file(entry)
                    if file is not None and file.size <= self.max_size:
                        yield file

    def file(self, entry: os.DirEntry[str]) -> File | None:
        """Return what is listed as a file; None when it is something else, or gone."""
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

    def is_unread(self, file_id: str) -> bool:
        """Say whether the file may still be there, in a folder that could not be listed."""
        return any(file_id.startswith(prefix) for prefix in self.unread)


def known_files(config: State, state: State, ctx: SyncContext) -> dict[str, str | None]:
    """Return the signatures of the files that the manager has, by id; None where one is to be sent again.

    The ids stay in any case: without them nobody would know what is gone.
    """
    files: dict[str, str | None] = state.get("files", {})
    # A run that is taken up again before it saved anything is given the state of an earlier one.
    is_continued = state.get("run") == ctx.sync_run_id
    is_fresh = ctx.sync_mode == "full" and not is_continued
    if is_fresh or state.get("config") != config:  # Other settings may mean other permissions.
        return dict.fromkeys(files)
    return dict(files)


def emit(file: File, folder: Folder, ctx: SyncContext, known: dict[str, str | None]) -> bool:
    """Send the file and note its signature; return whether it is to be kept."""
    is_known = file.id in known
    try:
        text = read_text(file.path)
        if text is None:
            return False
        document = to_document(file, text, folder)
        if is_known:
            ctx.emit_updated(document)
        else:
            ctx.emit(document)
    except FileNotFoundError:
        return False
    except (OSError, OverflowError, ValueError) as error:  # An id that is too long is one of the last.
        ctx.emit_error(file.id, error)
        return is_known  # What the manager has stays, with its old signature: the next run tries again.
    known[file.id] = file.signature
    return True


def read_text(path: str) -> str | None:
    """Return the file's text, or None for a binary file."""
    with open(path, "rb") as file:  # noqa: PTH123 - many thousand times; a Path costs more than the call.
        head = file.read(HEAD_SIZE)
        if b"\0" in head:
            return None
        data = head + file.read()
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
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


def patterns(name: str, globs: Any) -> re.Pattern[str] | None:
    """Return one expression for all patterns, or None when there are none."""
    globs = [globs] if isinstance(globs, str) else globs
    if not isinstance(globs, list) or not all(isinstance(glob, str) for glob in globs):
        raise ConfigurationError(f'{name}: {globs!r} is not a list of patterns, such as ["*.md"].')
    return re.compile("|".join(translate(glob) for glob in globs)) if globs else None


def matches(expression: re.Pattern[str] | None, name: str, relative: str) -> bool:
    """Say whether the name, or the whole path, matches."""
    return expression is not None and bool(expression.match(name) or expression.match(relative))


if __name__ == "__main__":
    FilesystemConnector().serve()
