"""Values that may also be awaited, so that one annotation serves both colours.

A blocking connector uses the value at once; an async one awaits the call. In a blocking connector the call has
done its work when it returns, so awaiting the value (from shared code, say) yields it without waiting. In an
async connector the runtime returns a real awaitable in the same place (see ``sync/async_context.py``).
"""

from collections.abc import Generator
from typing import Any


class AwaitableNone:
    """None, for all purposes, that may be awaited."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, None]:
        """Yield None without waiting."""
        yield from ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "None"


class AwaitableStr(str):
    """A str that may be awaited."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, str]:
        """Yield the plain text without waiting."""
        yield from ()
        return str(self)


class AwaitableBool:
    """A truth value that may be awaited."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = bool(value)

    def __await__(self) -> Generator[Any, None, bool]:
        """Yield the plain bool without waiting."""
        yield from ()
        return self._value

    def __bool__(self) -> bool:
        return self._value

    def __eq__(self, other: object) -> bool:
        return self._value == other

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return repr(self._value)


DONE = AwaitableNone()
"""What a blocking call returns that has nothing to say."""
