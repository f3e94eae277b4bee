"""The blueprint in an application that is there already: under prefixes, beside others, leaving them alone."""

from __future__ import annotations

import json

import pytest
from flask import Blueprint, Flask, jsonify
from flask.json.provider import DefaultJSONProvider
from support.scripted import WAIT, Scripted
from werkzeug.exceptions import NotFound

from omni_connector import ConfigurationError, Settings
from omni_connector.server import create_app, create_blueprint, services
from omni_connector.testing import MemoryManager

SETTINGS = Settings(manager_url="http://manager", connector_url="http://me:8000")
ACTION = {"action": "fetch"}


class Notes(Scripted):
    name = "notes"


class Mails(Scripted):
    name = "mails & more"


def blueprint(connector, **options):
    options = {"settings": SETTINGS, "manager": MemoryManager(), "register": False, **options}
    return create_blueprint(connector, **options)


@pytest.mark.parametrize("prefix", [None, "/", "/connector", "/a/b/c"])
def test_a_connector_answers_under_any_prefix(owning, prefix):
    app = Flask("host")
    app.register_blueprint(blueprint(Notes()), url_prefix=prefix)
    owning(app)
    base = "" if prefix in {None, "/"} else prefix
    assert app.test_client().get(f"{base}/health").json["service"] == "notes"


def test_two_connectors_in_one_app_are_two(owning):
    app = Flask("host")
    notes, mails = Notes(), Mails()
    app.register_blueprint(blueprint(notes), url_prefix="/notes")
    app.register_blueprint(blueprint(mails), url_prefix="/mails")
    owning(app)
    client = app.test_client()
    assert client.get("/notes/health").json["service"] == "notes"
    assert client.get("/mails/health").json["service"] == "mails & more"
    body = {"sync_run_id": "run-1", "source_id": "s", "sync_mode": "full"}
    assert client.post("/mails/sync", json=body).status_code == 200
    mails.meet()
    assert notes.syncs == []
    assert sorted(services(app)) == ["omni_connector_mails_more", "omni_connector_notes"]


def test_one_connector_twice_wants_a_name(owning):
    app = Flask("host")
    app.register_blueprint(blueprint(Notes()), url_prefix="/one")
    second = blueprint(Notes())
    with pytest.raises(ValueError, match="omni_connector_notes"):
        app.register_blueprint(second, url_prefix="/two")
    app.register_blueprint(blueprint(Notes(), name="second"), url_prefix="/two")
    owning(app)
    assert app.test_client().get("/two/health").status_code == 200
    assert sorted(services(app)) == ["omni_connector_notes", "second"]


def test_a_connector_inside_another_blueprint(owning):
    app = Flask("host")
    outer = Blueprint("outer", __name__)
    outer.register_blueprint(blueprint(Notes()), url_prefix="/notes")
    app.register_blueprint(outer, url_prefix="/api")
    owning(app)
    client = app.test_client()
    assert client.get("/api/notes/health").json["service"] == "notes"
    assert client.post("/api/notes/action", json=ACTION).status_code == 404


def test_several_apps_know_nothing_of_each_other(owning):
    first, second = Flask("first"), Flask("second")
    first.register_blueprint(blueprint(Notes()))
    second.register_blueprint(blueprint(Mails()))
    owning(first)
    owning(second)
    assert first.test_client().get("/health").json["service"] == "notes"
    assert second.test_client().get("/health").json["service"] == "mails & more"
    assert list(services(first)) == ["omni_connector_notes"]
    assert services(Flask("third")) == {}


class OddJson(DefaultJSONProvider):
    """Writes something else altogether."""

    def dumps(self, obj, **kwargs):
        return '"the host\'s own"'


@pytest.fixture
def host(owning):
    """An application with habits of its own, and a connector in it."""
    app = Flask("host")
    app.json = OddJson(app)
    app.config["MAX_CONTENT_LENGTH"] = 50
    app.extensions["own"] = "extension"
    seen = []
    app.extensions["seen"] = seen

    @app.get("/")
    def home():
        return "home"

    @app.post("/upload")
    def upload():
        from flask import request

        return str(len(request.get_data()))

    @app.get("/own-error")
    def own_error():
        raise LookupError("own")

    @app.errorhandler(LookupError)
    def lookup(error):
        return "the host's own page", 410

    @app.errorhandler(404)
    def missing(error):
        return "the host's own 404", 404

    @app.before_request
    def before():
        seen.append("before")

    @app.after_request
    def after(response):
        response.headers["X-Host"] = "yes"
        return response

    app.register_blueprint(blueprint(Notes()), url_prefix="/connector")
    return owning(app)


def test_the_host_s_own_routes_and_error_pages_are_untouched(host):
    client = host.test_client()
    assert client.get("/").text == "home"
    assert (client.get("/own-error").status_code, client.get("/own-error").text) == (
        410,
        "the host's own page",
    )
    assert client.get("/nowhere").text == "the host's own 404"
    assert client.post("/upload", data=b"x" * 51).status_code == 413
    assert "application/json" not in client.post("/upload", data=b"x" * 51).content_type
    assert host.config["MAX_CONTENT_LENGTH"] == 50
    assert host.extensions["own"] == "extension"


def test_the_connector_has_its_own_limits_and_json(host):
    client = host.test_client()
    response = client.post(
        "/connector/action",
        data=json.dumps({**ACTION, "params": {"text": "x" * 1000}}),
        content_type="application/json",
    )
    assert (response.status_code, response.json["status"]) == (404, "error")
    assert client.get("/connector/health").json == {"status": "healthy", "service": "notes"}


def test_errors_of_the_connector_s_endpoints_are_its_own(host):
    client = host.test_client()
    response = client.post("/connector/sync", json=[])
    assert (response.status_code, response.json["field"]) == (400, "body")


def test_the_host_s_hooks_are_run_for_the_connector_too(host):
    response = host.test_client().get("/connector/health")
    assert response.headers["X-Host"] == "yes"
    assert host.extensions["seen"] == ["before"]


def test_a_host_that_asks_for_json_gets_its_own(host):
    with host.test_request_context():
        assert jsonify({}).get_data(as_text=True).strip() == '"the host\'s own"'


def test_errors_that_only_flask_raises_are_those_of_the_connector(owning):
    class Missing(Scripted):
        @property
        def description(self):
            raise NotFound

    app = owning(create_app(Missing(), settings=SETTINGS, manager=MemoryManager(), register=False))
    response = app.test_client().get("/manifest")
    assert (response.status_code, response.json["message"]) == (404, "Not Found: GET /manifest")


# -- making them ------------------------------------------------------------------------------------------------


def test_mounting_begins_to_register_with_the_prefix(owning):
    manager = MemoryManager()
    mounted = blueprint(Notes(), manager=manager, register=True)
    assert manager.calls == []
    app = Flask("host")
    app.register_blueprint(mounted, url_prefix="/c/")
    owning(app)
    manager.wait_for(lambda manager: manager.registrations, WAIT)
    assert manager.registrations[0]["connector_url"] == "http://me:8000/c"


def test_the_factory_makes_an_app_of_one_connector(owning):
    manager = MemoryManager()
    app = owning(create_app(Notes(), settings=SETTINGS, manager=manager))
    manager.wait_for(lambda manager: manager.registrations, WAIT)
    assert manager.registrations[0]["connector_url"] == "http://me:8000"
    assert app.test_client().get("/static/x").status_code == 404


def test_without_settings_the_environment_is_read(owning, monkeypatch):
    monkeypatch.setenv("CONNECTOR_MANAGER_URL", "http://from-environment:1/")
    app = owning(create_app(Notes()))
    (service,) = services(app).values()
    assert service.settings.manager_url == "http://from-environment:1"


def test_an_address_that_is_none_is_refused_at_once(monkeypatch):
    monkeypatch.setenv("CONNECTOR_MANAGER_URL", "from-environment")
    with pytest.raises(ConfigurationError, match="CONNECTOR_MANAGER_URL is not an http"):
        create_app(Notes())


@pytest.mark.parametrize("url", [None, "http://localhost:0"])
def test_the_address_of_the_manager_may_be_set_after_the_application_is_made(
    owning, monkeypatch, omni_manager, url
):
    """Suites make the application first and start the manager later; until then a sync is refused readably."""
    if url is not None:
        monkeypatch.setenv("CONNECTOR_MANAGER_URL", url)
    app = owning(create_app(Notes()))
    source = omni_manager.add_source(source_type="web")
    request = {"sync_run_id": "run-1", "source_id": source.id, "sync_mode": "full"}
    refused = app.test_client().post("/sync", json=request)
    assert refused.status_code == 500
    assert "CONNECTOR_MANAGER_URL is not" in refused.get_data(as_text=True)
    monkeypatch.setenv("CONNECTOR_MANAGER_URL", omni_manager.url)
    (service,) = services(app).values()
    request["sync_run_id"] = service.manager.create_run(source.id, "full")
    assert app.test_client().post("/sync", json=request).status_code == 200
    assert omni_manager.wait_for_run(request["sync_run_id"]).status == "completed"
