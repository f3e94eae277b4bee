"""Keeps other web sites away from the manager, which gives out credentials to every caller.

A page of any site can send requests to this machine from the browser of somebody who works on it. Two rules stop that, for all
routes; connectors, curl and other clients are not browsers, send none of these headers, and notice nothing.

- *The host's name is ours.* A site can make its own name point to this machine (DNS rebinding), and then its pages may read the answers.
  So names are refused, except ``localhost``, the one that the manager listens on, and those that are allowed. An IP address is
  always right: where the address bar shows one, no name was involved.
- *The request comes from our own pages.* Browsers say so: ``Sec-Fetch-Site`` where the address is on this machine, and ``Origin`` with
  whatever could be read by another site or could change something. A link on another site may open a page for people, and
  nothing else.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_SITES_OF_OURS = {None, "same-origin", "none"}
"""Values of ``Sec-Fetch-Site``; ``none`` is what a person has typed."""


class BrowserGuard:
    """A WSGI application that asks ``app`` only what may be asked, and answers 403 to everything else.

    Args:
        app: the application.
        allowed_hosts: names that are ours beside ``localhost``, without ports.
    """

    def __init__(self, app: WSGI, allowed_hosts: Iterable[str] = ()) -> None:
        self._app = app
        self._names = {_canonical(each) for each in allowed_hosts}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve one request."""
        problem = self._problem(environ)
        if problem is None:
            return self._app(environ, start_response)
        body = f"Refused: {problem}\n".encode()
        start_response(
            "403 Forbidden",
            [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))],
        )
        return [body]

    def _problem(self, environ: dict[str, Any]) -> str | None:
        host: str | None = environ.get("HTTP_HOST")
        if host is not None and not self.is_ours(host):
            name = _name(host) or host
            return f"the host {name!r} is not this manager's. If it is, start the manager with --allow-host {name}."
        origin: str | None = environ.get("HTTP_ORIGIN")
        if origin is not None and not is_own_origin(origin, host):
            return f"the request comes from a page of another site ({origin})."
        if environ.get("HTTP_SEC_FETCH_SITE") not in _SITES_OF_OURS and not _opens_a_page(environ):
            return "the request comes from a page of another site."
        return None

    def is_ours(self, host: str) -> bool:
        """Say whether a ``Host`` header names us."""
        name = _name(host)
        if name is None:
            return False
        return _is_address(name) or name == "localhost" or name.endswith(".localhost") or name in self._names


def is_own_origin(origin: str, host: str | None) -> bool:
    """Say whether a page of ``origin`` was served under the ``Host`` that is asked now, by us or by a proxy with TLS."""
    scheme, _, place = origin.lower().partition("://")
    return host is not None and scheme in {"http", "https"} and place == host.lower()


def _opens_a_page(environ: dict[str, Any]) -> bool:
    """Say whether somebody has followed a link to a page for people; such a page cannot be framed and changes nothing."""
    path: str = environ["PATH_INFO"]
    return (
        environ["REQUEST_METHOD"] == "GET"
        and environ.get("HTTP_SEC_FETCH_MODE") == "navigate"
        and environ.get("HTTP_SEC_FETCH_DEST") == "document"
        and (path in {"/", "/console"} or path.startswith("/console/"))
    )


def _name(host: str) -> str | None:
    """Return the name in a ``Host`` header; None where it has none."""
    try:
        parts = urlsplit(f"//{host}")
        parts.port  # noqa: B018 - raises where it is none.
    except ValueError:
        return None
    if parts.netloc != host or "@" in host or not parts.hostname:
        return None
    return _canonical(parts.hostname)


def _canonical(name: str) -> str:
    return name.strip("[]").lower().removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
