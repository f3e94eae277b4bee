"""Converters and validators for the fields of the models.

A converter normalises what has one obvious meaning and hands everything else on; a validator then refuses what
is still wrong, with an error that names class, field, value and remedy. Both run when a model is made and when
one of its fields is set.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from omni_connector.exceptions import InvalidValueError
from omni_connector.models.plain import clean_text

Validator = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def to_text(value: str | int | None) -> str | None:
    """Whole numbers become their digits: ids and sizes are text on the wire."""
    return None if value is None else to_required_text(value)


def to_required_text(value: str | int) -> str:
    """As ``to_text``, for fields that may not be None."""
    return str(value) if type(value) is int else value  # type: ignore[return-value]  # Validated next.


def to_clean_text(value: str | None) -> str | None:
    """Drop what no string of an event may hold (NUL, lone surrogates)."""
    return clean_text(value) if isinstance(value, str) else value


def to_clean_required_text(value: str) -> str:
    """As ``to_clean_text``, for fields that may not be None."""
    return clean_text(value) if isinstance(value, str) else value


def to_text_list(values: Iterable[str] | None) -> list[str]:
    """Any iterable of text but a bare string becomes a list; sets are sorted, None is empty."""
    if values is None:
        return []
    if isinstance(values, (set, frozenset)):
        return sorted(values, key=str)  # By text: what is not text gets as far as the validator.
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        return values  # type: ignore[return-value]  # The validator refuses it by name.
    return list(values)


def to_addresses(values: Iterable[str] | None) -> list[str]:
    """Stripped and in lower case: the manager compares addresses as they stand (PROTOCOL, section 11)."""
    return _each_text(to_text_list(values), lambda address: address.strip().lower())


def to_group_keys(values: Iterable[str] | None) -> list[str]:
    """Stripped; in lower case where the value is an address. Other group ids keep their case."""
    return _each_text(to_text_list(values), _group_key)


def to_moment(value: dt.datetime | dt.date | str | None) -> dt.datetime | None:
    """Make a datetime with an offset that RFC 3339 can express; without offset it is taken as UTC."""
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value.strip())
        except ValueError:
            return value  # type: ignore[return-value]  # The validator refuses it by name.
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        value = dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    if not isinstance(value, dt.datetime):
        return value
    offset = value.utcoffset()
    if offset is None:
        return value.replace(tzinfo=dt.UTC)
    if offset % dt.timedelta(minutes=1):
        try:
            return value.astimezone(dt.UTC)
        except OverflowError:  # Before year 1 or after year 9999 in UTC; cut to the minute of the offset.
            return value.replace(tzinfo=dt.timezone(offset - offset % dt.timedelta(minutes=1)))
    return value


def text(*, maximum: int | None = None, empty: bool = True, clean: bool = False) -> Validator:
    """Require a string, at most ``maximum`` characters long; ``clean`` also refuses NUL and lone surrogates."""

    def check(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        if not isinstance(value, str):
            raise _refused(instance, attribute, value, "give a string")
        if not empty and not value:
            raise _refused(instance, attribute, value, "give a string that is not empty")
        if maximum is not None and len(value) > maximum:
            raise _refused(
                instance, attribute, value, f"it has {len(value)} characters, give at most {maximum}"
            )
        if clean and clean_text(value) != value:
            raise _refused(
                instance,
                attribute,
                value,
                "remove NUL characters and lone surrogates (for file names: "
                "urllib.parse.quote(os.fsencode(name)))",
            )

    return check


def decimal_digits(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    """Require a count of bytes as decimal digits."""
    if not isinstance(value, str) or not (value.isascii() and value.isdigit()):
        raise _refused(instance, attribute, value, "give the number of bytes, as a whole number")


def text_list(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    """Require a list of strings."""
    if not isinstance(value, list):
        raise _refused(instance, attribute, value, f'give a list of strings, such as ["{value}"]')
    for item in value:
        if not isinstance(item, str):
            raise _refused(instance, attribute, item, "give a list of strings only")


def boolean(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    """Require True or False."""
    if not isinstance(value, bool):
        raise _refused(instance, attribute, value, "give True or False")


def moment(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    """Require a datetime."""
    if not isinstance(value, dt.datetime):
        raise _refused(
            instance, attribute, value, "give a datetime, or ISO 8601 text such as 2026-08-01T12:00:00Z"
        )


def json_object(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    """Require a dict (its values are checked when they are sent)."""
    if not isinstance(value, Mapping):
        raise _refused(instance, attribute, value, "give a dict")


def instance_of(kind: type, remedy: str) -> Validator:
    """Require an instance of ``kind``."""

    def check(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        if not isinstance(value, kind):
            raise _refused(instance, attribute, value, remedy)

    return check


def one_of(*choices: str) -> Validator:
    """Require one of ``choices``."""

    def check(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        if value not in choices:
            raise _refused(instance, attribute, value, f"give one of {', '.join(choices)}")

    return check


def list_of(kind: type) -> Validator:
    """Require a list of instances of ``kind``."""

    def check(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        if not isinstance(value, list) or not all(isinstance(item, kind) for item in value):
            raise _refused(instance, attribute, value, f"give a list of {kind.__name__}")

    return check


def optional(check: Validator) -> Validator:
    """Let None pass; leave the rest to ``check``."""

    def check_unless_none(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        if value is not None:
            check(instance, attribute, value)

    return check_unless_none


def _each_text(values: list[str], change: Callable[[str], str]) -> list[str]:
    """Change what is text; leave the rest for the validator to refuse."""
    given: Any = values
    if not isinstance(given, list):
        return values
    return [change(value) if isinstance(value, str) else value for value in given]


def _group_key(value: str) -> str:
    value = value.strip()
    return value.lower() if "@" in value else value


def _refused(
    instance: Any, attribute: "attrs.Attribute[Any]", value: object, remedy: str
) -> InvalidValueError:
    return InvalidValueError(model=type(instance).__name__, field=attribute.name, value=value, remedy=remedy)
