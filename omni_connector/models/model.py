"""What every model can do besides holding its fields: be dumped, copied with changes, and made from a dict.

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
from omni_connector.models.json_values import JsonValue, plain_json

HIDDEN = {"omni_connector.hidden": True}
"""Metadata of a field that is not part of the model's dump."""

Mode = Literal["json", "python"]


class Absent(enum.Enum):
    """Stands for a key that was left out, as opposed to null."""

    ABSENT = "absent"


class Model:
    """Base of the models. Making one, or setting a field, raises InvalidValueError for a value that cannot be used."""

    __slots__ = ()

    def model_dump(
        self,
        *,
        mode: Mode | str = "python",
        include: Collection[str] | None = None,
        exclude: Collection[str] | None = None,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        **_options: Any,
    ) -> dict[str, Any]:
        """Return the fields as a dict; models in it become dicts, lists and dicts are copied.

        Keys that the wire left out are left out here as well. The options are pydantic's: ``mode="json"`` makes every
        value one that JSON has, ``include`` and ``exclude`` name fields of this model, ``exclude_none`` and ``exclude_defaults``
        hold for models inside it as well. ``exclude_unset`` does what ``exclude_defaults`` does: which fields were given is not remembered. Further
        options are accepted.

        Raises:
            InvalidValueError: with ``json``, a value has no JSON form.
        """
        dump = _Dump(
            is_json=mode == "json",
            exclude_none=exclude_none,
            exclude_defaults=exclude_defaults or exclude_unset,
        )
        names = {attribute.name for attribute in _fields(type(self))} if include is None else set(include)
        dumped = dump.fields(self, names - set(exclude or ()))
        return plain_json(dumped, path=type(self).__name__) if dump.is_json else dumped

    def model_dump_json(self, *, indent: int | None = None, **options: Any) -> str:
        """Return ``model_dump(mode="json")`` as JSON text; ``options`` are those of ``model_dump``.

        Args:
            indent: spaces of each level; None for one line.
            **options: as for ``model_dump``.
        """
        dumped = self.model_dump(**{**options, "mode": "json"})
        separators = (",", ":") if indent is None else None
        return json.dumps(dumped, ensure_ascii=False, indent=indent, separators=separators)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with the fields in ``update`` changed, which are validated; ``deep`` copies what fields hold, too.

        Raises:
            InvalidValueError: a value is unusable, or there is no such field.
        """
        changes = dict(update or {})
        names = [attribute.name for attribute in _fields(type(self))]
        unknown = next((name for name in changes if name not in names), None)
        if unknown is not None:
            raise _refused(type(self), unknown, changes[unknown], f"give one of {', '.join(names)}")
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
            raise _refused(cls, "model_validate", obj, "give a dict")
        kinds = _kinds(cast("Any", cls))
        given = {}
        for attribute in _fields(cls):
            if attribute.name in obj:
                given[attribute.name] = _validated(kinds[attribute.name], obj[attribute.name])
            elif attribute.default is attrs.NOTHING:
                raise _refused(cls, attribute.name, None, "it is missing: give a value")
        return cls(**given)

    @classmethod
    def model_validate_json(cls, json_data: str | bytes) -> Self:
        """As ``model_validate``, of JSON text.

        Raises:
            InvalidValueError: it is no JSON, a field is missing, or its value is unusable.
        """
        try:
            given = json.loads(json_data)
        except (ValueError, RecursionError) as error:
            raise _refused(cls, "model_validate_json", json_data, f"give JSON ({error})") from error
        return cls.model_validate(given)


class WireModel(Model):
    """Base of the models that are sent as they are dumped."""

    __slots__ = ()

    def to_wire(self) -> dict[str, JsonValue]:
        """Return the JSON object that is sent; every key present."""
        return self.model_dump()


def _refused(model: type[Model], field: str, value: Any, remedy: str) -> InvalidValueError:
    return InvalidValueError(model=model.__name__, field=field, value=value, remedy=remedy)


def _fields(cls: type[Model]) -> "tuple[attrs.Attribute[Any], ...]":
    found: tuple[attrs.Attribute[Any], ...] = attrs.fields(cast("Any", cls))  # Every model is an attrs class.
    return found


@attrs.frozen(kw_only=True)
class _Dump:
    """How models are dumped, at every level."""

    is_json: bool
    exclude_none: bool
    exclude_defaults: bool

    def fields(self, model: Model, names: Collection[str] | None = None) -> dict[str, Any]:
        """Return the fields with these names, or all."""
        return {
            attribute.name: self.value(value)
            for attribute in _fields(type(model))
            if (names is None or attribute.name in names)
            and (value := getattr(model, attribute.name)) is not Absent.ABSENT
            and not attribute.metadata.get("omni_connector.hidden")
            and not (self.exclude_none and value is None)
            and not (self.exclude_defaults and value == _default(model, attribute))
        }

    def value(self, value: Any) -> Any:
        """Return a value with models made dicts."""
        if isinstance(value, Model):
            return self.fields(value)
        if isinstance(value, Mapping):
            return {key: self.value(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            items = [self.value(item) for item in value]
            return items if isinstance(value, list) else tuple(items)
        if self.is_json and isinstance(value, dt.datetime):
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
