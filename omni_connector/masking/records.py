"""Masks all records of the log, with any handlers and formatters that the application has."""

import logging
import threading
import traceback
from collections.abc import Callable
from typing import Any

from attrs import frozen

from omni_connector.masking.register import mask

PROBE = "omni_connector.probe"

_lock = threading.Lock()  # Protects _seen.
_seen: Any = None
"""The factory that was there when it was last looked at."""


def mask_log() -> None:
    """Mask every record that is made from now on. Repeatable.

    A record factory is asked by every logger, before any filter and handler, and passes on to the one before. Should the
    application have replaced it meanwhile, it is put before the new one.
    """
    global _seen  # noqa: PLW0603 - the factory itself is as global.
    with _lock:
        factory = logging.getLogRecordFactory()
        if factory is _seen:
            return
        probe = factory(PROBE, logging.DEBUG, __file__, 0, "", (), None)
        if not isinstance(probe.__dict__, _MaskedAttributes):
            logging.setLogRecordFactory(_Masking(factory))
        _seen = logging.getLogRecordFactory()


@frozen
class _Masking:
    """A record factory that masks what another one makes."""

    inner: Callable[..., logging.LogRecord]

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self.inner(*args, **kwargs)
        _mask_message(record)
        if record.exc_info:
            _mask_error(record)
        if record.stack_info:
            record.stack_info = mask(record.stack_info)
        # What is given as ``extra`` is put into it by the logger, after this.
        record.__dict__ = _MaskedAttributes(record.__dict__)
        return record


class _MaskedAttributes(dict[str, Any]):
    """The attributes of a record: what is put in by key, as loggers do with ``extra``, is masked.

    Setting an attribute does not come along here.
    """

    __slots__ = ()

    def __setitem__(self, name: str, value: Any) -> None:
        try:
            masked = _masked(value)
        except RecursionError:  # It has itself in it, which ``repr`` knows how to show.
            masked = mask(repr(value))
        super().__setitem__(name, masked)

    def __reduce__(self) -> tuple[Any, ...]:
        """Records are sent to other processes, as plain ones."""
        return dict, (dict(self),)


def _mask_message(record: logging.LogRecord) -> None:
    try:
        text = record.getMessage()
    except Exception:  # noqa: BLE001 - logging would show the arguments as they are.
        text = f"{record.msg!r} with {record.args!r} cannot be formatted"
        record.msg, record.args = mask(text), ()
        return
    masked = mask(text)
    if masked is not text:
        record.msg, record.args = masked, ()


def _mask_error(record: logging.LogRecord) -> None:
    """Replace an error by its masked text, if there is a secret in it: a handler might show it in a way of its own."""
    info = record.exc_info
    if not isinstance(info, tuple) or info[1] is None:
        return
    try:
        text = "".join(traceback.format_exception(info[1])).rstrip("\n")
    except Exception:  # noqa: BLE001 - the error is broken; its type is known.
        text = f"{type(info[1]).__name__} (which cannot be shown)"
        masked = text + "."
    else:
        masked = mask(text)
    if masked is not text:
        record.exc_info, record.exc_text = None, masked


def _masked(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return mask(value)
    if type(value) is dict:
        return {_masked(name): _masked(item) for name, item in value.items()}
    if type(value) in {list, tuple}:
        return type(value)(map(_masked, value))
    try:
        text = repr(value) if isinstance(value, (bytes, BaseException)) else f"{value} {value!r}"
    except Exception:  # noqa: BLE001 - nothing can be shown of it.
        return value
    masked = mask(text)
    return value if masked is text else mask(str(value))
