"""Converters and rules for the fields of the models.

A converter normalises what has one obvious meaning and passes everything else on. The field's rule, an attrs validator, then
rejects what is still wrong, by class, field, value and remedy. Both run when a model is made and when one of its fields is
set. What a manifest as it is sent must be (``manifest_rules``) is derived from the same rules.
"""

import datetime as dt
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import attrs
from attrs import frozen

from omni_connector.exceptions import InvalidValueError
from omni_connector.models.json_values import clean_text
from omni_connector.models.model import Model


@frozen
class Rule:
    """What a value must be; a validator for attrs.

    Attributes:
        remedy: returns what to give instead of a value, or None when the value can be used.
        is_secret: errors show only the type of a value.
        item_model: of a list of models, their class.
    """

    remedy: Callable[[Any], str | None]
    is_secret: bool = False
    item_model: type[Model] | None = None

    def __call__(self, instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        """Refuse a value that cannot be used, as attrs calls a validator."""
        self.require(value, model=type(instance).__name__, field=attribute.name)

    def require(self, value: Any, *, model: str, field: str) -> None:
        """Refuse a value that cannot be used.

        Raises:
            InvalidValueError: in the name of the class and the field.
        """
        remedy = self.remedy(value)
        if remedy is not None:
            shown = type(value).__name__ if self.is_secret else value
            raise InvalidValueError(model=model, field=field, value=shown, remedy=remedy)


class QuickModel(Model):
    """Base of the models that are made by the million: the documents of a run.

    Nearly all of them need neither converter nor rule: ``__init__`` sets all fields at once, and calls ``normalise`` only
    where one is unusual, which halves the time of an ``emit``. Setting a field later converts and validates it, and rejects
    names that are not a field.
    """

    def normalise(self) -> None:
        """Convert and validate every field."""
        for attribute in attrs.fields(_attrs_class(self)):
            self._put(attribute, getattr(self, attribute.name))

    def __setattr__(self, name: str, value: Any) -> None:
        attribute = attrs.fields_dict(_attrs_class(self)).get(name)
        if attribute is None:
            raise AttributeError(f"{type(self).__name__} has no field {name!r}", name=name, obj=self)
        self._put(attribute, value)

    def _put(self, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        if attribute.converter is not None:
            value = attribute.converter(value)  # type: ignore[operator]  # Functions only, no Converter objects.
        if attribute.validator is not None:
            attribute.validator(self, attribute, value)
        self.__dict__[attribute.name] = value


def _attrs_class(instance: Any) -> "type[attrs.AttrsInstance]":
    return type(instance)


# -- converters ---------------------------------------------------------------------------------------------------


def clean(value: str | None) -> str | None:
    """Text loses its NUL characters; lone surrogates become U+FFFD."""
    return clean_text(value) if isinstance(value, str) else value


def to_id(value: str | int) -> str:
    """Whole numbers become their digits: ids are text on the wire."""
    return str(value) if type(value) is int else value  # type: ignore[return-value]  # Validated next.


def to_text(value: str | int | None) -> str | None:
    """Whole numbers become their digits; text is cleaned."""
    return None if value is None else clean(to_id(value))


def to_text_list(values: Iterable[str] | None) -> Any:
    """Any iterable of text except a bare string becomes a list; sets are sorted, None is empty."""
    if values is None:
        return []
    if isinstance(values, (set, frozenset)):
        return sorted(values, key=str)  # By text: what is not text is left to the rule.
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        return values  # The rule refuses it by name.
    return list(values)


class Unsure(list[Any]):
    """A list that holds something other than text; the quick check of documents accepts plain lists only."""


def to_address(value: str) -> str:
    """Stripped and in lower case: the manager compares addresses as they are (PROTOCOL, section 11)."""
    return value.strip().lower() if isinstance(value, str) else value


def to_group_key(value: str) -> str:
    """Stripped; in lower case where the value is an address. Other group ids keep their case."""
    key = value.strip() if isinstance(value, str) else value
    return to_address(key) if isinstance(key, str) and "@" in key else key


_lower, _strip = str.lower, str.strip
"""These take text only: anything else is a TypeError, so a list that went through them holds nothing else."""


def to_addresses(values: Iterable[str] | None) -> Any:
    """As ``to_address``, for each of several."""
    if type(values) is list:
        try:
            return list(map(_lower, map(_strip, values)))
        except TypeError:
            pass
    return _each(to_text_list(values), to_address)


def to_group_keys(values: Iterable[str] | None) -> Any:
    """As ``to_group_key``, for each of several."""
    if type(values) is list:
        try:
            return [_lower(value) if "@" in value else value for value in map(_strip, values)]
        except TypeError:
            pass
    return _each(to_text_list(values), to_group_key)


def _each(values: Any, change: Callable[[str], str]) -> Any:
    """Change what is text; leave the rest for the rule to refuse."""
    if not isinstance(values, list):
        return values
    changed = [change(value) for value in values]
    return changed if all(isinstance(value, str) for value in changed) else Unsure(changed)


def to_moment(value: dt.datetime | dt.date | str | None) -> Any:
    """Make a datetime with an offset that RFC 3339 can express; without offset it is taken as UTC."""
    given: Any = value
    if isinstance(given, str):
        try:
            given = dt.datetime.fromisoformat(given.strip())
        except ValueError:
            return given  # The rule refuses it by name.
    if isinstance(given, dt.date) and not isinstance(given, dt.datetime):
        given = dt.datetime(given.year, given.month, given.day, tzinfo=dt.UTC)
    return _with_offset(given) if isinstance(given, dt.datetime) else given


_naive_listeners: list[Callable[[dt.datetime], object]] = []


@contextmanager
def noticing_naive_moments(listener: Callable[[dt.datetime], object]) -> Iterator[None]:
    """Call ``listener`` with each moment without an offset that is made UTC in this block, in any thread."""
    _naive_listeners.append(listener)
    try:
        yield
    finally:
        _naive_listeners.remove(listener)


def _with_offset(value: dt.datetime) -> dt.datetime:
    offset = value.utcoffset()
    if offset is None:
        for listener in _naive_listeners:
            listener(value)
        return value.replace(tzinfo=dt.UTC)
    if offset % dt.timedelta(minutes=1):
        try:
            return value.astimezone(dt.UTC)
        except OverflowError:  # Before year 1 or after year 9999 in UTC; cut to the minute of the offset.
            return value.replace(tzinfo=dt.timezone(offset - offset % dt.timedelta(minutes=1)))
    return value


# -- rules --------------------------------------------------------------------------------------------------------


def text(*, maximum: int | None = None, empty: bool = True, clean: bool = False) -> Rule:
    """A string, at most ``maximum`` characters long; ``clean`` also refuses NUL and lone surrogates."""

    def remedy(value: Any) -> str | None:
        if not isinstance(value, str):
            return "give a string"
        if not empty and not value:
            return "give a string that is not empty"
        if maximum is not None and len(value) > maximum:
            return f"it has {len(value)} characters, give at most {maximum}"
        if clean and clean_text(value) != value:
            return (
                "remove NUL characters and lone surrogates (for file names: "
                "urllib.parse.quote(os.fsencode(name)))"
            )
        return None

    return Rule(remedy)


def optional(rule: Rule) -> Rule:
    """None, or what ``rule`` demands."""

    def remedy(value: Any) -> str | None:
        return None if value is None else rule.remedy(value)

    return attrs.evolve(rule, remedy=remedy)


def instance_of(kind: type, remedy: str) -> Rule:
    """An instance of ``kind``; ``remedy`` says what to give."""
    return Rule(partial(_unless_instance, kind, remedy))


def _unless_instance(kind: type, remedy: str, value: Any) -> str | None:
    return None if isinstance(value, kind) else remedy


def one_of(*choices: str) -> Rule:
    """One of ``choices``."""
    return Rule(partial(_unless_among, choices))


def _unless_among(choices: tuple[str, ...], value: Any) -> str | None:
    return None if value in choices else f"give one of {', '.join(choices)}"


def list_of(model: type[Model]) -> Rule:
    """A list of instances of ``model``."""
    return Rule(partial(_unless_list_of, model), item_model=model)


def _unless_list_of(model: type[Model], value: Any) -> str | None:
    fits = isinstance(value, list) and all(isinstance(item, model) for item in value)
    return None if fits else f"give a list of {model.__name__}"


boolean = instance_of(bool, "give True or False")
moment = instance_of(dt.datetime, "give a datetime, or ISO 8601 text such as 2026-08-01T12:00:00Z")
json_object = instance_of(Mapping, "give a dict")
"""Its values are checked when they are sent."""
nonempty_text = text(empty=False)
optional_text = optional(text())


@Rule
def content(value: Any) -> str | None:
    """Text, bytes, a path or a binary file object."""
    is_file = callable(getattr(value, "read", None)) and not isinstance(value, io.TextIOBase)
    if is_file or isinstance(value, (str, bytes, bytearray, os.PathLike)):
        return None
    return "give text, bytes, a path or a file opened with 'rb'"


@Rule
def decimal_digits(value: Any) -> str | None:
    """A number of bytes in decimal digits."""
    fits = isinstance(value, str) and value.isascii() and value.isdigit()
    return None if fits else "give the number of bytes, as a whole number"


@Rule
def text_list(value: Any) -> str | None:
    """A list of strings."""
    if value is None:
        return "give a list; without entries it is empty, not None"
    if not isinstance(value, list):
        return f'give a list of strings, such as ["{value}"]'
    wrong = next((item for item in value if not isinstance(item, str)), "")
    return None if wrong == "" else f"{wrong!r:.80} is not a string: give a list of strings only"


def is_text_by_name(value: Any) -> bool:
    """Say whether ``value`` is a mapping of strings to strings."""
    return isinstance(value, Mapping) and all(
        isinstance(key, str) and isinstance(each, str) for key, each in value.items()
    )
