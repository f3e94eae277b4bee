"""What all bridges do with what they read: documents are made of it, those that changed are sent, those that are gone deleted."""

import inspect
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from omni_connector.code_location import author_location
from omni_connector.exceptions import (
    ConfigurationError,
    ConnectorError,
    InvalidValueError,
    missing_module,
)
from omni_connector.masking import error_text
from omni_connector.models.document import Document, DocumentPermissions
from omni_connector.sync.context import SyncContext

T = TypeVar("T")

log = logging.getLogger(__name__)

SAVE_EVERY_SECONDS = 5.0
"""Between two checkpoints of a run; each waits for the documents before it."""

LONGEST_NAME = 200
"""Characters of a row's key in an error."""


class Pace:
    """Says when the next checkpoint is due."""

    def __init__(self, seconds: float = SAVE_EVERY_SECONDS) -> None:
        self._seconds = seconds
        self._last = time.monotonic()

    def is_due(self) -> bool:
        """Say whether the last one is long enough ago."""
        return time.monotonic() - self._last >= self._seconds

    def begin(self) -> None:
        """Count from now on."""
        self._last = time.monotonic()


class Filing:
    """Sends the documents of one scope (a resource, a stream, a loader) and finds out which are gone.

    Args:
        ctx: the run.
        scope: its name; empty for one that only says whether everything is to be listed.
    """

    def __init__(self, ctx: SyncContext, scope: str) -> None:
        self._ctx = ctx
        self._scope = scope
        self._inventory = ctx.inventory(scope)
        self._failed = 0

    @contextmanager
    def one(self, name: str) -> Iterator[None]:
        """Around what is done for one row: an error of it is reported, and the others are read.

        Args:
            name: what the row is called in the report.
        """
        self._ctx.increment_scanned()
        try:
            yield
        except ConnectorError as error:
            if not isinstance(error, InvalidValueError):
                raise
            self._report(name, error)
        except Exception as error:  # The author's code, about one row.
            # The report is the warning.
            log.info("No document could be made of %s", self._named(name), exc_info=True)
            place = author_location(error)
            self._report(name, f"{error_text(error)} (in {place})" if place else error)

    def file(self, documents: Iterable[Document], permissions: DocumentPermissions | None) -> None:
        """Send those documents of a row that are new or changed; ``permissions`` are for those that have none."""
        for document in documents:
            permitted = with_permissions(document, permissions)
            if self._inventory.changed(permitted.external_id, version_of(permitted)):
                self._ctx.emit(permitted)

    def remove(self, documents: Iterable[Document]) -> None:
        """Delete the documents of a row: the source says that it is gone."""
        for document in documents:
            self._ctx.emit_deleted(document.external_id)

    def is_due(self) -> bool:
        """Say whether this run should list everything, also what has not changed, to find what is gone."""
        return bool(self._inventory.reconciliation_due())

    def leave_unread(self) -> None:
        """Say that something of this scope was not read, so that the next run reads everything again."""
        self._inventory.unread()

    def finish(self, *, is_complete: bool, omitted: str = "") -> bool:
        """End the listing of this scope; with ``is_complete``, what was not listed is deleted.

        A row of which no document could be made may be any of them; then nothing is deleted, nor where the reader has
        ``omitted`` something. Return False if everything is to be read again by the next run: for such a row, or because the
        deletions need approval.
        """
        if is_complete and omitted:
            log.warning(
                "%sothing is deleted in this run, because what it reads with %s",
                f"{self._scope}: n" if self._scope else "N",
                omitted,
            )
            is_complete = False
        if not is_complete:
            self._inventory.unread()
            return not self._failed
        if self._failed:
            log.warning(
                "%sothing is deleted in this run, because of rows that could not be read: %d",
                f"{self._scope}: n" if self._scope else "N",
                self._failed,
            )
        self._inventory.finish()
        return self._inventory.is_reconciled

    def _report(self, name: str, error: str | Exception) -> None:
        self._failed += 1
        self._inventory.unread()  # Kept with the checkpoint: a process that resumes the run deletes nothing either.
        self._ctx.emit_error(self._named(name)[:LONGEST_NAME], error)

    def _named(self, name: str) -> str:
        return f"{self._scope} {name}".lstrip()


def with_config(hook: Callable[..., T], config: Any) -> Callable[..., T]:
    """Return an author's hook so that it is also given ``config``, if it has that parameter.

    Raises:
        ConfigurationError: it is ``async def``.
    """
    require_def(hook)
    return partial(hook, config=config) if "config" in inspect.signature(hook).parameters else hook


def require_def(hook: Callable[..., Any]) -> None:
    """Look whether a bridge can call a hook.

    Raises:
        ConfigurationError: it is ``async def``.
    """
    if inspect.iscoroutinefunction(hook):
        raise ConfigurationError(f"{hook.__qualname__}: write def, not async def")


def lacking(connector: object, hook: str) -> ConfigurationError:
    """Return the error for a connector without a hook that it must have."""
    return ConfigurationError(f"{type(connector).__name__} has no {hook}: define it")


def made_by(hook: Callable[..., Any], config: Any, credentials: Any) -> Any:
    """Return what is read: call an author's hook, which may import what it reads with.

    Raises:
        ConfigurationError: it is ``async def``, or a module is not installed.
    """
    require_def(hook)
    try:
        return hook(config, credentials)
    except ModuleNotFoundError as error:
        if not error.name:
            raise
        raise ConfigurationError(missing_module(f"{hook.__qualname__}()", error.name)) from error


def documents_of(made: Any) -> list[Document]:
    """Return what an author's ``document()`` returned as a list.

    Raises:
        ConfigurationError: it is neither a document nor several nor None.
    """
    if made is None:
        return []
    documents = [made] if isinstance(made, Document) else made
    if isinstance(documents, Iterable) and not isinstance(documents, (str, bytes, dict)):
        documents = list(documents)
        if all(isinstance(each, Document) for each in documents):
            return documents
    raise ConfigurationError(
        f"document() returned {type(made).__name__}: return a Document, a list of them, or None"
    )


def with_permissions(document: Document, permissions: DocumentPermissions | None) -> Document:
    """Return the document with these permissions, unless it has its own; without any it is private."""
    if document.permissions is not None or permissions is None:
        return document
    return document.model_copy(update={"permissions": permissions})


def version_of(document: Document) -> Any:
    """Return what a change of the document would change; None where that is not known without reading it."""
    content: Any = document.content
    if isinstance(content, os.PathLike):
        facts = Path(content).stat()
        content = [os.fspath(content), facts.st_size, facts.st_mtime_ns]
    elif content is not None and not isinstance(content, (str, bytes)):
        return None
    return [content, document.model_dump(exclude={"content"})]
