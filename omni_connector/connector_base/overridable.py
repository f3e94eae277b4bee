"""Values of a connector that a subclass may give in any form: a class attribute, a property, an instance attribute."""

from collections.abc import Callable
from typing import Any


def overridable(default: Callable[[Any], Any]) -> Any:
    """Return an attribute whose value is what ``default`` returns until a subclass or an instance has its own.

    Type checkers see ``Any``: a declared type would be right for a property or for a class attribute, but not for both.
    """
    return _Overridable(default)


class _Overridable:
    """As ``property``, but without a setter in the way of ``self.name = ...`` in an ``__init__``."""

    def __init__(self, default: Callable[[Any], Any]) -> None:
        self._default = default
        self.__doc__ = default.__doc__
        self.__isabstractmethod__ = getattr(default, "__isabstractmethod__", False)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else self._default(instance)
