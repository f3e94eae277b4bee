"""Many requests from one thread: answers, stale connections, breaks, time-outs, aborts, the end."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from pathlib import Path

import pytest
from support.raw_server import RESET, RawServer, answering, ok, read_request
from support.scripted_manager import HANG, Answer, ScriptedManager, refused_port
from support.waiting import eventually

from omni_connector import SdkClient, SdkClientError
from omni_connector.manager import Policies, RetryPolicy
from omni_connector.manager.answer import LaneError, LaneResponse
from omni_connector.manager.lane import Lane
from omni_connector.manager.multiplexer import Job, Multiplexer

WAIT = 10
FILES = Path("/proc/self/fd")
"""This process's open files."""


class Rig:
    """A multiplexer and what it has answered, in order."""

    def __init__(self, url: str, *, read_seconds: float = 30.0) -> None:
        self.lane = Lane(url, headers={}, tls=None, connect_seconds=5.0, read_seconds=read_seconds)
        self.wire = Multiplexer(self.lane, name="test-wire", connect_seconds=5.0, read_seconds=read_seconds)
        self.outcomes: queue.SimpleQueue[tuple[str, LaneResponse | LaneError]] = queue.SimpleQueue()

    def submit(self, name="a", body=b"[]", *, stop=None, seconds=30.0):
        self.wire.submit(
            Job(
                f"/{name}",
                (body,),
                stop or threading.Event(),
                lambda out: self.outcomes.put((name, out)),
                seconds,
            )
        )

    def next(self):
        return self.outcomes.get(timeout=WAIT)

    def response(self):
        outcome = self.next()[1]
        assert isinstance(outcome, LaneResponse), outcome
        return outcome.status, outcome.body

    def error(self):
        outcome = self.next()[1]
        assert isinstance(outcome, LaneError), outcome
        return str(outcome)


@pytest.fixture
def rig():
    with contextlib.ExitStack() as stack:

        def make(url, **changes):
            made = Rig(url, **changes)
            stack.callback(made.wire.close)
            return made

        yield make


def test_a_request_is_the_lane_s_and_its_answer_comes_whole(rig):
    seen = []

    def script(connection):
        seen.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")
        connection.sendall(b"ngth: 4\r\n\r\nab")
        connection.sendall(b"cd")

    with RawServer(script) as server:
        wire = rig(server.url)
        wire.submit(body=b"[1,2]")
        assert wire.response() == (200, b"abcd")
    ((head, body),) = seen
    assert head.startswith(b"POST /a HTTP/1.1\r\nHost: 127.0.0.1:")
    assert body == b"[1,2]"


def test_a_connection_carries_one_request_after_the_other(rig):
    with RawServer(answering(ok(b"1"), ok(b"2"), ok(b"3"))) as server:
        wire = rig(server.url)
        for expected in (b"1", b"2", b"3"):
            wire.submit()
            assert wire.response() == (200, expected)
        assert server.accepted == 1


def test_no_more_requests_than_the_limit_are_under_way():
    arrived, release = threading.Semaphore(0), threading.Event()
    most, now, lock = [0], [0], threading.Lock()

    def hold(_):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        arrived.release()
        assert release.wait(WAIT)
        with lock:
            now[0] -= 1
        return Answer()

    with ScriptedManager() as manager:
        manager.script(*[hold] * 12)
        wire = Rig(manager.url)
        wire.wire.limit = 3
        for number in range(12):
            wire.submit(f"{number}")
        for _ in range(3):
            assert arrived.acquire(timeout=WAIT)
        assert wire.wire.waiting == 9
        release.set()
        assert {wire.next()[0] for _ in range(12)} == {str(number) for number in range(12)}
        assert most[0] == 3
        wire.wire.close()


def test_a_connection_that_was_closed_while_idle_is_replaced_without_a_word(rig):
    with RawServer(answering(ok(b"1")), answering(ok(b"2"))) as server:
        wire = rig(server.url)
        wire.submit()
        assert wire.response() == (200, b"1")
        wire.submit()
        assert wire.response() == (200, b"2")
        assert server.accepted == 2


def test_a_connection_that_closes_on_the_next_request_is_replaced_too(rig):
    """The close may be on its way while the request is."""

    def script(connection):
        answering(ok(b"1"))(connection)
        read_request(connection)

    with RawServer(script, answering(ok(b"2"))) as server:
        wire = rig(server.url)
        wire.submit()
        assert wire.response() == (200, b"1")
        wire.submit()
        assert wire.response() == (200, b"2")


def test_an_answer_that_closes_the_connection_is_an_answer(rig):
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it"
    with RawServer(answering(closing), answering(ok(b"2"))) as server:
        wire = rig(server.url)
        wire.submit()
        assert wire.response() == (200, b"all of it")
        wire.submit()
        assert wire.response() == (200, b"2")


def test_a_body_beyond_the_socket_s_buffer_is_sent_whole(rig):
    seen = []

    def script(connection):
        seen.append(len(read_request(connection)[1]))
        connection.sendall(ok(b"1"))

    with RawServer(script) as server:
        wire = rig(server.url)
        wire.submit(body=b"x" * 20_000_000)
        assert wire.response() == (200, b"1")
    assert seen == [20_000_000]


def test_a_manager_that_takes_a_large_body_slowly_is_waited_for(rig):
    def script(connection):
        read = 0
        for portion in (*range(2_000_000, 10_000_000, 2_000_000), 30_000_000):
            while read < portion:
                data = connection.recv(65536)
                if not data:
                    return
                read += len(data)
            threading.Event().wait(0.3)
        connection.sendall(ok(b"1"))

    with RawServer(script) as server:
        wire = rig(server.url, read_seconds=0.7)
        wire.submit(body=b"x" * 30_000_000)
        assert wire.response() == (200, b"1")


def test_an_answer_before_everything_was_sent_is_taken(rig):
    def script(connection):
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1 << 20):
            pass

    with RawServer(script, answering(ok(b"2"))) as server:
        wire = rig(server.url)
        wire.submit(body=b"x" * 30_000_000)
        assert wire.response() == (413, b"")
        wire.submit()
        assert wire.response() == (200, b"2")  # On another connection.


@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"])
def test_a_connection_that_breaks_gives_no_answer(rig, said, reset):
    def script(connection):
        read_request(connection)
        connection.sendall(said)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    with RawServer(script, answering(ok(b"2"))) as server:
        wire = rig(server.url)
        wire.submit()
        assert wire.error()
        wire.submit()
        assert wire.response() == (200, b"2")


def test_an_answer_without_a_length_is_not_over_when_the_connection_is_reset(rig):
    begun = threading.Event()

    def script(connection):
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf of it")
        assert begun.wait(WAIT)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    with RawServer(script) as server:
        wire = rig(server.url)
        wire.submit()
        eventually(lambda: any(one.answer.begun for one in list(wire.wire._busy)))
        begun.set()
        assert "ConnectionResetError" in wire.error()


def test_an_answer_that_is_not_http_is_none(rig):
    with RawServer(answering(b"SSH-2.0-OpenSSH_9\r\n")) as server:
        wire = rig(server.url)
        wire.submit()
        assert "not HTTP" in wire.error()


@pytest.mark.parametrize("host", ["127.0.0.1", "no..host", "x" * 64])
def test_a_manager_that_is_not_there_is_said_for_each_job(rig, host):
    wire = rig(f"http://{host}:{refused_port()}")
    for number in range(5):
        wire.submit(f"{number}")
    outcomes = dict(wire.next() for _ in range(5))
    assert set(outcomes) == {"0", "1", "2", "3", "4"}
    assert all(isinstance(one, LaneError) and not one.sent for one in outcomes.values())


@pytest.mark.parametrize(("read_seconds", "seconds"), [(0.05, 30.0), (0.4, 0.05)])
def test_a_manager_that_does_not_answer_is_left(rig, read_seconds, seconds):
    with ScriptedManager() as manager:
        manager.script(HANG)
        wire = rig(manager.url, read_seconds=read_seconds)
        wire.submit(seconds=seconds)
        assert "timed out" in wire.error()


def test_the_requests_of_a_stopped_run_are_broken_or_never_sent_and_others_go_on(rig):
    with ScriptedManager() as manager:
        manager.script(HANG)
        wire = rig(manager.url)
        wire.wire.limit = 1
        stop = threading.Event()
        wire.submit("first", stop=stop)
        manager.wait_for(1)
        wire.submit("second", stop=stop)
        wire.submit("other")
        stop.set()
        wire.wire.abort(stop)
        outcomes = dict(wire.next() for _ in range(3))
        assert str(outcomes["first"]) == "aborted"
        assert "not sent" in str(outcomes["second"])
        assert outcomes["other"].status == 200
        assert [request.path for request in manager.requests] == ["/first", "/other"]


def test_a_run_that_was_stopped_before_its_turn_sends_nothing(rig):
    with ScriptedManager() as manager:
        wire = rig(manager.url)
        stop = threading.Event()
        stop.set()
        wire.submit("stopped", stop=stop)
        assert "not sent" in wire.error()
        wire.submit("other")
        assert wire.response()[0] == 200
        assert [request.path for request in manager.requests] == ["/other"]


def test_closing_answers_everybody_and_takes_no_more():
    with ScriptedManager() as manager:
        manager.script(HANG)
        wire = Rig(manager.url)
        wire.wire.limit = 1
        wire.submit("first")
        manager.wait_for(1)
        wire.submit("second")
        wire.wire.close()
        wire.wire.close()
        assert {name: str(error) for name, error in (wire.next(), wire.next())} == {
            "first": "closed",
            "second": "closed",
        }
        with pytest.raises(RuntimeError, match="closed"):
            wire.submit()


def test_closing_what_was_never_used_or_is_used_at_this_moment_leaves_nobody_waiting():
    unused = Rig("http://127.0.0.1:1")
    unused.wire.abort(threading.Event())
    unused.wire.close()
    with ScriptedManager() as manager:
        manager.script(HANG)
        wire = Rig(manager.url)
        wire.submit("first")
        manager.wait_for(1)
        wire.wire._start = lambda: None  # The submit that had passed its check when ``close`` was called.
        wire.wire.close()
        wire.submit("second")
        assert {name: str(error) for name, error in (wire.next(), wire.next())} == {
            "first": "closed",
            "second": "closed",
        }


@pytest.mark.skipif(not FILES.is_dir(), reason="the platform does not list them")
def test_nothing_of_the_kernel_s_is_there_before_the_first_job():
    """Processes that are forked before share it (gunicorn --preload), and would take each other's events."""
    before = set(FILES.iterdir())
    made = Rig("http://127.0.0.1:1")
    assert set(FILES.iterdir()) == before
    made.wire.close()


def test_a_thread_that_ends_by_a_bug_says_so_to_everybody(caplog):
    with ScriptedManager() as manager:
        wire = Rig(manager.url)
        wire.wire.limit = 1
        wire.submit("has no place in a \u20ac request line")
        wire.submit("other")
        assert (wire.error(), wire.error()) == ("closed", "closed")
        wire.wire.close()
        with pytest.raises(RuntimeError, match="closed"):
            wire.submit()
    assert "uploaded by threads from now on" in caplog.text


def test_a_callback_that_fails_ends_nothing(rig, caplog):
    with ScriptedManager() as manager:
        wire = rig(manager.url)
        wire.wire.limit = 1  # One after the other.
        wire.wire.submit(Job("/bad", (b"",), threading.Event(), lambda _: 1 / 0, 30.0))
        wire.submit()
        assert wire.response()[0] == 200
    assert "/bad could not be taken" in caplog.text


# -- through the client ---------------------------------------------------------------------------------------


@pytest.fixture
def stored():
    """Call ``store_soon``; return how it went, and do what is left."""

    def store(client, text=b'"x"'):
        answered = queue.SimpleQueue()
        assert client.store_soon("r", text, lambda *outcome: answered.put(outcome))
        content_id, rest = answered.get(timeout=WAIT)
        return (content_id, None) if rest is None else (rest(), rest)

    return store


QUICK = Policies(bulk=RetryPolicy(first_delay_seconds=0.001, attempts=4, longest_retry_after_seconds=0.01))


def test_a_content_is_stored_without_a_thread_that_waits(stored):
    with ScriptedManager() as manager, SdkClient(manager.url) as client:
        manager.script(Answer(body={"content_id": "c-1"}))
        assert stored(client) == ("c-1", None)
        assert manager.requests[0].json == {"sync_run_id": "r", "content": "x", "content_type": "text/plain"}


@pytest.mark.parametrize("trouble", ["429", "503", "500", "close", "no json"])
def test_what_does_not_work_at_once_is_repeated_as_the_policy_says(stored, trouble):
    first = {
        "429": Answer(429, {}, {"Retry-After": "3600"}),
        "503": Answer(503, b""),
        "500": Answer(500, {"error": "x"}),
        "close": "close",
        "no json": Answer(500, b"<html>"),
    }[trouble]
    overloads = []
    with ScriptedManager() as manager, SdkClient(manager.url, policies=QUICK) as client:
        client.when_overloaded(lambda: overloads.append(1))
        manager.script(first, Answer(body={"content_id": "c-2"}))
        content_id, rest = stored(client)
        assert (content_id, rest is None) == ("c-2", False)
        assert len(manager.requests) == 2
    assert len(overloads) == (trouble in {"429", "503"})


@pytest.mark.parametrize("answer", [Answer(422, b"bad"), Answer(200, {"no": "id"}), Answer(200, b"<html>")])
def test_what_another_attempt_does_not_change_is_not_repeated(stored, answer):
    with ScriptedManager() as manager, SdkClient(manager.url, policies=QUICK) as client:
        manager.script(answer)
        with pytest.raises(SdkClientError) as caught:
            stored(client)
        assert caught.value.status == answer.status
        assert len(manager.requests) == 1


def test_a_session_that_carries_everything_itself_stores_nothing_soon():
    import requests

    with requests.Session() as session, SdkClient("http://127.0.0.1:1", session=session) as client:
        assert not client.store_soon("r", b'"x"', lambda *_: None)
        assert client.waiting_contents == 0
