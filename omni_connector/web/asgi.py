"""Applications that ASGI servers can run, through a2wsgi; the only module that imports it.

It was chosen over the adapters of asgiref, Starlette and uvicorn: it passes requests and answers on in chunks, gives
each request a thread of a pool of its own, closes what an application returns, and takes header bytes as they are.
asgiref's runs all requests of a process in one thread, so that ``/health`` would wait for an action; the other two are
deprecated in its favour.
"""

import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from functools import partial
from http import HTTPStatus
from typing import Any

from flask import Flask

from omni_connector.event_loop import within
from omni_connector.exceptions import ConfigurationError
from omni_connector.models.codec import encode
from omni_connector.pool import WorkerPool
from omni_connector.web.bodies import FREE_BYTES, SILENCE_SECONDS
from omni_connector.web.unfinished import BODY_SECONDS, LINGER_SECONDS

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

WSGI_ARGUMENTS = 2
ASGI_ARGUMENTS = 3

THREADS = 64
"""Requests that are answered at once, in daemon threads started when needed. Actions may take 30 s each, and ``/health``
must not wait; a request that hangs does not keep the process from ending."""


class AsgiApplication:
    """A Flask application as an ASGI one.

    When the server shuts down, it calls ``close``: what runs have buffered is delivered, as at the end of a process.

    Raises:
        ConfigurationError: a2wsgi is not installed; says what to type.
    """

    def __init__(self, app: Flask, close: Callable[[], None]) -> None:
        self._adapter = _adapter_class()
        self._app = app
        self._close = close
        self._pool: WorkerPool | None = None
        self._running: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or the life of the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] == "http":
            try:
                arrived = await within(BODY_SECONDS, _beginning(receive))
            except TimeoutError:
                await _refuse_unfinished(send)
                return
            exchange = _Exchange(arrived, receive, send)
            receive, send = exchange.receive, exchange.send
        await self._serving()(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()  # The application has started already: it registers once it is made.
        await send({"type": "lifespan.startup.complete"})
        await receive()
        # Nothing else is left to do on the server's loop, and it must not go on before this is done: uvicorn ends a
        # process that got SIGTERM by that signal, without running what is registered with atexit.
        self._close()
        if self._pool is not None:
            self._pool.close(timeout_seconds=1.0)
        self._pool = self._running = None
        await send({"type": "lifespan.shutdown.complete"})

    def _serving(self) -> Any:
        if self._running is None:
            self._running = self._adapter(self._wsgi)
            self._running.executor = self._pool = WorkerPool("omni-request", THREADS)
        return self._running

    def _wsgi(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        # A chunked body ends by itself; without this flag Flask reads it as empty.
        environ["wsgi.input_terminated"] = True
        return self._app(environ, start_response)


class Application(Flask):
    """A WSGI application that is an ASGI application when it is called as one.

    ``uvicorn.run(create_app(connector))`` and the test client of an ASGI framework work as with the application of an
    asynchronous SDK. Servers call a WSGI application with two arguments, an ASGI application with three, or first with one
    and then with two (ASGI 2, which they assume where calling is no ``async def``). ``close`` stops what its blueprints have
    started.
    """

    def __init__(self, name: str, *, close: Callable[[Flask], None]) -> None:
        super().__init__(name, static_folder=None)
        self._close = close
        self._asgi: AsgiApplication | None = None

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Answer a request of a WSGI or an ASGI server."""
        if keywords or len(arguments) == WSGI_ARGUMENTS:
            return super().__call__(*arguments, **keywords)
        if len(arguments) == ASGI_ARGUMENTS:
            return self._call_asgi(*arguments)
        if not arguments:  # uvicorn calls it to see whether it is a factory, and expects TypeError if not.
            raise TypeError("an application is called with a request")
        (scope,) = arguments

        def connection(receive: Receive, send: Send) -> Awaitable[None]:
            return self._call_asgi(scope, receive, send)

        return connection

    async def _call_asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if self._asgi is None:
                self._asgi = AsgiApplication(self, partial(self._close, self))
        except ConfigurationError as error:
            if scope["type"] != "lifespan":
                raise
            await receive()
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await self._asgi(scope, receive, send)


async def _beginning(receive: Receive) -> list[Any]:
    """Wait for a body, or for its first part if it is large, so that unfinished requests hold no thread."""
    arrived: list[Any] = []
    size = 0
    while size < FREE_BYTES:
        message = await within(SILENCE_SECONDS, receive())
        arrived.append(message)
        size += len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            break
    return arrived


class _Exchange:
    """One request and its answer: what has arrived is received first, and a client that still sends gets the answer."""

    def __init__(self, arrived: list[Any], receive: Receive, send: Send) -> None:
        self._arrived = deque(arrived)
        self._receive = receive
        self._send = send
        self._is_received = False

    async def receive(self) -> Any:
        message = self._arrived.popleft() if self._arrived else await self._receive()
        self._is_received = message["type"] != "http.request" or not message.get("more_body")
        return message

    async def send(self, message: Any) -> None:
        is_end = message["type"] == "http.response.body" and not message.get("more_body")
        if is_end and not self._is_received:
            # A server that closes with bytes of a body unread resets the connection, and the answer may be lost.
            await self._send({**message, "more_body": True})
            with contextlib.suppress(TimeoutError):
                await within(LINGER_SECONDS, self._receive_rest())
            message = {"type": message["type"]}
        await self._send(message)

    async def _receive_rest(self) -> None:
        while not self._is_received:
            await self.receive()


async def _refuse_unfinished(send: Send) -> None:
    body = encode({"status": "error", "error": "body: it did not arrive in time", "field": "body"})
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": HTTPStatus.REQUEST_TIMEOUT, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _adapter_class() -> Any:
    try:
        from a2wsgi import WSGIMiddleware  # noqa: PLC0415 - an extra.
    except ImportError as error:
        raise ConfigurationError(
            "To be run by an ASGI server the connector needs a2wsgi. Type: pip install 'omni-connector[asgi]'"
        ) from error
    return WSGIMiddleware
