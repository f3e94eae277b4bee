"""What every model can do beside holding its fields: be dumped, copied with changes, and made from a plain dict.

The names are those that connectors written for pydantic's models call.
"""

import copy
import datetime as dt
import enum
import functools
import json
import types
import typing
from collections.abc import Collection, Mapping
from typing import Any, Literal, Self, cast

import attrs

from omni_connector.exceptions import InvalidValueError
from omni_connector.models.plain import JsonValue, plain_json

HIDDEN = {"omni_connector.hidden": True}
"""Metadata of a field that is no part of the model's dump."""

Mode = Literal["json", "python"]


class Absent(enum.Enum):
    """Tells a key that was left out from one that was null."""

    ABSENT = "absent"


class Model:
    """Base of the models; adds methods only, no fields."""

    __slots__ = ()

    def model_dump(
        self,
        *,
        mode: Mode | str = "python",
        include: Collection[str] | None = None,
        exclude: Collection[str] | None = None,
        by_alias: bool | None = None,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        round_trip: bool = False,
        warnings: bool | str = True,
    ) -> dict[str, Any]:
        """Return the fields as a dict; models in it become dicts, lists and dicts are copied.

        Keys that the wire left out are left out here as well.

        Args:
            mode: ``json`` makes every value one that JSON has, dates RFC 3339 text; ``python`` leaves them.
            include: names of the fields that are wanted; all unless given.
            exclude: names of fields that are not.
            by_alias: accepted; no field has another name.
            exclude_unset: as ``exclude_defaults``: which fields were given is not remembered.
            exclude_defaults: leave out fields that have their default.
            exclude_none: leave out fields that are None, in models inside this one as well.
            round_trip: accepted; ``model_validate`` takes every dump.
            warnings: accepted; there are none.

        Raises:
            InvalidValueError: with ``json``, a value has no JSON form.
        """
        del by_alias, round_trip, warnings
        dumped = {}
        for attribute in _fields(type(self)):
            value = getattr(self, attribute.name)
            if (
                value is Absent.ABSENT
                or attribute.metadata.get("omni_connector.hidden")
                or (include is not None and attribute.name not in include)
                or (exclude is not None and attribute.name in exclude)
                or (exclude_none and value is None)
                or ((exclude_defaults or exclude_unset) and value == _default(self, attribute))
            ):
                continue
            dumped[attribute.name] = _dumped(
                value,
                mode=mode,
                exclude_none=exclude_none,
                exclude_defaults=exclude_defaults or exclude_unset,
            )
        return plain_json(dumped, path=type(self).__name__) if mode == "json" else dumped

    def model_dump_json(self, *, indent: int | None = None, **options: Any) -> str:
        """Return ``model_dump(mode="json")`` as JSON text; ``options`` are those of ``model_dump``."""
        dumped = self.model_dump(**{**options, "mode": "json"})
        separators = (",", ":") if indent is None else None
        return json.dumps(dumped, ensure_ascii=False, indent=indent, separators=separators)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with the fields in ``update`` changed; they are validated.

        Args:
            update: new values by name of the field.
            deep: copy what the fields hold, too.

        Raises:
            InvalidValueError: a value is unusable, or there is no such field.
        """
        changes = dict(update or {})
        names = [attribute.name for attribute in _fields(type(self))]
        for name, value in changes.items():
            if name not in names:
                raise InvalidValueError(
                    model=type(self).__name__,
                    field=name,
                    value=value,
                    remedy=f"give one of {', '.join(names)}",
                )
        original: Any = copy.deepcopy(self) if deep else self
        made: Self = attrs.evolve(original, **changes)
        return made

    @classmethod
    def model_validate(cls, obj: Any) -> Self:
        """Return ``obj`` itself when it is such a model, else one made of a dict of its fields.

        Dicts become models where the field holds models; keys that the model does not have are ignored.

        Raises:
            InvalidValueError: a field is missing, or its value is unusable.
        """
        if isinstance(obj, cls):
            return obj
        if not isinstance(obj, Mapping):
            raise InvalidValueError(
                model=cls.__name__, field="model_validate", value=obj, remedy="give a dict"
            )
        kinds = _kinds(cast("Any", cls))
        given = {}
        for attribute in _fields(cls):
            if attribute.name in obj:
                given[attribute.name] = _validated(kinds[attribute.name], obj[attribute.name])
            elif attribute.default is attrs.NOTHING:
                raise InvalidValueError(
                    model=cls.__name__, field=attribute.name, value=None, remedy="it is missing: give a value"
                )
        return cls(**given)

    @classmethod
    def model_validate_json(cls, json_data: str | bytes) -> Self:
        """As ``model_validate``, of JSON text.

        Raises:
            InvalidValueError: it is no JSON, a field is missing, or its value is unusable.
        """
        try:
            given = json.loads(json_data)
        except ValueError as error:
            raise InvalidValueError(
                model=cls.__name__,
                field="model_validate_json",
                value=json_data,
                remedy=f"give JSON ({error})",
            ) from error
        return cls.model_validate(given)


class WireModel(Model):
    """Base of the models that are sent as they are dumped."""

    __slots__ = ()

    def to_wire(self) -> dict[str, JsonValue]:
        """Return the JSON object that is sent; every key present."""
        return self.model_dump()


def _fields(cls: type[Model]) -> "tuple[attrs.Attribute[Any], ...]":
    found: tuple[attrs.Attribute[Any], ...] = attrs.fields(cast("Any", cls))  # Every model is an attrs class.
    return found


def _dumped(value: Any, **options: Any) -> JsonValue:
    if isinstance(value, Model):
        return value.model_dump(**options)
    if isinstance(value, Mapping):
        return {key: _dumped(item, **options) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [_dumped(item, **options) for item in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, dt.datetime) and options["mode"] == "json":
        text: str = plain_json(value)
        return f"{text[:-6]}Z" if text.endswith("+00:00") else text
    return value


def _default(instance: Any, attribute: "attrs.Attribute[Any]") -> Any:
    default: Any = attribute.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # Typed as a function, but is a class.
        return default.factory(instance) if default.takes_self else default.factory()
    return default


@functools.cache
def _kinds(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _validated(kind: Any, value: Any) -> Any:
    """Make models of the dicts in ``value`` where ``kind``, the field's annotation, says so."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(value, Mapping):
        if isinstance(kind, type) and issubclass(kind, Model):
            return kind.model_validate(value)
        if origin is dict:
            return {key: _validated(inner[1], item) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and origin is list:
        return [_validated(inner[0], item) for item in value]
    if origin in {typing.Union, types.UnionType}:
        for each in inner:
            made = _validated(each, value)
            if made is not value:
                return made
    return value
