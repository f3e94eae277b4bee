"""The parameters of an action's method: their schema, and the arguments that a request makes."""

import inspect
import typing
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from attrs import frozen

from omni_connector.exceptions import MalformedRequestError
from omni_connector.models.json_values import JsonValue
from omni_connector.typed.docstring import Described
from omni_connector.typed.schema import (
    Schema,
    UndeclarableTypeError,
    described_type,
    object_schema,
    schema_of,
    with_default,
    with_notes,
)
from omni_connector.typed.values import converted, member_problems, require_convertible, value_problems

SPECIAL = frozenset({"credentials", "credential", "source", "actor_email"})
"""Names of parameters that the SDK fills in; they are not part of the schema."""

CONFIG = ("config", "source_config")
"""The same, in connectors that declare a class for their settings."""


def special_names(kind: type) -> frozenset[str]:
    """Return the names of the parameters that the SDK fills in for the actions of a class."""
    declared = getattr(kind, "declared_types", None)
    return SPECIAL if declared is None or declared.config is None else SPECIAL.union(CONFIG)


class UndeclarableParameterError(Exception):
    """A parameter cannot be one of an action; the text says which, and what to do."""


@frozen
class Parameters:
    """All of a method.

    Attributes:
        kinds: types of those that callers give, by name.
        schema: the JSON Schema of what callers give.
        special: names of those that the SDK fills in.
        open: the method takes whatever else comes, as ``**name``.
    """

    kinds: Mapping[str, Any]
    schema: Schema
    special: frozenset[str]
    open: bool

    def arguments(self, params: JsonValue, special: Mapping[str, Any]) -> dict[str, Any]:
        """Return the keyword arguments of a call; ``special`` is what the SDK can fill in, by name.

        Keys that are not declared are left out, unless it takes all: the manager merges the source's config into ``params``.

        Raises:
            MalformedRequestError: names every parameter that is missing or mistyped.
        """
        if not isinstance(params, dict):
            raise MalformedRequestError("params: an object by name is required", field="params")
        problems = list(member_problems(params, self.schema))
        arguments = {}
        for name, kind in self.kinds.items() if not problems else ():
            if name in params:
                try:
                    arguments[name] = converted(params[name], kind, name)
                except ValueError as error:
                    problems.append(str(error))
        if problems:
            raise MalformedRequestError("; ".join(problems), field=problems[0].partition(":")[0])
        if self.open:
            arguments = params | arguments
        return arguments | {name: special[name] for name in self.special}


def read_parameters(
    function: Callable[..., Any], *, kind: type, owner: type, bound: bool, described: Described
) -> Parameters:
    """Return the parameters of a method of ``kind``, which may use types that are declared in its own class, the ``owner``.

    Raises:
        UndeclarableParameterError: the first parameter that cannot be one of an action.
    """
    filled_in = special_names(kind)
    listed = list(inspect.signature(function).parameters.values())
    if bound and not listed:
        raise UndeclarableParameterError("it takes no self; declare it as a method")
    kinds: dict[str, Any] = {}
    properties: dict[str, Schema] = {}
    required = []
    special = set()
    is_open = False
    for each in listed[1:] if bound else listed:
        if each.kind is inspect.Parameter.VAR_KEYWORD:
            is_open = True
        elif each.kind in {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.POSITIONAL_ONLY}:
            raise UndeclarableParameterError(
                f"parameter {each}: it has no name to be given by; declare it by name"
            )
        elif each.name in filled_in:
            special.add(each.name)
        else:
            kind = _annotation(each, function, owner)
            kinds[each.name], properties[each.name] = _kind_and_schema(each, kind, described)
            if each.default is inspect.Parameter.empty:
                required.append(each.name)
    schema = object_schema(properties, required)
    if is_open:
        schema["additionalProperties"] = True
    return Parameters(kinds, schema, frozenset(special), is_open)


def _kind_and_schema(each: inspect.Parameter, kind: Any, described: Described) -> tuple[Any, Schema]:
    """Return the type that values are converted to, and their schema, default and description included."""
    kind, description, is_secret = described_type(kind)
    try:
        schema = schema_of(kind)
        if each.default is None and value_problems(None, schema, each.name):
            kind = typing.Optional[kind]  # noqa: UP045 - of a type that is a value.
            schema = schema_of(kind)
        require_convertible(kind)
    except UndeclarableTypeError as error:
        raise UndeclarableParameterError(f"parameter {each.name}: {error}") from error
    description = description or described.parameters.get(each.name)
    schema = with_notes(schema, description, is_secret=is_secret)
    return kind, schema if each.default is inspect.Parameter.empty else with_default(schema, each.default)


def _annotation(each: inspect.Parameter, function: Callable[..., Any], owner: type) -> Any:
    """Evaluate one annotation; that of another parameter, or of the result, may be known to type checkers only."""
    if each.annotation is inspect.Parameter.empty:
        return Any
    known = inspect.unwrap(function).__globals__
    nested = {
        name: value for name, value in vars(owner).items() if isinstance(value, type) and name not in known
    }
    holder = SimpleNamespace(__annotations__={each.name: each.annotation})
    try:
        return typing.get_type_hints(holder, globalns=known, localns=nested, include_extras=True)[each.name]
    except (NameError, TypeError, SyntaxError, AttributeError) as error:
        raise UndeclarableParameterError(
            f"parameter {each.name}: its annotation {each.annotation!r} cannot be read ({error}); use types that are "
            "imported at the top of the module"
        ) from error
