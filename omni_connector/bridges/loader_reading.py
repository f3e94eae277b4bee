"""Calls the loaders and readers of LangChain and LlamaIndex, recognised by their methods."""

import logging
from collections.abc import AsyncIterable, Callable, Generator, Iterable, Iterator, Mapping
from typing import Any, Protocol

from attrs import define, field

from omni_connector.bridges.filing import made_by
from omni_connector.event_loop import EventLoop, OnStop
from omni_connector.exceptions import ConfigurationError

log = logging.getLogger(__name__)

METHODS = (
    *("lazy_load", "lazy_load_data", "iter_data", "load_data", "load"),
    *("alazy_load", "alazy_load_data", "aload_data", "aload"),
)
"""Names under which loaders and readers give their documents; the first that is there and implemented is called."""


class HasLoader(Protocol):
    """A connector that reads a loader."""

    @property
    def name(self) -> str:
        """Of the connector."""
        ...

    def loader(self, config: Any, credentials: Any) -> Any:
        """Return the loader."""


@define(eq=False)
class LoaderReading:
    """Calls a loader in the thread that reads.

    Attributes:
        skips_errors: the loader says of itself that it leaves out what it cannot read.
    """

    _connector: HasLoader
    _config: Any
    _credentials: Any
    _on_stop: OnStop
    skips_errors: bool = field(init=False, default=False)

    def documents(self) -> Generator[Any, None, None]:
        """Yield what the loader gives.

        Raises:
            ConfigurationError: it is no loader.
        """
        loader = made_by(self._connector.loader, self._config, self._credentials)
        self.skips_errors = skips_errors(loader)
        if self.skips_errors:
            log.warning(
                "%s skips what it cannot read, so that nothing is deleted. Give it raise_on_error=True (LlamaIndex) or "
                "silent_errors=False (LangChain)",
                type(loader).__name__,
            )
        for call in calls_of(loader):
            has_begun = False
            try:
                for item in self._given(call):
                    has_begun = True
                    yield from item if isinstance(item, list) else [item]
            except NotImplementedError:
                if has_begun:
                    raise
                continue  # A base class has the method, but only others of this loader work.
            return
        raise ConfigurationError(
            f"{type(self._connector).__name__}.loader() returned {type(loader).__name__}: return a LangChain loader, a "
            f"LlamaIndex reader, or an iterable of their documents"
        )

    def _given(self, call: Callable[[], Any]) -> Iterator[Any]:
        """Yield what a call gives: an iterable, an async one, or something to be awaited that has one of them."""
        given = call()
        if hasattr(given, "__await__") or isinstance(given, AsyncIterable):
            yield from self._awaited(given)
        elif isinstance(given, Iterable) and not isinstance(given, (str, bytes, Mapping)):
            yield from given
        else:
            yield given

    def _awaited(self, given: Any) -> Iterator[Any]:
        loop = EventLoop(f"loader of {self._connector.name}")
        try:
            if hasattr(given, "__await__"):
                given = loop.run(given, on_stop=self._on_stop, grace_seconds=0)
            if not isinstance(given, AsyncIterable):
                yield from given
                return
            iterator = aiter(given)
            while (found := loop.run(_next(iterator), on_stop=self._on_stop, grace_seconds=0)) is not None:
                yield found[0]
        finally:
            loop.close()


def calls_of(loader: Any) -> list[Callable[[], Any]]:
    """Return the ways to get the documents of what an author's ``loader()`` returned, the best first."""
    methods = [getattr(loader, name) for name in METHODS if callable(getattr(loader, name, None))]
    if methods:
        return methods
    if isinstance(loader, (Iterable, AsyncIterable)) and not isinstance(loader, (str, bytes, Mapping)):
        return [lambda: loader]
    return [loader] if callable(loader) else []


def skips_errors(loader: Any) -> bool:
    """Say whether a loader is set to leave out what it cannot read."""
    return getattr(loader, "silent_errors", False) is True or getattr(loader, "raise_on_error", True) is False


async def _next(iterator: Any) -> tuple[Any] | None:
    try:
        return (await anext(iterator),)
    except StopAsyncIteration:
        return None
