"""The calls that a manager in memory receives, and what tests do at them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from attrs import define, field

from omni_connector.testing.waiting import WaitsForCalls

Hook = Callable[[dict[str, Any]], object]
"""Is given the arguments of a call by name, before the call has any effect; may raise, and may block."""


class Call(NamedTuple):
    """One call that the manager received.

    Attributes:
        operation: name of the method, such as ``send_events``.
        args: its arguments by name.
    """

    operation: str
    args: dict[str, Any]


@define(eq=False)
class CallLog(WaitsForCalls):
    """Notes calls, and lets hooks act on them. All of it may be used from several threads.

    Attributes:
        calls: every call, as (operation, arguments by name), in order; also those that a hook made fail.
    """

    calls: list[Call] = field(factory=list, init=False)
    _hooks: dict[str, Hook | BaseException] = field(factory=dict, init=False)
    _changed: threading.Condition = field(factory=threading.Condition, init=False)  # Protects everything.

    def on(self, operation: str, hook: Hook | BaseException | None) -> None:
        """Call ``hook`` with the arguments of every further call of ``operation``, before it has any effect.

        Args:
            operation: name of the method, such as ``send_events``.
            hook: called with a dict; what it raises the caller gets. An exception in its place is raised each time;
                None takes the hook away.

        Raises:
            AttributeError: there is no such operation.
        """
        getattr(self, operation)
        with self._changed:
            if hook is None:
                self._hooks.pop(operation, None)
            else:
                self._hooks[operation] = hook

    def operations(self) -> list[str]:
        """Return the names of the calls so far, in order."""
        with self._changed:
            return [call.operation for call in self.calls]

    def _calls_so_far(self) -> str:
        return f"calls so far: {', '.join(call.operation for call in self.calls) or 'none'}"

    def _receive(self, operation: str, **args: Any) -> None:
        """Note the call, then let its hook act; outside the lock, because a hook may block."""
        with self._changed:
            self.calls.append(Call(operation, args))
            hook = self._hooks.get(operation)
            self._changed.notify_all()
        if isinstance(hook, BaseException):
            raise hook
        if hook is not None:
            hook(args)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the lock during a change, and wake those who ``wait_for`` it."""
        with self._changed:
            yield
            self._changed.notify_all()
