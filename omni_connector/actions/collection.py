"""The declared actions of a connector's class."""

import functools
import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
from attrs import frozen

from omni_connector.actions.decorator import ActionOptions, options_of
from omni_connector.actions.parameters import Parameters, UndeclarableParameterError, read_parameters
from omni_connector.exceptions import InvalidValueError
from omni_connector.models import ActionDefinition
from omni_connector.typed.docstring import read_docstring


@frozen
class DeclaredAction:
    """A method that carries ``@action``: ``attribute`` is its name, ``place`` is for messages, such as ``Tickets.find``."""

    definition: ActionDefinition
    attribute: str
    place: str
    parameters: Parameters


@frozen
class DeclaredActions:
    """All of a class, in the order of declaration, those of base classes first.

    ``problems`` says, a sentence each, what keeps methods from being actions.
    """

    by_name: Mapping[str, DeclaredAction]
    problems: tuple[str, ...]


@functools.cache
def declared_actions(kind: type) -> DeclaredActions:
    """Return the actions that a class declares and inherits.

    An override without ``@action`` of its own is called in place of the method that it overrides, whose signature and
    options are announced. ``None`` in its place takes the action away.
    """
    actions: list[DeclaredAction] = []
    problems: list[str] = []
    for attribute, owner, member in _decorated(kind):
        place = f"{owner.__name__}.{attribute}"
        options = options_of(member)
        try:
            action = _declared(kind, attribute, owner, member, options or ActionOptions())
            actions.append(action)
        except (UndeclarableParameterError, InvalidValueError) as error:
            problems.append(f"action {attribute} ({place}): {error}")
    names = Counter(action.definition.name for action in actions)
    for name in (name for name, count in names.items() if count > 1):
        methods = ", ".join(action.place for action in actions if action.definition.name == name)
        problems.append(
            f"action {name}: declared by several methods ({methods}); give all but one another name"
        )
    return DeclaredActions({action.definition.name: action for action in actions}, tuple(problems))


def _decorated(kind: type) -> Iterator[tuple[str, type, Any]]:
    """Yield the name, class and form of each decorated method, as it stands in the class that decorates it."""
    names = dict.fromkeys(name for owner in reversed(kind.__mro__) for name in vars(owner))
    for name in names:
        definitions = [(owner, vars(owner)[name]) for owner in kind.__mro__ if name in vars(owner)]
        if definitions[0][1] is None:
            continue
        for owner, member in definitions:
            if options_of(member) is not None:
                yield name, owner, member
                break


def _declared(kind: type, attribute: str, owner: type, member: Any, options: ActionOptions) -> DeclaredAction:
    function: Callable[..., Any] = getattr(member, "__func__", member)
    innermost = inspect.unwrap(function)
    if inspect.isgeneratorfunction(innermost) or inspect.isasyncgenfunction(innermost):
        raise UndeclarableParameterError("it contains yield; return a list instead")
    described = read_docstring(inspect.getdoc(innermost))
    description = options.description if options.description is not None else described.text
    if description == "":
        raise UndeclarableParameterError(
            'nothing says what it does; give the method a docstring, or @action(description="...")'
        )
    parameters = read_parameters(
        function, kind=kind, owner=owner, bound=not isinstance(member, staticmethod), described=described
    )
    announced = attrs.asdict(options, recurse=False) | {
        "name": attribute if options.name is None else options.name,
        "description": description,
        "input_schema": parameters.schema,
        "required_scopes": None if options.required_scopes is None else list(options.required_scopes),
    }
    definition = ActionDefinition(**announced)
    return DeclaredAction(definition, attribute, f"{owner.__name__}.{attribute}", parameters)
