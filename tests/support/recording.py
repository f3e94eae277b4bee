"""Records the traffic of both directions: a proxy in front of a manager, and a wrapper around a connector's application."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self
from urllib.parse import quote

import requests
from werkzeug.http import parse_options_header
from werkzeug.wrappers import Request, Response

from omni_connector.local import HttpServer
from support.exchanges import EVENTS, Exchange

THREADS = 24
PASSED_ON = {"content-type", "accept"}
NOT_PASSED_BACK = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


class Recorder:
    """What has travelled, in the order of the answers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.exchanges: list[Exchange] = []

    def add(
        self, side: str, request: Request, status: int, headers: Iterable[tuple[str, str]], answer: bytes
    ):
        kind, options = parse_options_header(request.headers.get("Content-Type", ""))
        exchange = Exchange(
            side,
            request.method,
            path_of(request),
            kind,
            request.get_data(),
            status,
            {name.lower(): value for name, value in headers},
            answer,
            options.get("boundary", ""),
        )
        with self._lock:
            self.exchanges.append(exchange)


class RecordingProxy:
    """Stands in front of a manager: use it as a context manager, and ``url`` as the manager's."""

    def __init__(self, manager_url: str, recorder: Recorder) -> None:
        self._manager_url = manager_url
        self._recorder = recorder
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.clear()
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=THREADS)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        self._server = HttpServer(self._serve, threads=THREADS, name="recording-proxy")

    @property
    def url(self) -> str:
        return self._server.url

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()
        self._session.close()

    def _serve(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        body = request.get_data()
        url = self._manager_url + path_of(request)
        if request.query_string:
            url += f"?{request.query_string.decode()}"
        headers = {name: value for name, value in request.headers.items() if name.lower() in PASSED_ON}
        answer = self._session.request(
            request.method, url, data=body, headers=headers, timeout=120, stream=True, allow_redirects=False
        )
        pairs = [
            (name, value) for name, value in answer.headers.items() if name.lower() not in NOT_PASSED_BACK
        ]
        if answer.headers.get("Content-Type", "").startswith(EVENTS):
            stream = self._events(request, answer, pairs)
            return Response(stream, answer.status_code, pairs)(environ, start_response)
        with answer:
            whole = answer.content
        self._recorder.add("manager", request, answer.status_code, pairs, whole)
        response = Response(whole, answer.status_code)
        del response.headers["Content-Type"]
        for name, value in pairs:
            response.headers.add(name, value)
        return response(environ, start_response)

    def _events(
        self, request: Request, answer: requests.Response, pairs: list[tuple[str, str]]
    ) -> Iterator[bytes]:
        """Pass a stream on, as far as its reader wants it."""
        seen = b""
        try:
            with answer:
                for chunk in answer.iter_content(chunk_size=None):
                    seen += chunk
                    yield chunk
        finally:
            whole = seen[: seen.rfind(b"\n\n") + 2]
            self._recorder.add("manager", request, answer.status_code, pairs, whole)


def recorded(app: Callable[..., Any], recorder: Recorder) -> Callable[..., Any]:
    """Return a connector's WSGI application whose exchanges are noted."""

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        request.get_data(cache=True)
        response = Response.from_app(app, _again(environ, request.get_data()), buffered=True)
        recorder.add(
            "connector", request, response.status_code, response.headers.items(), response.get_data()
        )
        return response(environ, start_response)

    return serve


def path_of(request: Request) -> str:
    """Return the path as it was sent; a slash inside a segment stays ``%2F``."""
    return quote(request.path, safe="/%:@")


def _again(environ: dict[str, Any], body: bytes) -> dict[str, Any]:
    """Return the environ for another reading of the body."""
    import io

    return {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
