"""The switch between light and dark: a cookie, so that a page is right from its first line and needs no script for it."""

from typing import cast
from urllib.parse import urlsplit

from flask import Blueprint, Response, redirect, request

from omni_connector.console.page import Page

COOKIE = "omni_theme"
THEMES = ("system", "light", "dark")

_YEAR_SECONDS = 365 * 24 * 3600

blueprint = Blueprint("theme", __name__, url_prefix="/console")
page = Page(blueprint)


@blueprint.app_context_processor
def _theme() -> dict[str, object]:
    chosen = request.cookies.get(COOKIE)
    return {"theme": chosen if chosen in THEMES else "system", "themes": THEMES}


@blueprint.post("/theme")
def choose() -> Response:
    """Keep what was chosen, and go back to the page."""
    referrer = urlsplit(request.referrer or "/")
    back = (referrer.path or "/") + (f"?{referrer.query}" if referrer.query else "")
    response = cast("Response", redirect("/" + back.lstrip("/\\"), 303, Response))
    theme = request.form.get("theme", "")
    if theme in THEMES:
        response.set_cookie(COOKIE, theme, max_age=_YEAR_SECONDS, samesite="Strict", httponly=True)
    return response
