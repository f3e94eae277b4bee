"""The application of a connector: Flask's, which ASGI servers can run as well."""

from collections.abc import Awaitable, Callable
from typing import Any

from flask import Flask

from omni_connector.exceptions import ConfigurationError
from omni_connector.web.asgi import AsgiApplication, Receive, Scope, Send

WSGI_ARGUMENTS = 2
ASGI_ARGUMENTS = 3


class Application(Flask):
    """A WSGI application that is an ASGI application when it is called as one.

    ``uvicorn.run(create_app(connector))`` and the test client of an ASGI framework work as with the application of an
    asynchronous SDK. Servers call a WSGI application with two arguments, an ASGI application with
    three, or first with one and then with two (ASGI 2, for which they take an application whose call is no ``async
    def``).

    Args:
        name: of the application.
        close: stops what its blueprints have started.
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
                self._asgi = AsgiApplication(self, lambda: self._close(self))
        except ConfigurationError as error:
            if scope["type"] != "lifespan":
                raise
            await receive()
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await self._asgi(scope, receive, send)
