"""Finds out what a reader passes over without an error, so that what it did not see is not taken for deleted.

Python's own ``Path.glob`` and ``os.walk`` leave folders out that may not be listed, and with them LangChain's ``DirectoryLoader``, fsspec
(dlt's ``filesystem``, LlamaIndex) and many others. An audit hook sees which folders they are about to list, and tries it first.
Others log an error and go on with the next document.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

LISTINGS = frozenset({"os.scandir", "os.listdir"})

SHOWN = 3

_watching: ContextVar["Omissions | None"] = ContextVar("_watching", default=None)
_installing = threading.Lock()
_installed: list[bool] = []


class Omissions:
    """What one reader leaves out. Read through ``over``.

    Attributes:
        refused: folders that may not be listed, with the reason.
        log_errors: what it has logged as errors.
    """

    def __init__(self) -> None:
        self.refused: dict[str, str] = {}
        self.log_errors: list[str] = []

    def over(self, start: Callable[[], Iterator[T]]) -> Iterator[T]:
        """Yield what ``start()`` yields; meanwhile this looks on, in this thread."""
        _install()
        handler = _ErrorHandler(self)
        token = _watching.set(self)
        logging.getLogger().addHandler(handler)
        try:
            yield from start()
        finally:
            logging.getLogger().removeHandler(handler)
            _watching.reset(token)

    def listed(self, folder: Any) -> None:
        """A folder is about to be listed, by its path or a descriptor."""
        token = _watching.set(None)
        try:
            os.scandir(folder).close()
        except (FileNotFoundError, NotADirectoryError):
            pass
        except (OSError, TypeError, ValueError) as error:
            name = os.fsdecode(folder) if isinstance(folder, str | bytes) else str(folder)
            self.refused[name] = f"{name} ({getattr(error, 'strerror', None) or error})"
        finally:
            _watching.reset(token)

    def reason(self) -> str:
        """Return what was left out, in words; nothing where nothing is known to be."""
        found = [f"passed over {_some(list(self.refused.values()))}"] if self.refused else []
        if self.log_errors:
            found.append(f"logged {_some(self.log_errors)}")
        return ", and ".join(found)


class _ErrorHandler(logging.Handler):
    def __init__(self, omissions: Omissions) -> None:
        super().__init__(logging.WARNING)
        self._omissions = omissions

    def emit(self, record: logging.LogRecord) -> None:
        """Note an error of the reader."""
        if logging.getLogger().handlers == [self] and logging.lastResort is not None:
            logging.lastResort.handle(record)  # It would be shown without this handler.
        is_of_reader = _watching.get() is self._omissions and not record.name.startswith("omni_connector")
        if is_of_reader and record.levelno >= logging.ERROR:
            self._omissions.log_errors.append(record.getMessage()[:200])


def _some(texts: list[str]) -> str:
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return "; ".join(texts[:SHOWN]) + more


def _install() -> None:
    """Add the audit hook; Python keeps it as long as the process lives."""
    with _installing:
        if not _installed:
            sys.addaudithook(_hook)
            _installed.append(True)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event in LISTINGS and (watching := _watching.get()) is not None:
        watching.listed(arguments[0])
