"""Where to go on in a source that can be asked for what has changed since a moment, or since a number."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Protocol, Self

from omni_connector.awaitables import AwaitableValue
from omni_connector.exceptions import InvalidValueError
from omni_connector.models.json_values import JsonValue

NO_OVERLAP = dt.timedelta()

KINDS = {dt.datetime: "moment", dt.date: "date", int: "number", float: "number", str: "text"}


class Comparable(Protocol):
    """A value of the field."""

    def __lt__(self, other: Any, /) -> bool: ...


class Cursor(AwaitableValue):
    """The value of a field up to which a source was read.

        cursor = inventory.cursor("updated_at", state, overlap=timedelta(minutes=5))
        for row in source.rows(since=cursor.since):  # WHERE updated_at >= since ORDER BY updated_at
            cursor.take(row)
            if inventory.changed(row["id"], row["updated_at"]):
                ctx.emit(to_document(row))
            ctx.save_state(cursor.state, every_seconds=5)
        inventory.finish(complete=cursor.lists_all)
        ctx.complete(cursor.end())

    - Ask for rows *from* ``since`` on, not after it: rows of one moment may be on both sides of a page.
    - The overlap is asked for again, for rows that are stored late with an earlier moment (a long transaction, another clock).
      Rows that come again cost little where an inventory knows them.
    - Moments are those of the rows. The clock of this machine is used only to keep a row from the future from moving the
      cursor ahead: nothing before it would be found.
    - ``state`` goes on row by row where they come in ascending order, else it stays until ``end``.
    - A run that lists everything goes on where it was interrupted. That needs values that only grow: a row that is given an earlier
      one meanwhile is not found, and its document is deleted until everything is listed again.

    Args:
        field: its name; also the key in the state.
        state: what an earlier run has saved, or None.
        overlap: how far back to ask again: a ``timedelta`` for moments and dates, a number for numbers.
        start: what asks for everything; used without a state, and where everything is listed.
        listing: id of the run, if it lists everything whatever the state says; ``Inventory.cursor`` gives it.

    Attributes:
        lists_all: the run asks for everything, interruptions included.

    Raises:
        InvalidValueError: the state is not one of this cursor, or the overlap does not fit.
    """

    def __init__(
        self,
        field: str,
        state: JsonValue = None,
        *,
        overlap: dt.timedelta | float = NO_OVERLAP,
        start: Any = None,
        listing: str = "",
    ) -> None:
        self.lists_all = bool(listing)
        self._field = field
        self._own = {f"{field}/listing": listing} if listing else {}
        # The state is that of this very run: what lies before it was listed.
        self._goes_on = isinstance(state, Mapping) and self._own.items() <= state.items()
        self._overlap: Any = overlap  # Whether it fits is known when there is a value.
        self._begin: Any = _saved(field, state)
        self._start = start
        self._highest: Any = self._begin
        self._last: Any = None
        self._is_ascending = True

    @property
    def since(self) -> Any:
        """What to ask the source for, a value of the field, or None for everything."""
        if self._begin is None or not self._goes_on:
            return self._start
        return self._before(self._begin)

    def take(self, row: Any) -> Self:
        """Note a row: a mapping or an object that has the field, or its value. A row without a value is passed over.

        Args:
            row: what was read.

        Raises:
            InvalidValueError: the value cannot be compared with those before it.
        """
        value = row
        if isinstance(row, Mapping):
            value = row.get(self._field)
        elif type(row) not in KINDS and not isinstance(row, dt.datetime):
            value = getattr(row, self._field, None)
        if value is None:
            return self
        value = self._not_ahead(value)
        try:
            self._is_ascending = self._is_ascending and (self._last is None or not value < self._last)
            if self._highest is None or self._highest < value:
                self._highest = value
        except TypeError as error:
            raise self._unusable(
                value, "give values of one kind, moments all with or all without an offset"
            ) from error
        self._last = value
        return self

    @property
    def state(self) -> dict[str, JsonValue]:
        """What to save on the way; add keys of your own with ``|``."""
        if not self.lists_all:
            return self._state(self._highest if self._is_ascending else self._begin)
        if self._last is not None and self._is_ascending:
            return self._state(self._last) | self._own
        return self._state(self._begin) | (self._own if self._goes_on else {})

    def end(self) -> dict[str, JsonValue]:
        """Return what to save when all rows were read."""
        return self._state(self._highest)

    def _state(self, value: Any) -> dict[str, JsonValue]:
        if value is None:
            return {}
        kind = KINDS.get(type(value))
        if kind is None:
            raise self._unusable(value, "give moments, dates, numbers or texts")
        plain = value.isoformat() if isinstance(value, dt.date) else value
        return {self._field: {kind: plain}}

    def _before(self, value: Any) -> Any:
        if not self._overlap:
            return value
        try:
            if isinstance(value, str):
                return _as_written(_moment(value) - self._overlap, value)
            return value - self._overlap
        except OverflowError:
            return self._start
        except (TypeError, ValueError) as error:
            raise self._unusable(
                self._overlap, f"give an overlap that can be taken from {value!r}, or none"
            ) from error

    def _not_ahead(self, value: Any) -> Any:
        """Return a moment, or the present one where that is earlier; values that do not say when they are stay as they are."""
        moment = value
        if isinstance(value, str):
            try:
                moment = _moment(value)
            except ValueError:
                return value
        if not isinstance(moment, dt.datetime) or moment.tzinfo is None:
            return value
        now = dt.datetime.now(moment.tzinfo)
        if moment <= now:
            return value
        return _as_written(now, value) if isinstance(value, str) else now

    def _unusable(self, value: Any, remedy: str) -> InvalidValueError:
        return InvalidValueError(model="Cursor", field=self._field, value=value, remedy=remedy)


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def _as_written(moment: dt.datetime, like: str) -> str:
    """Write a moment as the source does: its ``Z`` for UTC, and its separator."""
    text = moment.isoformat(sep=" " if " " in like[:11] else "T")
    return text.removesuffix("+00:00") + "Z" if like.endswith("Z") else text


def _saved(field: str, state: JsonValue) -> Any:
    """Return the value in a state."""
    if not isinstance(state, Mapping) or field not in state:
        return None
    saved = state[field]
    try:
        [(kind, value)] = saved.items()
        if kind == "moment":
            return dt.datetime.fromisoformat(value)
        if kind == "date":
            return dt.date.fromisoformat(value)
        if kind in {"number", "text"}:
            return value
    except (AttributeError, TypeError, ValueError):
        pass
    raise InvalidValueError(
        model="Cursor",
        field=field,
        value=saved,
        remedy="give the state that cursor.state or cursor.end() returned, or None to begin anew",
    )
