"""Values that may also be awaited, so that one annotation serves both colours.

A blocking connector uses the value at once, and awaiting it yields it without waiting. In an async connector the runtime
returns a real awaitable in the same place (see ``sync/colours.py``).

The defaults of a connector's hooks are blocking; an override may be ``def`` and use ``super().hook(...)`` at once, or
``async def`` and ``await super().hook(...)``. ``@hook`` does that, and the return type ``MayAwait``:

    class Connector:
        @hook
        def prepare(self, credentials: dict[str, Any]) -> MayAwait[dict[str, str]]:
            return {}

A default that waits for something (a process, the network) is decorated with ``blocking_hooks.blocking_hook`` instead.
"""

import functools
import inspect
import operator
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Generic, Self, TypeAlias, TypeVar, Union, cast

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Hook = TypeVar("Hook", bound=Callable[..., Any])

if TYPE_CHECKING:

    class _Both(Any, Generic[T]):  # type: ignore[misc]  # A value of any type, which is what a hook's override returns.
        def __await__(self) -> Generator[Any, None, T]: ...

    MayAwait: TypeAlias = _Both[T] | Any
else:
    MayAwait = Union[T, Any]  # noqa: UP007 - the other form cannot be subscripted.
"""What a hook returns: a ``T``, or, where an ``async def`` overrides it, an awaitable of one.

An override may return either; to its author ``await super().hook()`` is a ``T``, and ``super().hook()`` whatever it is
used as.
"""


class MayBeAwaited(Generic[T_co]):
    """Base of the values below: awaiting one yields a plain ``T_co`` without waiting."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, T_co]:
        yield from ()
        return cast("T_co", plain(self))


class AwaitableValue(MayBeAwaited[Any]):
    """Base of models that hooks return: awaiting one yields itself."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, Self]:
        yield from ()
        return self


class AwaitableNone(MayBeAwaited[None]):
    """None, for all purposes, that may be awaited."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, None]:
        yield from ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "None"


class AwaitableStr(str, MayBeAwaited[str]):
    """A str that may be awaited."""

    __slots__ = ()


class AwaitableBool(MayBeAwaited[bool]):
    """A truth value that may be awaited."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = bool(value)

    def __bool__(self) -> bool:
        return self._value

    def __eq__(self, other: object) -> bool:
        return self._value == other

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return repr(self._value)


class AwaitableDict(dict[K, V], MayBeAwaited[dict[K, V]]):
    """A dict that may be awaited."""

    __slots__ = ()


class AwaitableList(list[V], MayBeAwaited[list[V]]):
    """A list that may be awaited."""

    __slots__ = ()


class Ready(MayBeAwaited[T]):
    """An awaitable of a value that is there already and has no awaitable form of its own."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value


DONE = AwaitableNone()
"""What a blocking call returns that has nothing to say."""


def hook(default: Hook) -> Hook:
    """Let ``async def`` overrides await the blocking ``default`` of a hook; ``def`` ones use its value at once.

    Text, dicts, lists and models that derive from ``AwaitableValue`` can always be awaited. None, truth values and
    other objects have no subclass that could, and ``is None`` must keep working: they become awaitable only where a
    class between the connector's own and this one overrides the hook with ``async def``.
    """
    name = default.__name__

    @functools.wraps(default)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        value = default(self, *args, **kwargs)
        return awaitable(value) if _is_overridden_async(type(self), name) else _dual(value)

    return cast("Hook", call)


def awaitable(value: Any) -> Any:
    """Return ``value`` in a form that can be awaited, and that is still the value where that is possible."""
    if value is None:
        return DONE
    if isinstance(value, bool):
        return AwaitableBool(value)
    value = _dual(value)
    return value if inspect.isawaitable(value) else Ready(value)


def plain(value: Any) -> Any:
    """Return what awaiting ``value`` would yield when it is one of this module's own; others as they are."""
    kind = _PLAIN.get(type(value))
    return value if kind is None else kind(value)


def _dual(value: Any) -> Any:
    """Return an equal value that may be awaited, where its type has one."""
    kind = _DUAL.get(type(value))
    return value if kind is None else kind(value)


def _is_overridden_async(kind: type, name: str) -> bool:
    overrides = (vars(base)[name] for base in kind.__mro__ if name in vars(base))
    return any(inspect.iscoroutinefunction(inspect.unwrap(override)) for override in overrides)


_DUAL: dict[type, Callable[[Any], Any]] = {str: AwaitableStr, dict: AwaitableDict, list: AwaitableList}
_PLAIN: dict[type, Callable[[Any], Any]] = {
    AwaitableNone: lambda _: None,
    AwaitableBool: bool,
    AwaitableStr: str,
    AwaitableDict: dict,
    AwaitableList: list,
    Ready: operator.attrgetter("value"),
}
