"""Masks what Python writes to standard error when a process, a thread or a finaliser ends in an error."""

import sys
import threading
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any

from attrs import frozen

from omni_connector.masking.register import mask

_lock = threading.Lock()  # Held while hooks are replaced.


def mask_crashes() -> None:
    """Stand before the hooks of ``sys`` and ``threading`` that show errors. Repeatable.

    An error without a secret is passed on as it is, another one with a stand-in of the same name and traceback.
    """
    with _lock:
        if not isinstance(sys.excepthook, _OfProcess):
            sys.excepthook = _OfProcess(sys.excepthook)
        if not isinstance(threading.excepthook, _OfThread):
            threading.excepthook = _OfThread(threading.excepthook)
        if not isinstance(sys.unraisablehook, _OfFinaliser):
            sys.unraisablehook = _OfFinaliser(sys.unraisablehook)


@frozen
class _OfProcess:
    before: Callable[..., Any]

    def __call__(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        shown = _masked(error)
        if shown is not error and self.before is sys.__excepthook__:
            _write(mask(_text(error)))
        else:
            self.before(kind if shown is error else type(shown), shown, trace)


@frozen
class _OfThread:
    before: Callable[..., Any]

    def __call__(self, args: Any) -> None:
        error = args.exc_value
        shown = error if error is None or args.exc_type is SystemExit else _masked(error)
        if error is None or shown is error:
            self.before(args)
        elif self.before is threading.__excepthook__:
            name = args.thread.name if args.thread is not None else threading.get_ident()
            _write(mask(f"Exception in thread {name}:\n{_text(error)}"))
        else:
            self.before(threading.ExceptHookArgs((type(shown), shown, args.exc_traceback, args.thread)))


@frozen
class _OfFinaliser:
    before: Callable[..., Any]

    def __call__(self, args: Any) -> None:
        error = args.exc_value
        text = "" if error is None else _text(error)
        masked = mask(text)
        if masked is text:
            self.before(args)
        else:
            _write(f"{args.err_msg or 'Exception ignored in'}: {type(args.object).__name__}\n{masked}")


def _masked(error: BaseException) -> BaseException:
    """Return the error itself, or, if there is a secret in its text or its causes', a stand-in of the same name."""
    text = _text(error)
    if mask(text) is text:
        return error
    kind = type(error)
    name = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    stand_in: BaseException = type(kind.__name__, (Exception,), name)(mask(_message(error)))
    return stand_in.with_traceback(error.__traceback__)


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - its name is enough.
        return ""


def _text(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 - broken causes or notes.
        return f"{type(error).__name__}: {_message(error)}\n"


def _write(text: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(text)
        sys.stderr.flush()
