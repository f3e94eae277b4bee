"""Fits the arguments of a call to the parameters that an author's override has.

Hooks have grown parameters over time, and authors write what they need: fewer parameters, other names, keywords only,
``*args``. An override is called with what it takes:

- a parameter with a name that the hook knows gets the value of that name;
- one with another name, or positional-only, stands for the next of the hook's first parameters, in their order;
- of the parameters that came later (``optional``) it gets one only if it has no default of its own;
- ``*args`` and ``**kwargs`` take the rest.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

_NAMED = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
_POSITIONAL = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}


def fitted(
    hook: Callable[..., Any], required: Mapping[str, Any], optional: Mapping[str, Any] | None = None
) -> tuple[list[Any], dict[str, Any]]:
    """Return the positional and the keyword arguments with which to call ``hook``.

    Args:
        hook: the bound method.
        required: the parameters that the hook has always had, in their order.
        optional: those that came later, in their order.
    """
    optional = optional or {}
    try:
        parameters = list(inspect.signature(hook).parameters.values())
    except ValueError:  # Written in C, without a signature.
        return list(required.values()), {}
    known = {**required, **optional}
    names = {parameter.name for parameter in parameters if parameter.kind in _NAMED}
    unnamed = [name for name in known if name not in names]  # Not passed yet.
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    in_order = True  # Until a parameter is left to its default: the next ones can only be named.
    for parameter in parameters:
        name = _stands_for(parameter, known, unnamed, required)
        positional = parameter.kind in _POSITIONAL
        if name is None:
            in_order = in_order and not positional
        elif positional and in_order:
            args.append(known[name])
        elif parameter.kind in _NAMED:
            kwargs[parameter.name] = known[name]
    kinds = {parameter.kind for parameter in parameters}
    by_name = inspect.Parameter.VAR_KEYWORD in kinds
    by_position = inspect.Parameter.VAR_POSITIONAL in kinds and in_order
    for name in unnamed:  # What came later goes by name where both ways are open.
        if by_position and (name in required or not by_name):
            args.append(known[name])
        elif by_name:
            kwargs[name] = known[name]
    return args, kwargs


def _stands_for(
    parameter: inspect.Parameter, known: Mapping[str, Any], unnamed: list[str], required: Mapping[str, Any]
) -> str | None:
    """Return the name of the value that a parameter gets, if any, and take it from ``unnamed``."""
    if parameter.kind in _NAMED and parameter.name in known:
        return parameter.name
    if parameter.kind not in _POSITIONAL or not unnamed:
        return None
    if unnamed[0] in required or parameter.default is inspect.Parameter.empty:
        return unnamed.pop(0)
    return None
