"""Runs the applications under ASGI servers, through a2wsgi; the only module that imports it.

It was chosen over the adapters of asgiref, Starlette and uvicorn: it passes requests and answers on in chunks, gives
each request a thread of a pool of its own, closes what an application returns, and takes header bytes as they are.
asgiref's runs all requests of a process in one thread, so that ``/health`` would wait for an action; the other two are
deprecated in its favour.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from flask import Flask

from omni_connector.exceptions import ConfigurationError
from omni_connector.pool import WorkerPool

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

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
        else:
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


def _adapter_class() -> Any:
    try:
        from a2wsgi import WSGIMiddleware  # noqa: PLC0415 - an extra.
    except ImportError as error:
        raise ConfigurationError(
            "To be run by an ASGI server the connector needs a2wsgi. Type: pip install 'omni-connector[asgi]'"
        ) from error
    return WSGIMiddleware
