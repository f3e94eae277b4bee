"""Two connectors in one Flask application, beside routes of its own.

    export CONNECTOR_MANAGER_URL=http://localhost:8090
    export CONNECTOR_URL=http://localhost:8000
    flask --app examples/flask_app.py run --port 8000

or, as in production:

    gunicorn -c python:omni_connector.gunicorn_conf --pythonpath examples 'flask_app:create_app()'

``omni-connector manager`` starts a manager to try it with. Each connector registers under its own address:
``http://localhost:8000/connectors/rss`` and ``http://localhost:8000/connectors/files``.
"""

from filesystem_connector import FilesystemConnector
from flask import Flask
from rss_connector import RssConnector

from omni_connector.server import create_blueprint, services


def create_app() -> Flask:
    """Return the application; its threads start in the process that calls this."""
    app = Flask(__name__)
    app.register_blueprint(create_blueprint(RssConnector()), url_prefix="/connectors/rss")
    app.register_blueprint(create_blueprint(FilesystemConnector()), url_prefix="/connectors/files")

    @app.get("/")
    def index() -> dict[str, list[str]]:
        return {"connectors": [service.connector.display_name for service in services(app).values()]}

    return app
