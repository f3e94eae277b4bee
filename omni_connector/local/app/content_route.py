"""``POST /sdk/content`` without Flask, which would cost more than all the rest of it; a sync calls it for every document.

Only what succeeds is answered here. A request that would be refused, or is written in an unusual way, goes on to Flask with
its body, so that there is one place for each refusal and its answer.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterable
from typing import Any

from omni_connector.local.app.access import OLD_BODY_LIMIT
from omni_connector.local.app.errors import CORS_HEADERS
from omni_connector.local.request_shapes import STORE_CONTENT
from omni_connector.local.services import Services
from omni_connector.local.strict_json import parse_json

log = logging.getLogger(__name__)

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

PATH = "/sdk/content"
_HEADERS = [("Content-Type", "application/json"), *CORS_HEADERS]


class ContentRoute:
    """Stands before the manager's Flask application.

    Args:
        app: gets everything that is not answered here.
        services: the manager's.
    """

    def __init__(self, app: WSGI, services: Services) -> None:
        self._app = app
        self._contents = services.contents

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        if environ["PATH_INFO"] != PATH or not _is_usual(environ):
            return self._app(environ, start_response)
        body: bytes = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        try:
            wanted = STORE_CONTENT(parse_json(body), "")
            content_id = self._contents.save(wanted["content"], wanted["sync_run_id"])
        except Exception as error:  # noqa: BLE001 - Flask comes to the same and has the answer; storing a text twice does no harm.
            log.debug("A content is left to Flask: %s", error)
            environ["wsgi.input"] = io.BytesIO(body)
            return self._app(environ, start_response)
        answer = b'{"content_id":"%b"}' % content_id.encode()
        start_response("200 OK", [*_HEADERS, ("Content-Length", str(len(answer)))])
        return [answer]


def _is_usual(environ: dict[str, Any]) -> bool:
    """Return whether it is a request as connectors send it, and not one of the size that older managers refuse."""
    length = environ.get("CONTENT_LENGTH", "")
    return (
        environ["REQUEST_METHOD"] == "POST"
        and environ.get("CONTENT_TYPE") == "application/json"
        and length.isascii()
        and length.isdigit()
        and int(length) <= OLD_BODY_LIMIT
    )
