"""Calls the methods that an author wrote, whatever colour they have."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from omni_connector.awaitables import MayBeAwaited, plain
from omni_connector.connector_base import ConnectorBase
from omni_connector.event_loop import EventLoop
from omni_connector.exceptions import ConfigurationError
from omni_connector.runtime.arguments import fitted


@frozen
class HookCaller:
    """Calls the methods of one connector.

    Attributes:
        connector: the author's connector.
        loop: where what is ``async def`` runs.
    """

    connector: ConnectorBase
    loop: EventLoop

    def call(self, hook: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call ``hook`` and return its plain value; a coroutine is run on the private loop first."""
        return call_hook(self.loop, hook, *args, **kwargs)

    def call_fitted(
        self,
        hook: Callable[..., Any],
        required: Mapping[str, Any],
        optional: Mapping[str, Any] | None = None,
    ) -> Any:
        """As ``call``, with those arguments, by name and in order, that ``hook`` takes; see ``arguments``."""
        return call_fitted(self.loop, hook, required, optional)


def call_hook(loop: EventLoop, hook: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call ``hook`` and return its plain value; a coroutine is run on the private loop first."""
    value = hook(*args, **kwargs)
    return plain(loop.run(value) if must_be_awaited(value) else value)


def call_fitted(
    loop: EventLoop,
    hook: Callable[..., Any],
    required: Mapping[str, Any],
    optional: Mapping[str, Any] | None = None,
) -> Any:
    """As ``call_hook``, with those arguments, by name and in order, that ``hook`` takes; see ``arguments``."""
    args, kwargs = fitted(hook, required, optional)
    return call_hook(loop, hook, *args, **kwargs)


def must_be_awaited(value: Any) -> bool:
    """Say whether ``value`` has to be awaited to be had; see ``awaitables`` for those that only may be."""
    return inspect.isawaitable(value) and not isinstance(value, MayBeAwaited)


YIELDS = "{name}.sync contains yield, so that calling it reads nothing: call ctx.emit(document) instead."


def require_no_generator(sync: Callable[..., Any], name: str) -> None:
    """Refuse a ``sync`` that yields.

    Raises:
        ConfigurationError: it is a generator function.
    """
    for function in (sync, inspect.unwrap(sync)):
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise ConfigurationError(YIELDS.format(name=name))


def is_async_hook(hook: Callable[..., Any]) -> bool:
    """Say whether ``hook`` is an ``async def``, also behind decorators that say what they wrap."""
    return inspect.iscoroutinefunction(hook) or inspect.iscoroutinefunction(inspect.unwrap(hook))
