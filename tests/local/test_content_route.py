"""Contents are answered many at a time, each as if it were alone."""

import json
import socket
import sqlite3
import threading
from contextlib import ExitStack, closing

import pytest

from omni_connector.local.app.content_route import ContentRoute
from omni_connector.local.browser_guard import BrowserGuard
from omni_connector.local.store import reading


@pytest.fixture
def route(manager):
    return ContentRoute(manager._services.contents, BrowserGuard(manager.app))


def body(run_id, content):
    return json.dumps({"sync_run_id": run_id, "content": content}).encode()


def test_what_is_refused_is_left_to_flask_and_the_rest_is_answered(route, manager, run_id):
    good = [body(run_id, "one"), body(run_id, " one\n"), body("unknown", "two")]
    bad = [b"{", b'{"content": "x"}', body("\0", "x"), b'{"content":"x","content":"y","sync_run_id":"z"}']
    answers = route.answer([good[0], *bad, *good[1:]])
    assert answers[1:5] == [None] * 4
    first, again, second = (json.loads(answer)["content_id"] for answer in (answers[0], *answers[5:]))
    assert first == again != second
    with reading(manager.data_dir) as db:
        assert [row[0] for row in db.execute("SELECT content FROM contents ORDER BY id")] == ["one", "two"]


def test_a_failing_database_leaves_all_to_flask(route, manager, run_id):
    with closing(sqlite3.connect(manager.data_dir / "manager.sqlite3")) as db:
        db.execute("DROP TABLE contents")
    assert route.answer([body(run_id, "one")]) == [None]


USUAL = {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": "10", "HOST": "127.0.0.1:8090"}


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, True),
        ({"HOST": "localhost"}, True),
        ({"HOST": "evil.example"}, False),
        ({"HOST": ""}, False),
        ({"ORIGIN": "http://127.0.0.1:8090"}, False),
        ({"SEC_FETCH_SITE": "cross-site"}, False),
        ({"CONTENT_TYPE": "application/json; charset=utf-8"}, False),
        ({"CONTENT_LENGTH": "3000000"}, False),
    ],
)
def test_only_what_connectors_send_is_answered_beside_flask(route, changes, wanted):
    assert route.wants("/sdk/content", USUAL | changes) is wanted
    assert not route.wants("//sdk/content", USUAL | changes)
    assert not route.wants("/sdk/content?x", USUAL | changes)


def test_each_connection_gets_the_answers_to_its_own_requests_in_order(manager, run_id):
    """Pipelined over several connections, good and bad in turn."""
    connections = [socket.create_connection(_address(manager), timeout=60) for _ in range(8)]

    def request(content):
        head = f"POST /sdk/content HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        return head.encode() + content

    expected = {}
    for number, connection in enumerate(connections):
        bodies = [
            body(run_id, f"text {number}"),
            b"{",
            body(run_id, f"text {number}"),
            body(run_id, f"other {number}"),
        ]
        connection.sendall(b"".join(map(request, bodies)))
    for number, connection in enumerate(connections):
        with closing(connection), connection.makefile("rb") as answers:
            first, bad, again, other = (_answer(answers) for _ in range(4))
        assert (first[0], bad[0], again[0], other[0]) == (200, 400, 200, 200)
        assert json.loads(first[1]) == json.loads(again[1])
        expected[f"text {number}"], expected[f"other {number}"] = json.loads(first[1]), json.loads(other[1])
    with reading(manager.data_dir) as db:
        stored = dict(tuple(row) for row in db.execute("SELECT content, id FROM contents"))
    assert {text: {"content_id": stored[text]} for text in stored} == expected


def test_other_requests_are_answered_while_contents_wait_for_the_database(manager, run_id, api):
    content = body(run_id, "one")
    head = f"POST /sdk/content HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    with ExitStack() as stack:
        with manager._services.store.transaction():
            connections = [
                stack.enter_context(socket.create_connection(_address(manager), timeout=60)) for _ in range(3)
            ]
            for connection in connections:
                connection.sendall(head.encode() + content)
            assert api.get("/health").status_code == 200
        answers = [_answer(stack.enter_context(connection.makefile("rb"))) for connection in connections]
    assert [status for status, _ in answers] == [200] * 3
    assert len({answer for _, answer in answers}) == 1


def test_a_large_group_is_not_answered_by_the_thread_that_reads(manager, run_id, api, monkeypatch):
    threads = []
    save_all = manager._services.contents.save_all

    def noting(texts, **options):
        threads.append(threading.current_thread().name)
        return save_all(texts, **options)

    monkeypatch.setattr(manager._services.contents, "save_all", noting)
    for limit in (10_000, 10):
        monkeypatch.setattr("omni_connector.local.grouping.BYTES_IN_LOOP", limit)
        assert api.post("/sdk/content", json={"sync_run_id": run_id, "content": "one"}).status_code == 200
    assert threads == ["local-manager", "local-manager-together"]


def _address(manager):
    return ("127.0.0.1", int(manager.url.rpartition(":")[2]))


def _answer(stream):
    status = int(stream.readline().split()[1])
    headers = {}
    while (line := stream.readline().strip()) != b"":
        name, _, value = line.partition(b": ")
        headers[name.lower()] = value
    assert {b"date", b"content-type", b"access-control-allow-origin", b"vary"} <= headers.keys()
    return status, stream.read(int(headers[b"content-length"]))
