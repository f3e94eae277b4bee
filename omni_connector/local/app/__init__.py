"""The manager's HTTP side: a factory and one blueprint for each group of endpoints."""

from __future__ import annotations

from flask import Flask
from werkzeug.routing import UnicodeConverter

from omni_connector.local.app import admin, catalogue, development, errors, sdk_runs, sdk_sources, sdk_upload
from omni_connector.local.app.access import EXTENSION
from omni_connector.local.services import Services


class _Segment(UnicodeConverter):
    """One path segment. The server leaves ``%2F`` as it is; it stands for a slash within the segment."""

    def to_python(self, value: str) -> str:
        return value.replace("%2F", "/").replace("%2f", "/")


def create_app(services: Services) -> Flask:
    """Return the app that serves these services."""
    app = Flask("omni_connector.local", static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False  # CORS preflights are answered for every path alike.
    app.url_map.merge_slashes = False  # `//health` is no route, as in the real manager.
    app.url_map.converters["default"] = _Segment
    app.extensions[EXTENSION] = services
    errors.install(app)
    for blueprint in (
        sdk_upload.blueprint,
        sdk_runs.blueprint,
        sdk_sources.blueprint,
        admin.blueprint,
        catalogue.blueprint,
        development.blueprint,
    ):
        app.register_blueprint(blueprint)
    return app
