"""Converters and validators for the fields of the models.

A converter normalises what has one obvious meaning and hands everything else on; a validator then refuses what
is still wrong, with an error that names class, field, value and remedy. Both run when a model is made and when
one of its fields is set.

Documents are made by the million, and nearly all of them need neither. Their classes look at all fields at once when
they are made and call ``settle``, which does the whole work, only where something is unusual (``checked`` fields);
that is half of the time of an ``emit``.
"""

import datetime as dt
import io
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from omni_connector.exceptions import InvalidValueError
from omni_connector.models.model import Model
from omni_connector.models.plain import clean_text

Validator = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def checked(check: Validator, *, clean: bool = False, model: type[Model] | None = None) -> dict[str, Any]:
    """Return the metadata of a field that ``settle`` and ``settle_one`` look after.

    Args:
        check: refuses what is wrong.
        clean: drop NUL characters and replace lone surrogates first.
        model: make one of a dict first.
    """
    return {_CHECK: check, _CLEAN: clean, _MODEL: model}


def settle(instance: Any) -> None:
    """Normalise and validate every checked field of a model."""
    for attribute in attrs.fields(type(instance)):
        value = settle_one(instance, attribute, getattr(instance, attribute.name))
        object.__setattr__(instance, attribute.name, value)


def settle_one(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> Any:
    """Return the value that a checked field shall have."""
    rules = attribute.metadata
    if rules.get(_CLEAN) and isinstance(value, str):
        value = clean_text(value)
    model: type[Model] | None = rules.get(_MODEL)
    if model is not None and isinstance(value, Mapping):
        value = model.model_validate(value)
    if _CHECK in rules:
        rules[_CHECK](instance, attribute, value)
    return value


def on_setattr(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> Any:
    """Convert, normalise and validate what a field is set to; for classes with checked fields."""
    return settle_one(instance, attribute, attrs.setters.convert(instance, attribute, value))


class QuickModel(Model):
    """Base of the models that are made by the million, whose ``__init__`` puts all fields in place at once.

    Setting a field later converts, normalises and validates it, and refuses names that are no field.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        kind: type[attrs.AttrsInstance] = type(self)  # type: ignore[assignment]  # Its subclasses are attrs classes.
        attribute = attrs.fields_dict(kind).get(name)
        if attribute is None:
            raise AttributeError(f"{type(self).__name__} has no field {name!r}", name=name, obj=self)
        self.__dict__[name] = on_setattr(self, attribute, value)


_CHECK = "omni_connector.check"
_CLEAN = "omni_connector.clean"
_MODEL = "omni_connector.model"


def to_text(value: str | int | None) -> str | None:
    """Whole numbers become their digits: ids and sizes are text on the wire."""
    return None if value is None else to_required_text(value)


def to_required_text(value: str | int) -> str:
    """As ``to_text``, for fields that may not be None."""
    return str(value) if type(value) is int else value  # type: ignore[return-value]  # Validated next.


def to_text_list(values: Iterable[str] | None) -> list[str]:
    """Any iterable of text but a bare string becomes a list; sets are sorted, None is empty."""
    if values is None:
        return []
    if isinstance(values, (set, frozenset)):
        return sorted(values, key=str)  # By text: what is not text gets as far as the validator.
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        return values  # type: ignore[return-value]  # The validator refuses it by name.
    return list(values)


_lower, _strip = str.lower, str.strip
"""Of text only: anything else is a TypeError, so that a list which went through them holds nothing else."""


class Unsure(list[Any]):
    """A list of addresses that holds something else than text: to be looked at, and refused."""


def to_addresses(values: Iterable[str] | None) -> list[str]:
    """Stripped and in lower case: the manager compares addresses as they stand (PROTOCOL, section 11)."""
    if type(values) is list:
        try:
            return list(map(_lower, map(_strip, values)))
        except TypeError:
            pass
    return _each_text(to_text_list(values), lambda address: address.strip().lower())


def to_group_keys(values: Iterable[str] | None) -> list[str]:
    """Stripped; in lower case where the value is an address. Other group ids keep their case."""
    if type(values) is list:
        try:
            return [_lower(value) if "@" in value else value for value in map(_strip, values)]
        except TypeError:
            pass
    return _each_text(to_text_list(values), _group_key)


def to_group_key(value: str) -> str:
    """As ``to_group_keys``, for one."""
    return _group_key(value) if isinstance(value, str) else value


def to_moment(value: dt.datetime | dt.date | str | None) -> dt.datetime | None:
    """Make a datetime with an offset that RFC 3339 can express; without offset it is taken as UTC."""
    if value is None:
        return None
    given: Any = value
    if isinstance(given, str):
        try:
            given = dt.datetime.fromisoformat(given.strip())
        except ValueError:
            return value  # type: ignore[return-value]  # The validator refuses it by name.
    if isinstance(given, dt.date) and not isinstance(given, dt.datetime):
        given = dt.datetime(given.year, given.month, given.day, tzinfo=dt.UTC)
    if isinstance(given, dt.datetime):
        return _with_offset(given)
    return value  # type: ignore[return-value]  # The validator refuses it by name.


def _with_offset(value: dt.datetime) -> dt.datetime:
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
            raise refused(instance, attribute, value, "give a string")
        if not empty and not value:
            raise refused(instance, attribute, value, "give a string that is not empty")
        if maximum is not None and len(value) > maximum:
            raise refused(
                instance, attribute, value, f"it has {len(value)} characters, give at most {maximum}"
            )
        if clean and clean_text(value) != value:
            raise refused(
                instance,
                attribute,
                value,
                "remove NUL characters and lone surrogates (for file names: "
                "urllib.parse.quote(os.fsencode(name)))",
            )

    return check


def content(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    """Require text, bytes, a path or a binary file object."""
    if isinstance(value, (str, bytes, bytearray, os.PathLike)):
        return
    if not callable(getattr(value, "read", None)) or isinstance(value, io.TextIOBase):
        raise refused(instance, attribute, value, "give text, bytes, a path or a file opened with 'rb'")


def decimal_digits(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    """Require a count of bytes as decimal digits."""
    if not isinstance(value, str) or not (value.isascii() and value.isdigit()):
        raise refused(instance, attribute, value, "give the number of bytes, as a whole number")


def text_list(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    """Require a list of strings."""
    if not isinstance(value, list):
        raise refused(instance, attribute, value, f'give a list of strings, such as ["{value}"]')
    for item in value:
        if not isinstance(item, str):
            raise refused(instance, attribute, item, "give a list of strings only")


def boolean(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    """Require True or False."""
    if not isinstance(value, bool):
        raise refused(instance, attribute, value, "give True or False")


def moment(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    """Require a datetime."""
    if not isinstance(value, dt.datetime):
        raise refused(
            instance, attribute, value, "give a datetime, or ISO 8601 text such as 2026-08-01T12:00:00Z"
        )


def json_object(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    """Require a dict (its values are checked when they are sent)."""
    if not isinstance(value, Mapping):
        raise refused(instance, attribute, value, "give a dict")


def instance_of(kind: type, remedy: str) -> Validator:
    """Require an instance of ``kind``."""

    def check(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        if not isinstance(value, kind):
            raise refused(instance, attribute, value, remedy)

    return check


def one_of(*choices: str) -> Validator:
    """Require one of ``choices``."""

    def check(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        if value not in choices:
            raise refused(instance, attribute, value, f"give one of {', '.join(choices)}")

    return check


def list_of(kind: type) -> Validator:
    """Require a list of instances of ``kind``."""

    def check(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        if not isinstance(value, list) or not all(isinstance(item, kind) for item in value):
            raise refused(instance, attribute, value, f"give a list of {kind.__name__}")

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
    changed = [change(value) if isinstance(value, str) else value for value in given]
    return changed if all(isinstance(value, str) for value in changed) else Unsure(changed)


def _group_key(value: str) -> str:
    value = value.strip()
    return value.lower() if "@" in value else value


def refused(
    instance: Any, attribute: "attrs.Attribute[Any]", value: object, remedy: str
) -> InvalidValueError:
    """Return the error of a field; for validators."""
    return InvalidValueError(model=type(instance).__name__, field=attribute.name, value=value, remedy=remedy)
