"""The protocol's endpoints as a Flask blueprint (connector.openapi.yaml)."""

import re
from http import HTTPStatus

from flask import Blueprint, Response, current_app, request
from flask.blueprints import BlueprintSetupState
from werkzeug.wrappers import Response as WerkzeugResponse

from omni_connector.models import (
    ActionRequest,
    CancelRequest,
    CredentialReadyRequest,
    PromptRequest,
    ResourceRequest,
    SkillRequest,
    SyncRequest,
)
from omni_connector.runtime.requests import ServerLimits
from omni_connector.runtime.service import ConnectorService
from omni_connector.telemetry.metrics import NO_METRICS
from omni_connector.web.asgi import Application
from omni_connector.web.auth import BearerAuth
from omni_connector.web.bodies import CREDENTIALS_BYTES, SMALL_BYTES, RequestBodies, json_body
from omni_connector.web.errors import register_error_handlers, surviving
from omni_connector.web.observed_requests import ObservedRequests
from omni_connector.web.responses import action_response, error_response, json_response

EXTENSION = "omni_connector"
"""Key in ``app.extensions``: a dict of the mounted services by blueprint name."""


def build_blueprint(service: ConnectorService, *, name: str | None = None) -> Blueprint:
    """Return a blueprint that serves one connector; its name is made from the connector's unless given.

    Raises:
        ConfigurationError: the tokens that requests must bring cannot be used.
    """
    slug = re.sub(r"\W+", "_", service.connector.name)
    blueprint = Blueprint(name or f"omni_connector_{slug}", __name__)

    auth = BearerAuth.of(service.settings, health.__name__)
    if auth is not None:
        # Before anything of a body is read; of every route but one, whatever is added to them.
        blueprint.before_request(auth.refusal)

    def mount(state: BlueprintSetupState) -> None:
        name = f"{state.name_prefix}.{state.name}".lstrip(".")  # As request.blueprint says it, nested or not.
        mounted: dict[str, ConnectorService] = state.app.extensions.setdefault(EXTENSION, {})
        for other in mounted.values():
            service.calls.slow_requests = (
                other.calls.slow_requests
            )  # The threads are those of the application.
        mounted[name] = service
        if auth is not None and isinstance(state.app, Application):
            # That application is all ours: addresses that do not exist are closed, too.
            state.app.before_request(auth.refusal)

    blueprint.record(mount)
    blueprint.before_request(learn_threads)
    bodies = RequestBodies(service.settings)
    blueprint.before_request(bodies.begin_request)
    blueprint.teardown_request(bodies.end_request)
    rules = {view.__name__: rule for rule, view, _ in _ROUTES}
    ObservedRequests(service.instruments, rules).attach(blueprint)
    for rule, view, method in _ROUTES:
        blueprint.add_url_rule(rule, view_func=surviving(view), methods=[method])
    register_error_handlers(blueprint)
    return blueprint


def _service() -> ConnectorService:
    services: dict[str, ConnectorService] = current_app.extensions[EXTENSION]
    return services[request.blueprint or ""]


def learn_threads() -> None:
    """Learn how many threads waitress has, which only its requests show."""
    is_connected = request.environ.get("waitress.client_disconnected")
    if is_connected is not None:
        _service().apply(ServerLimits(threads=is_connected.__self__.server.adj.threads))


def health() -> Response:
    """``GET /health``: alive, and registered only if this answers 2xx."""
    return json_response({"status": "healthy", "service": _service().connector.name})


def ready() -> Response:
    """``GET /ready``: whether a sync would find everything that it needs; not for probes, which need ``/health``."""
    report = _service().readiness()
    return json_response(
        report.to_json(), HTTPStatus.OK if report.is_ready else HTTPStatus.SERVICE_UNAVAILABLE
    )


def metrics() -> Response:
    """``GET /metrics``: for Prometheus, of all workers of the server."""
    metrics = _service().instruments.metrics
    if metrics is None:
        return error_response(NO_METRICS, status=HTTPStatus.NOT_IMPLEMENTED)
    body, content_type = metrics.exposition(request.headers.get("Accept", ""))
    return Response(body, content_type=content_type)


def manifest() -> Response:
    """``GET /manifest``: as it is registered, and the schemas of settings; unknown keys are ignored on every side."""
    service = _service()
    return json_response({**service.manifest(), **service.connector.declared_types.announced})


def start_sync() -> Response:
    """``POST /sync``: start a run, or answer for one that is in progress."""
    _service().start_sync(json_body(SyncRequest))
    return json_response({"status": "started", "message": None})


def sync_status(sync_run_id: str) -> Response:
    """``GET /sync/<sync_run_id>``: whether this very run is in progress, in any process."""
    return json_response({"running": _service().is_running(sync_run_id)})


def cancel() -> Response:
    """``POST /cancel``: stop a run."""
    known = _service().cancel(json_body(CancelRequest, SMALL_BYTES).sync_run_id)
    return json_response({"status": "cancelled"}) if known else json_response({"status": "not_found"}, 404)


def action() -> WerkzeugResponse:
    """``POST /action``: run an action and return its answer."""
    return action_response(_service().calls.execute_action(json_body(ActionRequest)))


def resource() -> Response:
    """``POST /resource``: read a resource of the MCP server that the connector mirrors."""
    body = json_body(ResourceRequest, CREDENTIALS_BYTES)
    return json_response(_service().calls.read_resource(body))


def prompt() -> Response:
    """``POST /prompt``: fetch a prompt of that server."""
    body = json_body(PromptRequest, CREDENTIALS_BYTES)
    return json_response(_service().calls.get_prompt(body))


def skill() -> Response:
    """``POST /skill``: the text of a skill that has no static content in the manifest."""
    body = json_body(SkillRequest, CREDENTIALS_BYTES)
    return json_response(_service().calls.load_skill(body).to_wire())


def credential_ready() -> Response:
    """``POST /oauth/credential-ready``: an account was connected; returns the manifest if that has changed it."""
    body = json_body(CredentialReadyRequest, CREDENTIALS_BYTES)
    changed = _service().calls.credential_ready(body)
    return Response(status=204) if changed is None else json_response(changed)


_ROUTES = (
    ("/health", health, "GET"),
    ("/ready", ready, "GET"),
    ("/metrics", metrics, "GET"),
    ("/manifest", manifest, "GET"),
    ("/sync", start_sync, "POST"),
    ("/sync/<sync_run_id>", sync_status, "GET"),
    ("/cancel", cancel, "POST"),
    ("/action", action, "POST"),
    ("/resource", resource, "POST"),
    ("/prompt", prompt, "POST"),
    ("/skill", skill, "POST"),
    ("/oauth/credential-ready", credential_ready, "POST"),
)
