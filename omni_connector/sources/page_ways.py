"""The five ways in which interfaces give their pages."""

from typing import Any
from urllib.parse import urljoin

from attrs import frozen

from omni_connector.exceptions import InvalidValueError
from omni_connector.sources.pages import Page, Pages, Position, Way, Where, found_in
from omni_connector.sources.responses import SourceResponse
from omni_connector.sources.session import HttpSession


def link_pages(
    session: HttpSession, url: str, *, items: Where = "", start: Position = None, **options: Any
) -> Pages:
    """Return pages that name the next one in the header ``Link`` (RFC 8288, ``rel="next"``), as GitHub's do.

    Args:
        session: fetches them.
        url: of the first page.
        items: where the list is in each answer; left out, the answer is the list.
        start: a ``position`` that was saved.
        options: of ``session.get``: ``params``, ``headers``, ...
    """
    return Pages(session, _ByAddress(url, _next_link), items=items, start=start, options=options)


def next_url_pages(
    session: HttpSession,
    url: str,
    *,
    next_url: Where,
    items: Where = "",
    start: Position = None,
    **options: Any,
) -> Pages:
    """Return pages that have the address of the next one in their JSON, where ``next_url`` says; otherwise as ``link_pages``.

    Nothing there ends it.
    """
    return Pages(session, _ByAddress(url, next_url), items=items, start=start, options=options)


def cursor_pages(
    session: HttpSession,
    url: str,
    *,
    cursor: Where,
    parameter: str = "cursor",
    items: Where = "",
    start: Position = None,
    **options: Any,
) -> Pages:
    """Return pages that have a cursor for the next one in their JSON, where ``cursor`` says; otherwise as ``link_pages``.

    It is sent in ``parameter``. No cursor ends it. ``start`` may also be a cursor from elsewhere.
    """
    return Pages(session, _ByCursor(url, cursor, parameter), items=items, start=start, options=options)


def offset_pages(
    session: HttpSession, url: str, *, size: int, items: Where = "", start: Position = None, **options: Any
) -> Pages:
    """Return pages by ``offset`` and ``limit``. The next offset counts the items that came; an empty page ends it.

    Args:
        session: fetches them.
        url: of all pages.
        size: items of a page; a source may give fewer. Sent as ``limit``; ``names=("skip", "top")`` renames both
            parameters.
        items: where the list is in each answer.
        start: a ``position`` that was saved.
        options: of ``session.get``, and ``names``; and where the answer says how far it goes, which saves the request for
            the empty page: ``more="has_more"`` (true or something where there is another page), or ``total="meta.total"``
            (the number of items).
    """
    options.setdefault("names", ("offset", "limit"))
    counted = _Counted.taken_from(options, url=url, size=size, by_items=True)
    return Pages(session, counted, items=items, start=start, options=options)


def numbered_pages(
    session: HttpSession,
    url: str,
    *,
    size: int,
    first: int = 1,
    items: Where = "",
    start: Position = None,
    **options: Any,
) -> Pages:
    """Return pages by ``page`` and ``per_page``; an empty page ends it.

    Args:
        session: fetches them.
        url: of all pages.
        size: items of a page; a source may give fewer. ``names=("page", "pageSize")`` renames both parameters.
        first: number of the first page.
        items: where the list is in each answer.
        start: a ``position`` that was saved.
        options: as for ``offset_pages``, with the number of pages as ``total``.
    """
    options.setdefault("names", ("page", "per_page"))
    counted = _Counted.taken_from(options, url=url, size=size, begin=first)
    return Pages(session, counted, items=items, start=start, options=options)


@frozen
class _ByAddress(Way):
    url: str
    next_url: Where

    def first(self) -> Position:
        return self.url

    def request(self, position: Position) -> tuple[str, dict[str, Any]]:
        return str(position), {}

    def after(self, page: Page) -> Position:
        found = found_in(page.response, self.next_url)
        return urljoin(page.response.url, str(found)) if found else None


@frozen
class _ByCursor(Way):
    url: str
    cursor: Where
    parameter: str

    def first(self) -> Position:
        return ""

    def request(self, position: Position) -> tuple[str, dict[str, Any]]:
        return self.url, {} if position == "" else {self.parameter: position}

    def after(self, page: Page) -> Position:
        return found_in(page.response, self.cursor) or None


@frozen(kw_only=True)
class _Counted(Way):
    url: str
    names: tuple[str, str]
    size: int
    begin: int = 0
    by_items: bool = False
    more: Where | None = None
    total: Where | None = None

    @classmethod
    def taken_from(cls, options: dict[str, Any], **usual: Any) -> "_Counted":
        """Take its own options out of those of a request."""
        own: dict[str, Any] = {
            name: options.pop(name) for name in ("names", "more", "total") if name in options
        }
        return cls(**usual, **own)

    def first(self) -> Position:
        return self.begin

    def request(self, position: Position) -> tuple[str, dict[str, Any]]:
        return self.url, dict(zip(self.names, (position, self.size), strict=True))

    def after(self, page: Page) -> Position:
        follows = page.position + (len(page.items) if self.by_items else 1)
        if self.more is not None:
            return follows if found_in(page.response, self.more) else None
        total = self._total_of(page)
        is_last = not page.items or (total is not None and follows - self.begin >= total)
        return None if is_last else follows

    def is_perhaps_last(self, page: Page) -> bool:
        """A source that allows fewer items on a page than were asked for gives only such pages."""
        is_said = self.more is not None or self._total_of(page) is not None
        return page.next is not None and not is_said and len(page.items) < self.size

    def _total_of(self, page: Page) -> int | None:
        found = None if self.total is None else found_in(page.response, self.total)
        try:
            return None if found is None else int(found)
        except (TypeError, ValueError):
            raise InvalidValueError(
                model="pages", field="total", value=found, remedy="name the number in the answer"
            ) from None


def _next_link(response: SourceResponse) -> str | None:
    return response.links.get("next", {}).get("url")
