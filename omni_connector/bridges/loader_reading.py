"""Calls the loaders and readers of LangChain and LlamaIndex, recognised by their methods."""

import logging
from collections.abc import AsyncIterable, Callable, Generator, Iterable, Iterator, Mapping
from functools import partial
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


SKIPPING = {
    "silent_errors": True,
    "continue_on_failure": True,
    "ignore_load_errors": True,
    "ignore_scrape_failures": True,
    "raise_on_error": False,
    "fail_on_error": False,
    "_fail_on_error": False,
    "stop_on_error": False,
}
"""Options of the loaders of LangChain and LlamaIndex with the value that makes them skip errors: for many, the default."""


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
        for reader, option in skipping(loader):
            self.skips_errors = True
            log.warning(
                "%s skips what it cannot read, so that nothing is deleted. Give it %s=%s",
                type(reader).__name__,
                option.removeprefix("_"),
                not SKIPPING[option],
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


def skipping(loader: Any) -> Iterator[tuple[Any, str]]:
    """Yield the readers that are set to leave out what they cannot read, each with its option that says so."""
    while isinstance(loader, partial):
        loader = loader.func
    loader = getattr(loader, "__self__", loader)  # A method of a reader.
    for option, skips in SKIPPING.items():
        if getattr(loader, option, None) is skips:
            yield loader, option
    inner = getattr(loader, "loaders", None)  # LangChain's MergedDataLoader.
    for each in inner if isinstance(inner, list | tuple) else ():
        yield from skipping(each)


async def _next(iterator: Any) -> tuple[Any] | None:
    try:
        return (await anext(iterator),)
    except StopAsyncIteration:
        return None
