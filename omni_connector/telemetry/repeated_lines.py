"""Lines of the log that come again and again: counted, not repeated."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator

from attrs import define, field

WINDOW_SECONDS = 60.0
"""After this a repeated line is written again, with how often it came meanwhile."""

SHOWN_OF_A_KIND = 5
"""Warnings and errors made of one template, with different values, that are written in that time."""

KEPT_KINDS = 1000

_Kind = tuple[str, int, str, str]


@define
class _Kept:
    """What is known of lines of one kind.

    Attributes:
        since: when the first of them was written.
        written: their texts.
        last: of those that were not written.
    """

    since: float
    written: set[str] = field(factory=set)
    held: int = 0
    last: logging.LogRecord | None = None


class RepeatedLines:
    """Decides which records are written.

    The same text of one logger is written once a minute, of warnings and errors also the same template only five times: a
    thousand broken documents are not a thousand lines. Debug messages are all written. Not safe to use from several threads
    at once: a handler has a lock.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kinds: OrderedDict[_Kind, _Kept] = OrderedDict()  # The oldest first.

    def lines(self, record: logging.LogRecord) -> Iterator[logging.LogRecord]:
        """Yield what is to be written when a record comes."""
        if record.levelno < logging.INFO:
            yield record
            return
        yield from self.due()
        run = getattr(record, "sync_run_id", "")
        kind = record.name, record.levelno, str(record.msg), str(run)
        kept = self._kinds.get(kind)
        if kept is None:
            kept = self._kinds[kind] = _Kept(self._clock())
            if len(self._kinds) > KEPT_KINDS:
                yield from _summary(self._kinds.popitem(last=False)[1], self._clock())
        text = _text(record)
        is_one_of_many = record.levelno >= logging.WARNING and len(kept.written) >= SHOWN_OF_A_KIND
        if text in kept.written or is_one_of_many:
            kept.held += 1
            # A copy without the traceback, which would keep its frames alive; it was written once.
            kept.last = logging.makeLogRecord({**record.__dict__, "exc_info": None})
            return
        if len(kept.written) < KEPT_KINDS:
            kept.written.add(text)
        yield record

    def due(self, *, all_of_them: bool = False) -> Iterator[logging.LogRecord]:
        """Yield what is to be said of lines whose minute is over."""
        now = self._clock()
        while self._kinds:
            kind, kept = next(iter(self._kinds.items()))
            if not all_of_them and now - kept.since < WINDOW_SECONDS:
                return
            del self._kinds[kind]
            yield from _summary(kept, now)


def _summary(kept: _Kept, now: float) -> Iterator[logging.LogRecord]:
    if kept.last is None:
        return
    found = logging.makeLogRecord(kept.last.__dict__)
    times = "once" if kept.held == 1 else f"{kept.held} times"
    found.msg = f"{kept.last.getMessage()} [repeated {times} in {now - kept.since:.0f} s]"
    found.args = None
    found.exc_info = found.exc_text = None
    found.repeated = kept.held
    yield found


def _text(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if record.exc_info else None
    return record.getMessage() if error is None else f"{record.getMessage()} {error!r}"
