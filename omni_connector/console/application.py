"""The console's Flask application, and where it stands before the manager's."""

import hashlib
import importlib
import pkgutil
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from attrs import frozen
from flask import Flask, url_for

from omni_connector._version import __version__
from omni_connector.console import errors, formatting, security
from omni_connector.console.page import EXTENSION, Console, Entry, Page

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

PREFIX = "/console"

_LARGEST_FORM_BYTES = 4 * 1024**2


def install(console: Console) -> Flask:
    """Serve the console on its manager, which must not have been started; return the console's application."""
    app = create_app(console)
    manager = console.manager.app
    manager.wsgi_app = _Mounted(app, manager.wsgi_app)  # type: ignore[method-assign]  # As Flask's documentation says.
    return app


def create_app(console: Console) -> Flask:
    """Return the application with all pages."""
    app = Flask("omni_connector.console", static_url_path=f"{PREFIX}/static")
    data_dir = str(console.manager.data_dir.resolve())
    app.config.update(
        SECRET_KEY=secrets.token_bytes(32),
        # Cookies are for a host with all its ports: another manager has another name for this one.
        SESSION_COOKIE_NAME=f"omni_console_{hashlib.sha256(data_dir.encode()).hexdigest()[:8]}",
        SESSION_COOKIE_SAMESITE="Strict",
        MAX_CONTENT_LENGTH=_LARGEST_FORM_BYTES,
        MAX_FORM_MEMORY_SIZE=_LARGEST_FORM_BYTES,
    )
    app.extensions[EXTENSION] = console
    security.install(app)
    errors.install(app)
    formatting.install(app)
    pages = list(_pages())
    for page in pages:
        app.register_blueprint(page.blueprint)
    within = {page.blueprint.name: page.within or page.blueprint.name for page in pages}
    entries = sorted(
        (
            _NavigationEntry(page.entry, page.blueprint.name, within)
            for page in pages
            if page.entry is not None
        ),
        key=_NavigationEntry.position,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(navigation=entries, manager=console.manager, version=__version__)
    return app


@frozen
class _NavigationEntry:
    """An entry as the template needs it."""

    _entry: Entry
    _blueprint: str
    _within: Mapping[str, str]

    def position(self) -> int:
        return self._entry.position

    @property
    def label(self) -> str:
        return self._entry.label

    @property
    def url(self) -> str:
        return url_for(self._entry.endpoint)

    def leads_to(self, endpoint: str | None) -> bool:
        """Say whether a page belongs to this entry."""
        return self._within.get((endpoint or "").partition(".")[0]) == self._blueprint


def _pages() -> Iterator[Page]:
    """Yield what the modules of this folder declare."""
    package = importlib.import_module("omni_connector.console")
    for module in pkgutil.iter_modules(package.__path__, "omni_connector.console."):
        page = getattr(importlib.import_module(module.name), "page", None)
        if isinstance(page, Page):
            yield page


@frozen
class _Mounted:
    """The console at ``/`` and below ``/console``; the manager everywhere else."""

    _console: WSGI
    _manager: WSGI

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path: str = environ["PATH_INFO"]
        ours = path in {"/", PREFIX} or path.startswith(f"{PREFIX}/")
        return (self._console if ours else self._manager)(environ, start_response)
