"""Tools for reading a source: HTTP sessions, tokens, pages, and text. Each can be used by itself.

Sessions (``requests`` with time-outs, retries, rate limits and cancellation):

- ``ctx.http(base_url=..., auth=..., rate=..., retries=..., timeout_seconds=...)`` in a run. In ``async def sync`` the same
  calls are awaited: ``response = await ctx.http().get("/items")``.
- ``connector.http(source_id, ...)`` in an action or webhook, with the same options; use it in a ``with`` statement.
- ``http_session(ctx, ...)`` is the function behind both; ``http_session(...)`` without a context works in scripts and tests.

Authentication (``auth=``): ``BasicAuth``, ``HeaderAuth``, ``QueryAuth``, ``BearerAuth``; ``ManagerCredentials`` (the
manager's OAuth token, asked for anew after a 401), ``ClientCredentials``, ``RefreshToken``.

Pages: ``link_pages``, ``next_url_pages``, ``cursor_pages``, ``offset_pages``, ``numbered_pages``; each is iterated with ``for`` or
``async for``, yields ``Page`` objects, has a ``position`` for checkpoints, and begins at ``start=position``.

Text: ``html_to_text``, ``decode_text``, ``parse_moment``.

Errors: ``SourceHttpError`` (a status, from ``raise_for_status``), ``RateLimitedError``, ``SourceUnreachableError``,
``SourceTimeoutError``, ``ResponseTooLargeError``, ``TokenError``, ``RepeatedPageError``; all are ``ConnectorError``, and the first five are also
``requests.RequestException``, each of the class with that meaning.

See docs/how-to/sources.md. Names are loaded when they are first used: ``parse_moment`` does not need ``requests``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omni_connector.sources.authentication import BasicAuth, BearerAuth, HeaderAuth, QueryAuth
    from omni_connector.sources.errors import (
        RateLimitedError,
        RepeatedPageError,
        ResponseTooLargeError,
        SourceHttpError,
        SourceTimeoutError,
        SourceUnreachableError,
        TokenError,
    )
    from omni_connector.sources.moments import parse_moment
    from omni_connector.sources.page_ways import (
        cursor_pages,
        link_pages,
        next_url_pages,
        numbered_pages,
        offset_pages,
    )
    from omni_connector.sources.pages import Page, Pages
    from omni_connector.sources.rates import RequestRate
    from omni_connector.sources.responses import SourceResponse
    from omni_connector.sources.session import HttpSession, http_session
    from omni_connector.sources.session_options import HttpOptions, TimeOuts
    from omni_connector.sources.text import decode_text, html_to_text
    from omni_connector.sources.token_endpoints import ClientCredentials, RefreshToken
    from omni_connector.sources.tokens import ManagerCredentials

__all__ = [
    "BasicAuth", "BearerAuth", "ClientCredentials", "HeaderAuth", "HttpOptions", "HttpSession", "ManagerCredentials", "Page", "Pages",
    "QueryAuth", "RateLimitedError", "RefreshToken", "RepeatedPageError", "RequestRate", "ResponseTooLargeError",
    "SourceHttpError",
    "SourceResponse", "SourceTimeoutError", "SourceUnreachableError", "TimeOuts", "TokenError", "cursor_pages",
    "decode_text", "html_to_text", "http_session", "link_pages", "next_url_pages", "numbered_pages", "offset_pages",
    "parse_moment",
]  # fmt: skip

_HOMES = {
    "authentication": ("BasicAuth", "BearerAuth", "HeaderAuth", "QueryAuth"),
    "moments": ("parse_moment",),
    "page_ways": ("cursor_pages", "link_pages", "next_url_pages", "numbered_pages", "offset_pages"),
    "pages": ("Page", "Pages"),
    "rates": ("RequestRate",),
    "responses": ("SourceResponse",),
    "session": ("HttpSession", "http_session"),
    "session_options": ("HttpOptions", "TimeOuts"),
    "text": ("decode_text", "html_to_text"),
    "token_endpoints": ("ClientCredentials", "RefreshToken"),
    "tokens": ("ManagerCredentials",),
}  # fmt: skip
"""Modules of the names that are no exceptions."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = next((module for module, names in _HOMES.items() if name in names), "errors")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value  # Asked for once.
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
