"""Pages in the five ways that interfaces have, in both colours."""

from __future__ import annotations

import pytest
from support.source_server import Answer, AsyncScripted, SourceServer

from omni_connector import InvalidValueError
from omni_connector.sources import (
    RepeatedPageError,
    SourceHttpError,
    cursor_pages,
    http_session,
    link_pages,
    next_url_pages,
    numbered_pages,
    offset_pages,
)
from omni_connector.testing import run_sync

ITEMS = [1, 2, 3, 4, 5]


def interface(seen):
    """Answer with two items a page, in each way."""
    query = seen.query
    number = int(
        query.get("n") or query.get("cursor") or query.get("skip") or 2 * (int(query.get("page", 1)) - 1)
    )
    items, end = ITEMS[number : number + 2], number + 2 >= len(ITEMS)
    following = f"/{seen.path.strip('/')}?n={number + 2}"
    if seen.path == "/link":
        return Answer(items, headers={} if end else {"Link": f'<{following}>; rel="next", </x>; rel="last"'})
    body = {
        "data": {"items": items},
        "next": None if end else following,
        "meta": {"cursor": "" if end else number + 2},
    }
    return Answer(body)


@pytest.fixture
def session():
    with SourceServer(interface) as server, http_session(base_url=server.url) as opened:
        opened.server = server
        yield opened


WAYS = {
    "link": lambda session, **more: link_pages(session, "/link", **more),
    "next": lambda session, **more: next_url_pages(
        session, "/a", next_url="next", items="data.items", **more
    ),
    "cursor": lambda session, **more: cursor_pages(
        session, "/a", cursor="meta.cursor", items="data.items", **more
    ),
    "offset": lambda session, **more: offset_pages(
        session, "/a", size=2, items="data.items", names=("skip", "top"), **more
    ),
    "number": lambda session, **more: numbered_pages(session, "/a", size=2, items="data.items", **more),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_all_pages_are_read_once_and_from_any_position_on(way, session):
    pages = way(session, params={"q": "x"})
    read, positions = [], []
    for page in pages:
        read.append(page.items)
        positions.append(pages.position)
    assert read == [[1, 2], [3, 4], [5]]
    assert positions[-1] is None
    assert session.server.seen[0].query["q"] == "x"
    assert [page.items for page in way(session, start=positions[0])] == [[3, 4], [5]]


def test_async_for_reads_them_in_an_async_run():
    read = []

    async def script(ctx):
        pages = cursor_pages(ctx.http(server.url), "/a", cursor="meta.cursor", items="data.items")
        async for page in pages:
            read.extend(page.items)
            await ctx.save_state({"position": pages.position})

    with SourceServer(interface) as server:
        result = run_sync(AsyncScripted(script))
    assert (read, result.status, result.state) == (ITEMS, "completed", {"position": None})


def test_a_page_that_comes_again_is_an_error():
    with (
        SourceServer(lambda seen: Answer({"items": [1], "next": "c1"})) as server,
        http_session(base_url=server.url) as session,
        pytest.raises(RepeatedPageError, match="'c1' was read before"),
    ):
        list(cursor_pages(session, "/", cursor="next", items="items"))
    assert len(server.seen) == 2


def test_a_source_that_ignores_the_number_of_the_page_is_an_error():
    with (
        SourceServer(lambda seen: Answer([1, 2])) as server,
        http_session(base_url=server.url) as session,
        pytest.raises(RepeatedPageError),
    ):
        list(numbered_pages(session, "/", size=2))
    assert len(server.seen) == 2


def test_a_status_is_an_error_and_so_is_a_list_that_is_not_there(session):
    with pytest.raises(InvalidValueError, match="name the list in the answer"):
        list(link_pages(session, "/a", items="data.wrong"))
    with SourceServer([Answer(status=404)]) as server, pytest.raises(SourceHttpError):
        list(link_pages(session, server.url))


def capped(seen):
    """Give at most three of eight items, whatever the request asks for."""
    query = seen.query
    size = min(3, int(query.get("per_page") or query["limit"]))
    begin = int(query["offset"]) if "offset" in query else size * (int(query["page"]) - 1)
    items = list(range(8))[begin : begin + size]
    if seen.path == "/strict" and not items:
        return Answer({"error": "no such page"}, status=404)
    return Answer({"items": items, "total": 8, "pages": 3, "more": begin + size < 8})


CAPPED = {
    "offset": (lambda session, url, **more: offset_pages(session, url, size=5, items="items", **more), 3),
    "number": (lambda session, url, **more: numbered_pages(session, url, size=5, items="items", **more), 2),
}


@pytest.mark.parametrize(("way", "second"), CAPPED.values(), ids=CAPPED)
@pytest.mark.parametrize(
    ("url", "said", "requests"),
    [("/a", {}, 4), ("/strict", {}, 4), ("/a", {"more": "more"}, 3), ("/a", {"total": "total or pages"}, 3)],
)
def test_a_source_that_gives_fewer_items_than_asked_for_is_read_to_its_end(way, second, url, said, requests):
    if "total" in said:
        said = {"total": "total" if second == 3 else "pages"}
    read, positions = [], []
    with SourceServer(capped) as server, http_session(base_url=server.url) as session:
        pages = way(session, url, **said)
        for page in pages:
            read.append(page.items)
            positions.append(pages.position)
        assert len(server.seen) == requests
        assert [page.items for page in way(session, url, start=second, **said)] == read[1:]
    assert read == [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert positions[0] == second
    assert positions[-1] is None


def test_a_page_that_is_refused_after_full_ones_is_an_error():
    def shallow(seen):
        return Answer(status=400) if seen.query["page"] == "3" else capped(seen)

    with SourceServer(shallow) as server, http_session(base_url=server.url) as session:
        pages = numbered_pages(session, "/a", size=5, items="items")
        read = []
        with pytest.raises(SourceHttpError, match="answered 400"):
            read.extend(page.items for page in pages)
        assert read == [[0, 1, 2]]
        assert pages.position == 2  # The page that was not given is read again.


def test_async_for_reads_a_capped_source_to_its_end():
    read = []

    async def script(ctx):
        async for page in numbered_pages(ctx.http(server.url), "/strict", size=5, items="items"):
            read.extend(page.items)

    with SourceServer(capped) as server:
        result = run_sync(AsyncScripted(script))
    assert (read, result.status) == (list(range(8)), "completed")
