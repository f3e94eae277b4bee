"""Sessions that read a source: they wait, repeat and end as their run needs it."""

from __future__ import annotations

import gc
import re
import threading
import time
import weakref
from functools import partial

import pytest
import requests
from support.raw_server import RawServer, read_request
from support.scripted import Scripted
from support.source_server import BREAK, Answer, AsyncScripted, SourceServer, reading
from support.waiting import QUICKLY

from omni_connector import ConfigurationError, Document, DocumentPermissions
from omni_connector.masking import error_text
from omni_connector.runstore.runs import SharedRuns
from omni_connector.runstore.sources import StoredSources
from omni_connector.runstore.sqlite import SqliteStore
from omni_connector.runtime.failure_text import reason_with_causes
from omni_connector.sources import (
    BasicAuth,
    BearerAuth,
    ClientCredentials,
    HeaderAuth,
    ManagerCredentials,
    QueryAuth,
    RateLimitedError,
    RefreshToken,
    RequestRate,
    ResponseTooLargeError,
    SourceHttpError,
    SourceTimeoutError,
    SourceUnreachableError,
    TimeOuts,
    http_session,
)
from omni_connector.sources.source_run import NoRun
from omni_connector.telemetry.figures import Stage
from omni_connector.testing import MemoryManager, run_sync


def emit(ctx, text):
    return ctx.emit(
        Document(external_id="1", title="T", content=text, permissions=DocumentPermissions(public=True))
    )


def test_a_blocking_run_reads_addresses_relative_to_the_base():
    with SourceServer(lambda seen: Answer({"path": seen.path})) as server:
        result = run_sync(
            Scripted(
                lambda ctx: emit(
                    ctx, http_session(ctx, base_url=server.url + "/v1").get("/items").json()["path"]
                )
            )
        )
    assert result.status == "completed"
    assert result.documents["1"].content == "/v1/items"
    assert server.seen[0].headers["User-Agent"].startswith("omni-connector-python/")


def test_an_async_run_awaits_the_same_calls_and_its_loop_goes_on():
    ticks = []
    both = threading.Barrier(2, timeout=20)

    def answer(seen):
        both.wait()  # Both requests are in the air at once.
        return Answer({"path": seen.path})

    async def script(ctx):
        import asyncio

        with ctx.http(server.url) as session:
            first, second = session.get("/a"), session.get("/b")
            ticks.append(asyncio.get_running_loop().time())
            paths = [(await each).json()["path"] for each in (first, second)]
        await emit(ctx, " ".join(paths))

    with SourceServer(answer) as server:
        result = run_sync(AsyncScripted(script))
    assert result.documents["1"].content == "/a /b"
    assert ticks


def test_what_the_source_refuses_for_a_while_is_asked_for_again():
    refusals = [
        Answer(status=429, headers={"Retry-After": "0"}),
        Answer(status=503),
        Answer(status=403, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "0"}),
        BREAK,
        Answer({"ok": True}),
    ]
    with SourceServer(refusals) as server, http_session(base_url=server.url) as session:
        assert session.get("/x").json() == {"ok": True}
    assert len(server.seen) == 5


def test_a_post_is_repeated_only_if_it_was_not_carried_out_or_may_be():
    with (
        SourceServer([Answer(status=429), Answer(), BREAK, BREAK, Answer()]) as server,
        http_session(base_url=server.url) as session,
    ):
        assert session.post("/x", json={}).status_code == 200
        with pytest.raises(
            SourceUnreachableError, match=r"not repeated, because a POST .* repeat=True"
        ) as caught:
            session.post("/x", json={})
        assert caught.value.was_sent
        assert session.post("/x", json={"a": 1}, repeat=True).status_code == 200
    assert [seen.body for seen in server.seen[-2:]] == [b'{"a": 1}'] * 2


def test_a_request_is_not_repeated_if_none_is_wanted_or_its_body_can_be_read_only_once():
    class Once:
        def __init__(self):
            self.parts = [b"part"]

        def __len__(self):
            return 4

        def __iter__(self):
            return self

        def __next__(self):
            if not self.parts:
                raise StopIteration
            return self.parts.pop()

    busy = Answer(status=429, headers={"Retry-After": "0"})
    with SourceServer([busy, busy, Answer(status=503), BREAK]) as server:
        with http_session(base_url=server.url, retries=0) as once:
            assert once.get("/").status_code == 429
        with http_session(base_url=server.url) as session:
            assert [session.put("/", data=Once()).status_code for _ in range(2)] == [429, 503]
            with pytest.raises(SourceUnreachableError, match="cannot be read a second time"):
                session.put("/", data=Once())
    assert [seen.body for seen in server.seen] == [b"", b"part", b"part", b"part"]


def test_an_answer_that_breaks_off_is_read_again():
    def broken(connection):
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")

    def whole(connection):
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1234567890")

    with RawServer(broken, whole) as server, http_session() as session:
        assert session.get(server.url).text == "1234567890"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
def test_a_byte_now_and_then_does_not_defer_the_deadline(head):
    over = threading.Event()

    def drip(connection):
        read_request(connection)
        connection.sendall(head)
        while not over.wait(0.05):
            connection.sendall(b"x")

    with RawServer(drip) as server:
        with http_session(retries=0, timeout_seconds=TimeOuts(read=5, total=0.5)) as session:
            began = time.monotonic()
            with pytest.raises(SourceTimeoutError):
                session.get(server.url)
            assert time.monotonic() - began < QUICKLY
        over.set()


@pytest.mark.parametrize(("colour", "in_body"), [("blocking", False), ("blocking", True), ("async", True)])
def test_a_cancellation_ends_a_request_that_is_under_way(colour, in_body, cancelled_after):
    began, over = threading.Event(), threading.Event()

    def hang(connection):
        read_request(connection)
        if in_body:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
        began.set()
        over.wait(60)

    with RawServer(hang) as server:
        seconds, _ = cancelled_after(reading(colour, server.url), lambda _: began.is_set())
        over.set()
    assert seconds < QUICKLY


@pytest.mark.parametrize("is_stream", [False, True])
def test_what_a_cancellation_breaks_off_is_not_taken_for_a_whole_body(is_stream, cancelled_after):
    """Its end would be that of the connection."""
    began, over, found = threading.Event(), threading.Event(), []

    def hang(connection):
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n12345")
        began.set()
        over.wait(60)

    def script(ctx):
        found.append(list(ctx.http(server.url).get("/x", stream=is_stream).iter_content(5)))

    with RawServer(hang) as server:
        cancelled_after(Scripted(script), lambda _: began.is_set())
        over.set()
    assert found == []


@pytest.mark.parametrize("colour", ["blocking", "async"])
def test_a_cancellation_ends_a_wait_of_an_hour_which_counts_as_alive_and_as_a_rate_limit(
    colour, cancelled_after
):
    why = "waiting for the rate limit of its source"
    with SourceServer([Answer(status=429, headers={"Retry-After": "3600"})]) as server:
        seconds, sync = cancelled_after(reading(colour, server.url), lambda sync: sync.pulse.last == why)
    assert seconds < QUICKLY
    assert sync.run_figures.stages[Stage.WAITING_RATE_LIMIT] > 0
    assert len(server.seen) == 1


def test_the_wait_that_one_thread_is_asked_for_holds_for_all():
    with (
        SourceServer([Answer(headers={"RateLimit": '"default";r=0;t=1'}), Answer(), Answer()]) as server,
        http_session(base_url=server.url) as session,
    ):
        session.get("/a")
        began = time.monotonic()
        threads = [threading.Thread(target=session.get, args=("/b",)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert time.monotonic() - began >= 0.9


def test_a_wait_longer_than_a_request_waits_is_an_error_and_no_more_requests_are_sent():
    with (
        SourceServer([Answer(status=429, headers={"Retry-After": "90"})]) as server,
        http_session(base_url=server.url) as session,
    ):
        session.patience_seconds = 30
        with pytest.raises(RateLimitedError, match="allows requests again in 90 s") as caught:
            session.get("/a").raise_for_status()
        assert caught.value.retry_after == 90
        session.patience_seconds = 1
        with pytest.raises(RateLimitedError, match="not sent"):
            session.get("/a")
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "said",
    [
        Answer(headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "86400"}),
        Answer(status=429, headers={"Retry-After": "86400"}),
    ],
    ids=["exhausted", "refused"],
)
def test_a_daily_quota_refuses_the_next_request_at_once(said):
    with SourceServer([said]) as server, http_session(base_url=server.url) as session:
        session.patience_seconds = 60
        session.get("/a")
        began = time.monotonic()
        with pytest.raises(RateLimitedError, match="allows requests again in 86400 s"):
            session.get("/a")
        assert time.monotonic() - began < QUICKLY  # It does not wait for all of its patience first.
    assert len(server.seen) == 1


def test_a_rate_is_kept_by_all_threads():
    with (
        SourceServer(lambda seen: Answer()) as server,
        http_session(base_url=server.url, rate=RequestRate(20, burst=2)) as session,
    ):
        began = time.monotonic()
        threads = [threading.Thread(target=session.get, args=("/",)) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert time.monotonic() - began >= 0.49  # Two at once, then twenty a second.


def test_an_error_says_what_was_asked_and_answered_without_secrets():
    body = {"error": "no such item", "key": "sekrit-key-1234"}
    with (
        SourceServer([Answer(body, status=404)]) as server,
        http_session(base_url=server.url, auth=QueryAuth("k", "sekrit-key-1234")) as session,
        pytest.raises(SourceHttpError) as caught,
    ):
        session.get("/items/7", params={"a": 1}).raise_for_status()
    error = caught.value
    assert isinstance(error, requests.HTTPError)
    assert (error.status, error.method) == (404, "GET")
    assert f'GET {server.url}/items/7?a=1&k=*** was answered 404 Not Found: {{"error": "no such item"' in str(
        error
    )
    assert "sekrit" not in str(error) + error.url + error.body_start


@pytest.mark.parametrize(
    "auth", [HeaderAuth("X-Key", "sekrit-key-1234"), BasicAuth("ada", "sekrit-key-1234")]
)
def test_secrets_go_to_the_host_of_the_base_only(auth):
    with SourceServer(lambda seen: Answer()) as other:
        elsewhere = other.url.replace("127.0.0.1", "localhost")
        with (
            SourceServer([Answer(), Answer(status=302, headers={"Location": elsewhere})]) as server,
            http_session(base_url=server.url, auth=auth) as session,
        ):
            session.get("/a")
            session.get("/moved")
            session.get(elsewhere)
            session.auth_hosts.add("localhost")
            session.get(elsewhere)
    name = auth.headers[0]
    assert [name in seen.headers for seen in server.seen] == [True, True]
    assert [name in seen.headers for seen in other.seen] == [False, False, True]


def test_secrets_do_not_follow_a_link_to_http():
    with http_session(
        base_url="https://api.example.com", auth=HeaderAuth("X-Key", "sekrit-key-1234")
    ) as session:
        session.auth_hosts.add("files.example.com")
        urls = ("https://files.example.com/a", "http://files.example.com/a", "http://api.example.com/a")
        prepared = [session.prepare_request(requests.Request("GET", url)) for url in urls]
    assert ["X-Key" in request.headers for request in prepared] == [True, False, False]


def test_a_body_that_is_too_large_is_an_error():
    with SourceServer([Answer(b"x" * 100)]) as server, http_session(base_url=server.url) as session:
        session.max_bytes = 50
        with pytest.raises(ResponseTooLargeError, match="larger than 50 bytes"):
            session.get("/")


def test_a_connection_that_cannot_be_made_is_tried_again_also_for_a_post(caplog):
    with RawServer(lambda connection: connection.close()) as server:
        url = server.url
    with (
        http_session(retries=2) as session,
        pytest.raises(SourceUnreachableError, match="after 3 attempts") as caught,
    ):
        session.post(f"{url}/items?key=s3cret")
    assert not caught.value.was_sent
    [message] = caplog.messages  # Of the first repeat only.
    assert re.fullmatch(
        rf"POST {re.escape(url.removeprefix('http://'))}/items: .*Connection refused, repeated in 0\.\d+ s, 1 of 2",
        message,
    )


def test_a_run_has_one_session_for_equal_options_and_closes_it():
    found = []

    def script(ctx):
        found.extend([ctx.http("http://a"), ctx.http("http://a"), ctx.http("http://b")])
        with ctx.http("http://a"):
            pass
        found.append(ctx.http("http://a"))

    run_sync(Scripted(script))
    assert found[0] is found[1]
    assert found[2] is not found[0]
    assert found[3] is not found[0]
    assert [session.is_closed for session in found] == [True] * 4


KINDS = {
    "pair": lambda key: ("ada", key),
    "requests": lambda key: requests.auth.HTTPBasicAuth("ada", key),
    "bearer": BearerAuth,
    "basic": lambda key: BasicAuth("ada", key),
    "header": lambda key: HeaderAuth("X-Key", key),
    "query": lambda key: QueryAuth("key", key),
    "client": lambda key: ClientCredentials("http://a/token", "client-1", key, audience="a"),
    "refresh": lambda key: RefreshToken("http://a/token", "client-1", key),
    "manager": ManagerCredentials,
}


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_authentication_that_is_made_for_each_call_gives_one_session_if_it_is_the_same(make):
    found = []

    def script(ctx):
        found.extend(ctx.http("http://a", auth=make("sekrit-key-1234")) for _ in range(3))
        found.append(ctx.http("http://a", auth=make("another-key-1234")))

    run_sync(Scripted(script))
    assert found[0] is found[1] is found[2] is not found[3]


def test_a_run_keeps_no_session_for_each_of_many_accounts_but_closes_what_is_held():
    held, others = [], []

    def script(ctx):
        held.append(ctx.http("http://a"))
        others.extend(weakref.ref(ctx.http(f"http://b{number}")) for number in range(40))
        gc.collect()
        assert sum(each() is not None for each in others) <= 16

    result = run_sync(Scripted(script))
    assert result.status == "completed"
    assert held[0].is_closed


@pytest.mark.parametrize("colour", ["blocking", "async"])
def test_a_session_raises_for_a_status_if_it_is_asked_to(colour):
    caught = []

    def blocking(ctx):
        with pytest.raises(SourceHttpError, match="answered 404") as error:
            ctx.http(server.url, raise_for_status=True).get("/x")
        caught.append(error.value.response.status_code)
        assert ctx.http(server.url).get("/x").status_code == 404

    async def awaiting(ctx):
        with pytest.raises(SourceHttpError, match="answered 404") as error:
            await ctx.http(server.url, raise_for_status=True).get("/x")
        caught.append(error.value.response.status_code)

    with SourceServer(lambda seen: Answer({"error": "no"}, status=404)) as server:
        connector = Scripted(blocking) if colour == "blocking" else AsyncScripted(awaiting)
        assert run_sync(connector).status == "completed"
    assert caught == [404]


def test_sessions_of_one_source_share_its_rate_and_what_its_host_has_said(tmp_path):
    stores = [SqliteStore(tmp_path / "runs.sqlite3", "c") for _ in range(2)]
    processes = [StoredSources(SharedRuns.of(store), MemoryManager()) for store in stores]
    rate = RequestRate(0.1, budget="account-7")
    assert [shared.spend("source-1", rate) for shared in processes] == [0, pytest.approx(10, abs=1)]
    assert processes[0].spend("source-2", RequestRate(0.1)) == 0
    with SourceServer([Answer(headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "60"})]) as server:
        with http_session(NoRun("source-1", shared=processes[0])) as session:
            session.get(server.url)
        with http_session(NoRun("source-1", shared=processes[0])) as another:
            another.patience_seconds = 10
            with pytest.raises(RateLimitedError, match="not sent"):
                another.get(server.url)
        # The other process has not sent anything yet, and one that has learns of it within a second.
        with http_session(NoRun("source-1", shared=processes[1])) as elsewhere:
            elsewhere.patience_seconds = 10
            with pytest.raises(RateLimitedError, match="not sent") as caught:
                elsewhere.get(server.url)
        assert 50 < caught.value.retry_after <= 60
        assert processes[1].gate("source-2", "127.0.0.1").seconds_left == 0
        assert len(server.seen) == 1
    for store in stores:
        store.close()


def test_a_shorter_pause_of_another_process_does_not_end_a_longer_one_and_each_learns_of_it(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("omni_connector.runstore.sources.GATE_SECONDS", 0.0)
    stores = [SqliteStore(tmp_path / "runs.sqlite3", "c") for _ in range(2)]
    gates = [
        StoredSources(SharedRuns.of(store), MemoryManager()).gate("source-1", "example.com")
        for store in stores
    ]
    assert [gate.seconds_left for gate in gates] == [0, 0]
    gates[0].close_for(60)
    gates[1].close_for(5)
    assert all(50 < gate.seconds_left <= 60 for gate in gates)
    longer = [StoredSources(gate._runs, MemoryManager()).gate("source-2", "example.com") for gate in gates]
    longer[0].close_for(1e12)  # Such as an epoch in microseconds.
    assert all(86_000 < gate.seconds_left <= 86_400 for gate in longer)
    for store in stores:
        store.close()
    (tmp_path / "runs.sqlite3").write_text("no database any more" * 100)
    gates[0].close_for(90)  # Without the store, each process has its own.
    assert 80 < gates[0].seconds_left <= 90


def streamed(connection, body=b"x" * 10, length=100):
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (length, body))


def test_a_body_that_is_read_in_pieces_ends_with_its_run(cancelled_after):
    over, reading = threading.Event(), threading.Event()

    def hanging(connection):
        streamed(connection)
        over.wait(60)

    def script(ctx):
        for _ in ctx.http(server.url).get("/file", stream=True).iter_content(10):
            reading.set()

    with RawServer(hanging) as server:
        seconds, _ = cancelled_after(Scripted(script), lambda _: reading.is_set())
        over.set()
    assert seconds < QUICKLY


def test_a_body_that_is_read_in_pieces_says_what_is_wrong_with_it():
    over = threading.Event()

    def late(connection):
        streamed(connection)
        over.wait(60)

    with (
        RawServer(streamed, late, partial(streamed, length=10), partial(streamed, length=10)) as server,
        http_session(base_url=server.url, timeout_seconds=TimeOuts(read=0.3)) as session,
    ):
        for kind, text in (
            (SourceUnreachableError, "the body broke off"),
            (SourceTimeoutError, "no answer in time"),
        ):
            answer = session.get("/x", stream=True)
            pieces = answer.iter_content(10)
            assert next(pieces) == b"x" * 10
            with pytest.raises(kind, match=text):
                next(pieces)
            answer.close()
        over.set()
        assert b"".join(session.get("/x", stream=True).iter_content(3)) == b"x" * 10
        session.max_bytes = 5
        with pytest.raises(ResponseTooLargeError):
            list(session.get("/x", stream=True).iter_content(3))


def test_a_piece_of_a_body_that_comes_byte_by_byte_has_a_deadline():
    over = threading.Event()

    def drip(connection):
        streamed(connection, b"x" * 100, length=1000)
        while not over.wait(0.05):
            connection.sendall(b"x")

    with RawServer(drip) as server:
        with http_session(retries=0, timeout_seconds=TimeOuts(read=5, total=1)) as session:
            pieces = session.get(server.url, stream=True).iter_content(100)
            assert next(pieces) == b"x" * 100
            with pytest.raises(SourceTimeoutError):
                next(pieces)  # It would be whole after five seconds.
        over.set()


@pytest.mark.parametrize("url", ["/items", "items", "localhost:80/x", "ftp://example.com/x", ""])
def test_an_address_that_is_no_whole_one_is_refused_with_the_remedy(url):
    with http_session() as session:
        with pytest.raises(
            ConfigurationError, match="is no whole address: give the session a base_url"
        ) as caught:
            session.get(url)
        assert isinstance(caught.value, requests.exceptions.InvalidURL | ValueError)


@pytest.mark.parametrize("base_url", [None, "http://127.0.0.1"])
def test_an_address_that_cannot_be_parsed_is_refused_by_name(base_url):
    with (
        http_session(base_url=base_url) as session,
        pytest.raises(requests.RequestException, match=r"http://\[::1/feed' is no address: Invalid IPv6 URL"),
    ):
        session.get("http://[::1/feed")
    with pytest.raises(ConfigurationError, match=r"base_url: 'http://\[::1' is no address"):
        http_session(base_url="http://[::1")


@pytest.mark.parametrize("address", ["api.example.com/v1", "localhost:8000", "ftp://example.com"])
def test_an_address_without_a_scheme_is_refused_by_name(address):
    with pytest.raises(
        ConfigurationError, match=f"base_url: '{address}' needs http:// or https:// before it"
    ) as caught:
        http_session(base_url=address)
    assert f"(given in {__file__}, line " in str(caught.value)


def test_an_unreachable_source_is_named_once_in_the_log():
    with SourceServer(Answer) as server:
        url = server.url
    with (
        http_session(base_url=url, retries=0) as session,
        pytest.raises(SourceUnreachableError, match="Connection") as refused,
    ):
        session.get("/a")
    assert reason_with_causes(refused.value) == error_text(refused.value)
