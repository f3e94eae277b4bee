"""``POST /sdk/content`` beside Flask, many at a time; a sync calls it for every document.

Only what succeeds is answered here. A request that would be refused, that a browser may have sent, or that is written in an
unusual way, is left to Flask, so that each refusal has one place.
"""

from __future__ import annotations

import sqlite3
from functools import lru_cache

from omni_connector.local.app.access import OLD_BODY_LIMIT
from omni_connector.local.app.errors import CORS_HEADERS
from omni_connector.local.browser_guard import BrowserGuard
from omni_connector.local.contents import Contents
from omni_connector.local.errors import StoredTextError, StoreError
from omni_connector.local.request_shapes import STORE_CONTENT
from omni_connector.local.shapes import ShapeError
from omni_connector.local.store import storable
from omni_connector.local.strict_json import JsonSyntaxError, parse_json

PATH = "/sdk/content"

_BROWSERS = ("ORIGIN", "SEC_FETCH_SITE")
_HOSTS = 64


class ContentRoute:
    """Stores the contents of requests that come together.

    Args:
        contents: stores them.
        guard: knows our names.
    """

    headers = (("Content-Type", "application/json"), *CORS_HEADERS)

    def __init__(self, contents: Contents, guard: BrowserGuard) -> None:
        self._contents = contents
        self._is_ours = lru_cache(_HOSTS)(guard.is_ours)

    def wants(self, target: str, headers: dict[str, str]) -> bool:
        """Return whether a request is as connectors send it, and not of the size that older managers refuse."""
        return (
            target == PATH
            and headers.get("CONTENT_TYPE") == "application/json"
            and int(headers.get("CONTENT_LENGTH", OLD_BODY_LIMIT)) < OLD_BODY_LIMIT
            and not any(name in headers for name in _BROWSERS)
            and self._is_ours(headers.get("HOST", ""))
        )

    def answer(self, bodies: list[bytes], *, wait: bool = True) -> list[bytes | None]:
        """Return the answer to each body, None for those that Flask is to answer.

        Raises ``StoreBusyError`` where ``wait`` is false and another thread is writing.
        """
        texts = [_decoded(body) for body in bodies]
        try:
            ids = iter(self._contents.save_all([text for text in texts if text is not None], wait=wait))
        except (sqlite3.Error, StoreError):  # Flask comes to the same, and has the answer.
            return [None] * len(bodies)
        return [None if text is None else b'{"content_id":"%b"}' % next(ids).encode() for text in texts]


def _decoded(body: bytes) -> tuple[str, str] | None:
    """Return text and run of a request, None for one that is refused."""
    try:
        wanted = STORE_CONTENT(parse_json(body), "")
        return wanted["content"], storable(wanted["sync_run_id"])
    except (JsonSyntaxError, ShapeError, StoredTextError):
        return None
