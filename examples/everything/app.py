"""Both connectors in one Flask application, with the receiver of the tracker's webhooks.

In one terminal the wiki, in the next the manager, in a third the application:

    cd examples && python -m everything.wiki_mcp --port 8200

    omni-connector manager --source '{"name": "apollo", "source_type": "linear", "config": {"project": "apollo"},
      "credentials": {"token": "apollo-token", "webhook_secret": "s3cret"}}'

    cp -r examples/everything/projects /tmp/projects
    export CONNECTOR_MANAGER_URL=http://localhost:8090 CONNECTOR_URL=http://localhost:8000
    export TRACKER_FOLDER=/tmp/projects WIKI_MCP_URL=http://localhost:8200/mcp
    gunicorn -c python:omni_connector.gunicorn_conf --pythonpath examples 'everything.app:create_app()'

The manager syncs the project at once, and keeps watching it in realtime. ``omni-connector search thrust --as
bob@example.com`` finds what Bob may find, and ``curl localhost:8090/actions`` lists what can be done.

The tracker calls ``/webhooks/tracker/<id of the source>``, signed as ``webhook_app.py`` describes.
"""

import logging
import os
from pathlib import Path

from flask import Flask, current_app, request
from flask.typing import ResponseReturnValue
from webhook_app import BUSY_SECONDS, is_signed

from everything.tracker_connector import TrackerConnector
from everything.wiki_connector import WikiConnector
from omni_connector import NotFoundError, RunConflictError
from omni_connector.server import create_blueprint, service_of


def create_app() -> Flask:
    """Return the application; its threads start in the process that calls this."""
    logging.basicConfig(
        level=logging.INFO
    )  # Else only the log of the syncs is shown, not the connectors' own.
    tracker = TrackerConnector(Path(os.environ["TRACKER_FOLDER"]).resolve())
    wiki = WikiConnector(os.environ["WIKI_MCP_URL"])
    app = Flask(__name__)
    app.register_blueprint(create_blueprint(tracker), url_prefix="/connectors/tracker")
    app.register_blueprint(create_blueprint(wiki), url_prefix="/connectors/wiki")
    app.add_url_rule("/webhooks/tracker/<source_id>", view_func=receive, methods=["POST"])
    return app


def receive(source_id: str) -> ResponseReturnValue:
    """``POST /webhooks/tracker/<source_id>``: ask the manager for an incremental sync."""
    manager = service_of(current_app, TrackerConnector.name).manager
    try:
        secret = manager.credentials(source_id).credentials["webhook_secret"]
        if not is_signed(request.get_data(), request.headers.get("X-Signature", ""), secret):
            return {"error": "the signature is wrong"}, 401
        run_id = manager.notify_webhook(source_id, request.get_json()["type"])
    except NotFoundError:
        return {"error": "no such source"}, 404
    except RunConflictError:
        return {"error": "a sync is in progress"}, 503, {"Retry-After": BUSY_SECONDS}
    return {"sync_run_id": run_id}, 202
