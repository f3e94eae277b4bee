"""Headers of every answer, and who may change something.

Which hosts and sites may ask at all is the embedded manager's rule (``local/browser_guard.py``), the same for all its routes.
"""

from flask import Flask, Response, abort, request

from omni_connector.local.browser_guard import is_own_origin

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": browsers would then send "Origin: null" with forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

_SAFE = {"GET", "HEAD", "OPTIONS"}


def install(app: Flask) -> None:
    """Register both on the app."""
    app.before_request(_require_own_page)
    app.after_request(_add_headers)


def _require_own_page() -> None:
    """Refuse a change that does not come from one of our own pages; browsers say where each POST comes from."""
    if request.method in _SAFE:
        return
    own = is_own_origin(request.headers.get("Origin", ""), request.headers.get("Host"))
    if not own and request.headers.get("Sec-Fetch-Site") != "same-origin":
        abort(
            403,
            "Changes are accepted from the console's own pages only. Open the page again and repeat it there.",
        )


def _add_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if not request.path.startswith("/console/static/"):
        response.headers.setdefault("Cache-Control", "no-store")
    return response
