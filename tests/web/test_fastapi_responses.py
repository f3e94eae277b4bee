"""Responses of FastAPI and Starlette, the real ones, reach the manager as their own servers would send them."""

from __future__ import annotations

import asyncio
import json
import threading

import anyio
import fastapi.responses
import pytest
import requests
import starlette.background
import starlette.responses
from support.scripted import Scripted

from omni_connector.event_loop import EventLoop
from omni_connector.local import HttpServer
from omni_connector.runtime import asgi_answer as room
from omni_connector.runtime.asgi_answer import Chunks, asgi_answer
from omni_connector.server import services

ACTION = {"action": "fetch", "params": {"id": 1}, "credentials": {"token": "t0p-secret"}}
BYTES = bytes(range(256)) * 1000
WAIT = 60


@pytest.fixture
def act(make_app):
    """Run an action behind a real HTTP server; the method is given."""

    def run(method, **options):
        app = make_app(type("Acting", (Scripted,), {"execute_action": method})())
        with HttpServer(app, name="test-connector") as server, requests.Session() as session:
            response = session.post(f"{server.url}/action", json=ACTION, timeout=WAIT, **options)
        run.service = next(iter(services(app).values()))
        return response

    return run


def both(make):
    """Return ``make``'s value from a blocking and from an async action."""

    async def in_async(self, action, params, credentials):
        return make()

    return [lambda self, action, params, credentials: make(), in_async]


COLOURS = pytest.mark.parametrize("colour", [0, 1], ids=["blocking", "async"])
LIBRARIES = pytest.mark.parametrize(
    "library", [fastapi.responses, starlette.responses], ids=["fastapi", "starlette"]
)


@COLOURS
@LIBRARIES
def test_json(act, library, colour):
    answer = act(both(lambda: library.JSONResponse({"a": ["Ä", None]}, status_code=201))[colour])
    assert (answer.status_code, answer.headers["Content-Type"]) == (201, "application/json")
    assert answer.json() == {"a": ["Ä", None]}


@COLOURS
@LIBRARIES
def test_bytes_with_headers_of_their_own(act, library, colour):
    def make():
        response = library.Response(
            BYTES,
            status_code=206,
            media_type="application/pdf",
            headers={"X-File-Name": "caf\xe9.pdf", "Content-Length": str(len(BYTES))},
        )
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    answer = act(both(make)[colour])
    assert (answer.status_code, answer.headers["Content-Type"]) == (206, "application/pdf")
    assert answer.content == BYTES
    assert answer.headers["X-File-Name"] == "caf\xe9.pdf"
    assert answer.headers["Content-Length"] == str(len(BYTES))
    cookies = [value for name, value in answer.raw.headers.items() if name.lower() == "set-cookie"]
    assert [cookie.split(";")[0] for cookie in cookies] == ["a=1", "b=2"]


def test_header_bytes_pass_as_they_are(act):
    name = "Übersicht ✓.csv"

    def action(self, action, params, credentials):
        response = starlette.responses.PlainTextResponse("x")
        response.raw_headers.append((b"x-file-name", name.encode()))
        return response

    assert act(action).headers["X-File-Name"].encode("latin-1").decode() == name


@LIBRARIES
@pytest.mark.parametrize(
    ("make", "status", "kind", "body"),
    [
        (
            lambda kit: kit.PlainTextResponse("grün", status_code=418),
            418,
            "text/plain; charset=utf-8",
            "grün",
        ),
        (lambda kit: kit.HTMLResponse("<p>"), 200, "text/html; charset=utf-8", "<p>"),
        (
            lambda kit: kit.Response("a,b", media_type="text/csv; charset=utf-8"),
            200,
            "text/csv; charset=utf-8",
            "a,b",
        ),
        (lambda kit: kit.Response(status_code=204), 204, None, ""),
        (lambda kit: kit.Response(b""), 200, None, ""),
    ],
    ids=["text", "html", "csv", "no-content", "empty"],
)
def test_texts(act, library, make, status, kind, body):
    answer = act(both(lambda: make(library))[1])
    answer.encoding = "utf-8"
    assert (answer.status_code, answer.headers.get("Content-Type"), answer.text) == (status, kind, body)


def test_a_redirect_is_handed_on(act):
    answer = act(
        both(lambda: fastapi.responses.RedirectResponse("https://x.org/ä"))[0], allow_redirects=False
    )
    assert (answer.status_code, answer.headers["Location"]) == (307, "https://x.org/%C3%A4")


async def chunks_async():
    for number in range(50):
        await asyncio.sleep(0)
        yield f"line {number}\n"


def chunks_blocking():
    for number in range(50):
        yield f"line {number}\n".encode()


@COLOURS
@LIBRARIES
@pytest.mark.parametrize("chunks", [chunks_async, chunks_blocking])
def test_a_stream(act, library, chunks, colour):
    answer = act(both(lambda: library.StreamingResponse(chunks(), media_type="text/csv"))[colour])
    assert answer.text == "".join(f"line {number}\n" for number in range(50))
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert "Content-Length" not in answer.headers


@COLOURS
@LIBRARIES
def test_a_file(act, library, tmp_path, colour):
    path = tmp_path / "b.bin"
    path.write_bytes(BYTES * 5)
    answer = act(
        both(lambda: library.FileResponse(path, filename="Bürö.bin", media_type="application/x-own"))[colour]
    )
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/x-own")
    assert answer.content == BYTES * 5
    assert answer.headers["Content-Length"] == str(len(BYTES) * 5)
    assert "filename*=utf-8''B%C3%BCr%C3%B6.bin" in answer.headers["Content-Disposition"]
    assert answer.headers["ETag"]


@pytest.mark.parametrize("taken", ["whole", "in part"])
def test_closing_the_loop_waits_until_a_response_has_closed_its_file(tmp_path, monkeypatch, taken):
    path = tmp_path / "b.bin"
    path.write_bytes(BYTES * (1 if taken == "whole" else 20))
    closing, closed, close = threading.Event(), [], anyio.AsyncFile.aclose

    async def slow_close(file):
        closing.set()
        for _ in range(100):
            await asyncio.sleep(0)
        await close(file)
        closed.append(file)

    monkeypatch.setattr(anyio.AsyncFile, "aclose", slow_close)
    loop = EventLoop()
    answer = asgi_answer(starlette.responses.FileResponse(path), loop)
    if taken == "in part":
        next(answer.body)
        answer.body.close()
    else:
        assert b"".join(answer.body) == BYTES
    assert closing.wait(WAIT)
    loop.close()
    assert closed


def test_a_file_that_is_missing_is_told(act, tmp_path):
    answer = act(both(lambda: fastapi.responses.FileResponse(tmp_path / "none"))[1])
    assert (answer.status_code, answer.json()["status"]) == (500, "error")
    assert "none does not exist" in answer.json()["error"]


def test_a_stream_that_breaks_before_its_first_chunk_is_told(act):
    async def broken():
        raise OSError("401 for t0p-secret")
        yield b"never"

    answer = act(both(lambda: fastapi.responses.StreamingResponse(broken()))[1])
    assert answer.status_code == 500
    assert "***" in answer.json()["error"]
    assert "t0p-secret" not in answer.text


def test_a_large_stream_is_not_in_memory_as_a_whole(make_app):
    sent = []

    async def endless():
        for number in range(1000):
            sent.append(number)
            yield b"x" * 1024

    def action(self, action, params, credentials):
        return fastapi.responses.StreamingResponse(endless())

    app = make_app(type("Acting", (Scripted,), {"execute_action": action})())
    response = app.test_client().post("/action", json=ACTION, buffered=False)
    # Beside what waits: the first chunk, which the server has taken to begin, and one for its place.
    assert len(sent) <= room.ROOM + 2, "the response waits for whoever takes it"
    taken = sum(len(chunk) for chunk in response.iter_encoded())
    assert (taken, len(sent)) == (1000 * 1024, 1000)
    response.close()


def test_a_stream_whose_caller_leaves_ends_at_once(make_app):
    ended = threading.Event()

    async def waiting():
        try:
            yield b"one"
            await asyncio.Event().wait()
        finally:
            ended.set()

    def action(self, action, params, credentials):
        return fastapi.responses.StreamingResponse(waiting())

    app = make_app(type("Acting", (Scripted,), {"execute_action": action})())
    response = app.test_client().post("/action", json=ACTION, buffered=False)
    assert next(response.iter_encoded()) == b"one"
    assert not ended.is_set()
    response.close()
    assert ended.wait(WAIT)


def test_a_response_that_goes_on_sending_to_nobody_is_stopped(make_app):
    stopped = threading.Event()

    class Sending:
        status_code = 200
        headers: dict[str, str] = {}

        async def __call__(self, scope, receive, send):
            await send({"type": "http.response.start", "status": 200})
            chunk = {"type": "http.response.body", "body": b"x", "more_body": True}
            try:
                while True:
                    await send(chunk)
            except OSError:
                stopped.set()

    app = make_app(type("Acting", (Scripted,), {"execute_action": lambda self, *args: Sending()})())
    response = app.test_client().post("/action", json=ACTION, buffered=False)
    assert next(response.iter_encoded()) == b"x"
    response.close()
    assert stopped.wait(WAIT)


@COLOURS
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_background_tasks_run_while_the_answer_is_on_its_way(act, colour, stream):
    gate, done = threading.Event(), threading.Event()

    async def later(what):
        await asyncio.to_thread(gate.wait, WAIT)
        assert what == "x"
        done.set()

    def make():
        task = starlette.background.BackgroundTask(later, "x")
        if stream:
            return fastapi.responses.StreamingResponse(chunks_async(), background=task)
        return fastapi.responses.JSONResponse({"queued": True}, background=task)

    answer = act(both(make)[colour])
    assert answer.status_code == 200
    assert not done.is_set(), "the answer did not wait for the task"
    gate.set()
    assert done.wait(WAIT)


def test_a_background_task_that_fails_is_logged_without_secrets(act, caplog):
    failed = threading.Event()

    async def fails():
        failed.set()
        raise ValueError("t0p-secret")

    answer = act(
        both(
            lambda: fastapi.responses.JSONResponse({}, background=starlette.background.BackgroundTask(fails))
        )[1]
    )
    assert answer.status_code == 200
    assert failed.wait(WAIT)
    act.service.close()  # Waits for the loop, and so for the log.
    assert "A background task of an action's response failed: Traceback" in caplog.text
    assert "t0p-secret" not in caplog.text


def test_a_streamed_header_that_would_split_the_answer_is_refused(act):
    def make():
        response = fastapi.responses.StreamingResponse(chunks_async())
        response.raw_headers.append((b"x-a", b"1\r\nx-b: 2"))
        return response

    answer = act(both(make)[0])
    assert answer.status_code == 500
    assert "x-b" not in answer.headers


def test_a_response_of_nobodys_framework_that_says_nothing_is_told(act):
    class Silent:
        status_code = 200
        headers: dict[str, str] = {}

        async def __call__(self, scope, receive, send):
            assert scope["type"] == "http"
            assert await receive() == {"type": "http.request", "body": b"", "more_body": False}
            await send({"type": "http.response.start", "status": 200, "headers": []})

    answer = act(both(Silent)[0])
    assert answer.status_code == 500
    assert answer.json()["error"] == "RuntimeError: the response ended before its body did"


def test_a_response_that_listens_learns_that_its_caller_has_left(make_app):
    told = threading.Event()

    class Listening:
        status_code = 200
        headers: dict[str, str] = {}

        async def __call__(self, scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"1")]})
            await send({"type": "http.response.debug", "info": {}})
            await send({"type": "http.response.body", "body": b"one", "more_body": True})
            await receive()
            assert await receive() == {"type": "http.disconnect"}
            told.set()

    app = make_app(type("Acting", (Scripted,), {"execute_action": both(Listening)[0]})())
    response = app.test_client().post("/action", json=ACTION, buffered=False)
    assert response.headers["X-A"] == "1"
    assert next(response.iter_encoded()) == b"one"
    response.close()
    assert told.wait(WAIT)


def test_closing_the_service_frees_whoever_waits_for_a_response(make_app):
    begun = threading.Event()

    async def stuck():
        begun.set()
        await asyncio.Event().wait()
        yield b"never"

    app = make_app(
        type(
            "Acting",
            (Scripted,),
            {"execute_action": both(lambda: fastapi.responses.StreamingResponse(stuck()))[0]},
        )()
    )
    answers = []
    caller = threading.Thread(target=lambda: answers.append(app.test_client().post("/action", json=ACTION)))
    caller.start()
    assert begun.wait(WAIT)
    (service,) = services(app).values()
    service.close()
    caller.join(WAIT)
    assert json.loads(answers[0].data)["status"] == "error"


def test_taking_after_closing_is_harmless():
    chunks = Chunks(EventLoop())
    chunks.close()
    chunks.close()
    assert list(chunks) == []
