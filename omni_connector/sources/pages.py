"""Reads what an interface gives page by page, in the five ways that interfaces have."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from attrs import evolve, field, frozen

from omni_connector.exceptions import InvalidValueError
from omni_connector.masking import mask
from omni_connector.sources.errors import RepeatedPageError, SourceHttpError
from omni_connector.sources.responses import SourceResponse
from omni_connector.sources.session import HttpSession

Position = Any
"""Where a page begins: a JSON value, to be kept in a checkpoint."""

BEYOND_THE_END = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND)
"""What some sources answer to a request for a page after the last one, where others give an empty page."""

Where = str | Callable[[SourceResponse], Any]
"""Where something is in an answer: a path of keys such as ``meta.next``, or a function of the answer."""


@frozen(kw_only=True)
class Page:
    """One page.

    Attributes:
        items: what is on it.
        position: where it begins: the same page again.
        next: where the next page begins; None on the last one.
        response: the answer, for everything else.
    """

    items: list[Any]
    position: Position
    next: Position = None
    response: SourceResponse = field(repr=False)

    @property
    def body(self) -> Any:
        """The answer's JSON."""
        return self.response.json()


class Way(ABC):
    """How pages follow each other; most ways know the last page when they see it."""

    @abstractmethod
    def first(self) -> Position:
        """Return where the first page begins."""

    @abstractmethod
    def request(self, position: Position) -> tuple[str, dict[str, Any]]:
        """Return the address and the parameters of a page."""

    @abstractmethod
    def after(self, page: Page) -> Position:
        """Return where the page after this one begins; None when it was the last."""

    def is_perhaps_last(self, page: Page) -> bool:
        """Say whether only the page after this one shows whether there is one."""
        del page
        return False


class Pages:
    """Iterates over pages, with ``for``, or with ``async for`` in a session of an ``async def sync``.

    Each page is fetched when it is asked for, or one before where that shows the end; an error is raised as by
    ``raise_for_status``.

    Attributes:
        position: where the next page begins, to be saved when the current page was emitted; None before the first and
            after the last.
    """

    def __init__(
        self, session: HttpSession, way: Way, *, items: Where, start: Position = None, options: dict[str, Any]
    ) -> None:
        self.position: Position = start
        self._session = session
        self._way = way
        self._items = items
        self._options = options
        self._params: Mapping[str, Any] = options.pop("params", None) or {}
        self._seen: set[str] = set()  # Positions.
        self._first: list[Any] = []  # What was on the first page, and on the last one.
        self._last: list[Any] = []
        self._largest = 0  # Items on the largest page before the last one.

    def __iter__(self) -> Iterator[Page]:
        position, ahead = self._begin(), None
        while position is not None:
            page = self._page(position, self._get(position) if ahead is None else ahead)
            ahead = None
            if self._way.is_perhaps_last(page):
                try:
                    ahead = self._get(page.next)
                    ahead.raise_for_status()
                except SourceHttpError as error:
                    self._let_pass(page, error)
                    ahead = None
                page = self._with_next(page, ahead)
            self.position = position = page.next
            yield page

    async def __aiter__(self) -> AsyncIterator[Page]:
        position, ahead = self._begin(), None
        while position is not None:
            page = self._page(position, await self._get(position) if ahead is None else ahead)
            ahead = None
            if self._way.is_perhaps_last(page):
                try:
                    ahead = await self._get(page.next)
                    ahead.raise_for_status()
                except SourceHttpError as error:
                    self._let_pass(page, error)
                    ahead = None
                page = self._with_next(page, ahead)
            self.position = position = page.next
            yield page

    def _begin(self) -> Position:
        self._seen.clear()
        self._first, self._last, self._largest = [], [], 0
        return self._way.first() if self.position is None else self.position

    def _get(self, position: Position) -> SourceResponse:
        key = repr(position)
        if key in self._seen:
            raise _repeated(position)
        self._seen.add(key)
        url, params = self._way.request(position)
        return self._session.get(url, params={**self._params, **params}, **self._options)

    def _page(self, position: Position, response: SourceResponse) -> Page:
        response.raise_for_status()
        items = self._items_of(response)
        if items and items in (self._first, self._last):  # The source does not know the parameter.
            raise _repeated(position)
        self._largest = max(self._largest, len(self._last))
        self._first, self._last = self._first or items, items
        page = Page(items=items, position=position, response=response)
        return evolve(page, next=self._way.after(page))

    def _let_pass(self, page: Page, error: SourceHttpError) -> None:
        """Let the refusal of a page pass that comes after the end.

        Raises:
            SourceHttpError: the page before it was a full one, and the refusal may have another reason.
        """
        is_short = not self._largest or len(page.items) < self._largest
        if error.status not in BEYOND_THE_END or not is_short:
            raise error

    def _with_next(self, page: Page, ahead: SourceResponse | None) -> Page:
        """Return a page that is the last one where nothing comes after it."""
        return page if ahead is not None and self._items_of(ahead) else evolve(page, next=None)

    def _items_of(self, response: SourceResponse) -> list[Any]:
        items = found_in(response, self._items)
        if isinstance(items, list):
            return items
        raise InvalidValueError(
            model="pages",
            field="items",
            value=items,
            remedy="name the list in the answer, such as items='data.items', or give a function of the answer",
        )


def _repeated(position: Position) -> RepeatedPageError:
    return RepeatedPageError(
        f"The page at {mask(repr(position))[:200]} was read before: the source sends the same pages again, and reading on "
        "would never end"
    )


# -- the ways ---------------------------------------------------------------------------------------------------------


def found_in(response: SourceResponse, where: Where) -> Any:
    """Return what is at a path of keys in an answer's JSON; None where there is nothing."""
    if callable(where):
        return where(response)
    found = response.json()
    for key in filter(None, where.split(".")):
        found = found.get(key) if isinstance(found, dict) else None
    return found
