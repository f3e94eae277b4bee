"""Calls the methods of a connector that are given a context, blocking or async as they are."""

import inspect
import logging
from collections.abc import Callable, Generator, Iterator
from typing import Any

from attrs import frozen

from omni_connector.connector_base.sync_signature import YIELDS
from omni_connector.exceptions import ConfigurationError, shown
from omni_connector.runtime.hooks import HookCaller, is_async_hook, must_be_awaited
from omni_connector.sync.colours import Blocking, OnLoop
from omni_connector.sync.context import SyncContext
from omni_connector.sync.run import SyncRun

log = logging.getLogger(__name__)


@frozen
class AuthorCalls:
    """Calls ``sync`` and similar methods for one run.

    Attributes:
        hooks: the connector, and how it is called.
        sync: the run that the context shows.
        grace_seconds: how long a coroutine may go on after the run was stopped.
    """

    hooks: HookCaller
    sync: SyncRun
    grace_seconds: float

    def do(self, method: Callable[..., Any], *arguments: Any) -> None:
        """Call a method that reads the source; a coroutine is run on the private loop.

        Raises:
            ConfigurationError: it yields.
        """
        result = self.call(method, *arguments)
        if inspect.isgenerator(result) or inspect.isasyncgen(result):
            raise ConfigurationError(YIELDS.format(name=f"{self._class_name}.{_name(method)}"))

    def each(self, method: Callable[..., Any], *arguments: Any) -> Generator[Any, None, None]:
        """Call a method that returns or yields several values; yield them as they come."""
        found = self.call(method, *arguments)
        if hasattr(found, "__aiter__"):
            yield from self._awaited(found)
        elif hasattr(found, "__iter__"):
            yield from found
        else:
            raise ConfigurationError(
                f"{self._class_name}.{_name(method)} returned {shown(found)}: return a list, empty for none, or yield the items"
            )

    def call(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """Call a method with these arguments and the context; return what it returns, awaited."""
        is_async = is_async_hook(method) or inspect.isasyncgenfunction(inspect.unwrap(method))
        context = SyncContext(self.sync, OnLoop(self.hooks.loop) if is_async else Blocking())
        result = method(*arguments, context)
        if not must_be_awaited(result):
            return result
        if not is_async:
            log.warning(
                "%s.%s is not async, but returned an awaitable: it is run, and its calls on the context block the "
                "loop. Make it async def, or decorate with functools.wraps.",
                self._class_name,
                _name(method),
                extra={"sync_run_id": self.sync.info.sync_run_id, "source_id": self.sync.info.source_id},
            )
        return self._wait_for(result)

    def _awaited(self, found: Any) -> Iterator[Any]:
        end = object()
        iterator = aiter(found)
        try:
            while (item := self._wait_for(anext(iterator, end))) is not end:
                yield item
        finally:
            if hasattr(iterator, "aclose"):
                self._wait_for(iterator.aclose())

    def _wait_for(self, awaitable: Any) -> Any:
        return self.hooks.loop.run(
            awaitable, on_stop=self.sync.state.on_stop, grace_seconds=self.grace_seconds
        )

    @property
    def _class_name(self) -> str:
        return type(self.hooks.connector).__name__


def _name(method: Callable[..., Any]) -> str:
    name: str = getattr(method, "__name__", "sync")
    return name
