"""Errors as pages: what happened, and what to do."""

import logging

from flask import Flask, render_template, request
from werkzeug.exceptions import HTTPException

from omni_connector.local import LocalManagerError, StoredTextError

log = logging.getLogger(__name__)

_TITLES = {
    400: "This request cannot be understood",
    403: "Refused",
    404: "There is no such page",
    405: "This address takes no such request",
    409: "Not now",
    413: "That is too much",
    500: "The console has failed",
}

_REMEDIES = {
    404: "It may have been removed since the page with the link was loaded. Begin again at the list of sources.",
    405: "Use the forms of the pages; addresses of changes cannot be opened.",
    500: "The traceback is in the output of the command that runs the manager. Please report it as a bug of omni-connector. "
    "Syncs are not affected.",
}


def install(app: Flask) -> None:
    """Register the handlers on the app."""
    app.register_error_handler(LocalManagerError, _refused_by_manager)
    app.register_error_handler(StoredTextError, _unusable_text)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _failed)


def error_page(status: int, message: str | None = None) -> tuple[str, int]:
    """Return the page for a status, with what is known about this case."""
    title = _TITLES.get(status, "That did not work")
    text = render_template(
        "error.html", status=status, title=title, message=message, remedy=_REMEDIES.get(status)
    )
    return text, status


def _refused_by_manager(error: LocalManagerError) -> tuple[str, int]:
    return error_page(error.status, error.message)


def _unusable_text(error: StoredTextError) -> tuple[str, int]:
    return error_page(400, str(error))


def _http_error(error: HTTPException) -> tuple[str, int]:
    own = error.description if error.description != type(error).description else None
    return error_page(error.code or 500, own)


def _failed(error: Exception) -> tuple[str, int]:
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    return error_page(500)
