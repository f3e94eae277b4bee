"""Tokens: who may call the endpoints of a connector."""

from __future__ import annotations

import logging

import pytest
from flask import Flask
from starlette.testclient import TestClient
from support.scripted import Scripted

from omni_connector import ConfigurationError, Settings
from omni_connector.server import as_asgi, create_app, create_blueprint
from omni_connector.testing import MemoryManager

OLD, NEW = "old-token-0123456789", "new-token-0123456789"
ROUTES = [
    ("GET", "/manifest"),
    ("GET", "/ready"),
    ("GET", "/metrics"),
    ("POST", "/sync"),
    ("GET", "/sync/1"),
    ("POST", "/cancel"),
    ("POST", "/action"),
    ("POST", "/resource"),
    ("POST", "/prompt"),
    ("POST", "/skill"),
    ("POST", "/oauth/credential-ready"),
    ("GET", "/nowhere"),
    ("POST", "/health"),
    ("OPTIONS", "/sync"),
    ("GET", "//health"),
    ("GET", "/health/"),
    ("GET", "/x/../health"),
]


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def client(make_app):
    return make_app(Scripted(), auth_token=f"{NEW}, {OLD}").test_client()


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_but_health_needs_a_token(client, method, path):
    refused = client.open(path, method=method)
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (
        401,
        'Bearer realm="omni-connector"',
    )
    assert refused.json["error"] == "This connector needs a token: the request has no token."
    assert client.open(path, method=method, headers=bearer(OLD)).status_code != 401


def test_every_rule_of_the_blueprint_is_among_these_routes(client):
    rules = {rule.rule.replace("<sync_run_id>", "1") for rule in client.application.url_map.iter_rules()}
    assert rules - {"/health"} <= {path for _, path in ROUTES}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_health_is_open(client, method):
    assert client.open("/health", method=method).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        bearer(NEW[:-1]),
        bearer(NEW + "x"),
        bearer(""),
        bearer(f"{NEW}, {OLD}"),
        bearer(NEW.upper()),
        {"Authorization": NEW},
        {"Authorization": f"Basic {NEW}"},
        {"Authorization": f"Bearer{NEW}"},
        {"Authorization": "Bearer \xff\x00"},
        {"X-Authorization": f"Bearer {NEW}"},
    ],
    ids=repr,
)
def test_a_wrong_token_is_401(client, header):
    assert client.get("/manifest", headers=header).status_code == 401


@pytest.mark.parametrize("header", [f"Bearer {NEW}", f"bearer {OLD}", f"BEARER  {OLD} "])
def test_both_of_two_tokens_are_taken(client, header):
    assert client.get("/manifest", headers={"Authorization": header}).status_code == 200


def test_the_body_of_a_refused_request_is_not_read(make_app):
    client = make_app(Scripted(), auth_token=NEW, max_body_bytes=10).test_client()
    assert client.post("/sync", data=b"x" * 1000).status_code == 401
    assert client.post("/sync", data=b"x" * 1000, headers=bearer(NEW)).status_code != 401


def test_a_mounted_connector_leaves_the_rest_of_the_application_alone(owning):
    app = Flask("host")
    app.add_url_rule("/", view_func=lambda: "mine")
    settings = Settings(manager_url="http://manager", auth_token=NEW)
    blueprint = create_blueprint(Scripted(), settings=settings, manager=MemoryManager(), register=False)
    app.register_blueprint(blueprint, url_prefix="/connectors/one")
    client = owning(app).test_client()
    assert client.get("/").status_code == 200
    assert client.get("/connectors/one/health").status_code == 200
    assert client.get("/connectors/one/manifest").status_code == 401
    assert client.get("/connectors/one/manifest", headers=bearer(NEW)).status_code == 200


def test_under_an_asgi_server(make_app):
    with TestClient(as_asgi(make_app(Scripted(), auth_token=NEW))) as client:
        assert client.get("/health").status_code == 200
        assert client.get("/manifest").status_code == 401
        assert client.get("/manifest", headers=bearer(NEW)).status_code == 200


def test_the_log_says_once_a_minute_that_tokens_are_missing_and_shows_none(client, caplog):
    for _ in range(3):
        client.get("/manifest", headers=bearer("a-wrong-token-of-someone"))
    (line,) = caplog.messages
    assert line.startswith("GET /manifest with a wrong token is answered 401 (1 requests so far). ")
    assert "a-wrong-token" not in caplog.text


def test_tokens_are_masked_where_the_application_shows_them(make_app, caplog):
    make_app(Scripted(), auth_token="zk4-shown-by-the-application")
    logging.getLogger("host").warning("the request has %s", ["zk4-shown-by-the-application"])
    assert caplog.messages == ["the request has ['***']"]


# -- a file -----------------------------------------------------------------------------------------------------


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "tokens"
    path.write_text(f"{OLD}\n")
    return path


def test_a_file_is_read_again_when_it_changes(make_app, token_file, caplog):
    caplog.set_level(logging.INFO)
    client = make_app(Scripted(), auth_token_file=token_file).test_client()

    def accepted():
        return [client.get("/manifest", headers=bearer(token)).status_code for token in (OLD, NEW)]

    assert accepted() == [200, 401]
    token_file.write_text(f"{NEW}\r\n\n{OLD}\n")
    assert accepted() == [200, 200]
    replacement = token_file.with_name("replacement")  # As Kubernetes does, and editors.
    replacement.write_text(NEW)
    replacement.replace(token_file)
    assert accepted() == [401, 200]
    token_file.write_text("short")
    assert accepted() == [401, 200]
    token_file.unlink()
    assert accepted() == [401, 200]
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 2
    assert "has a token of less than 16 characters" in errors[0]
    assert "cannot be read: No such file" in errors[1]
    assert NEW not in caplog.text


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"auth_token": ""}, "CONNECTOR_AUTH_TOKEN is empty, which would let everyone in"),
        ({"auth_token": " , "}, "CONNECTOR_AUTH_TOKEN is empty"),
        ({"auth_token": f"{NEW},"}, "less than 16 characters"),
        (
            {"auth_token": "s3cret"},
            "has a token of less than 16 characters. Type: export CONNECTOR_AUTH_TOKEN=",
        ),
        ({"auth_token": "s3cret with blanks in it"}, "other characters than letters"),
        ({"auth_token": "s3cretäääääääääääääääääää"}, "other characters than letters"),
    ],
    ids=repr,
)
def test_a_token_that_cannot_be_used_stops_the_start(make_app, settings, problem):
    with pytest.raises(ConfigurationError, match=problem) as caught:
        make_app(Scripted(), **settings)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "problem"), [(b"\n \n", "is empty"), (b"\xff", "it is no UTF-8"), (None, "No such file")]
)
def test_a_file_that_cannot_be_used_stops_the_start(make_app, tmp_path, content, problem):
    path = tmp_path / "tokens"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=problem) as caught:
        make_app(Scripted(), auth_token_file=path)
    assert f"CONNECTOR_AUTH_TOKEN_FILE={path}" in str(caught.value)


def test_a_token_and_a_file_at_once_are_refused(token_file):
    with pytest.raises(ConfigurationError, match="are both set"):
        create_app(
            Scripted(),
            settings=Settings(manager_url="http://manager", auth_token=NEW, auth_token_file=token_file),
            manager=MemoryManager(),
        )


def test_the_environment_is_read_and_a_variable_that_is_set_to_nothing_is_no_missing_one():
    environ = {"CONNECTOR_MANAGER_URL": "http://manager", "CONNECTOR_AUTH_TOKEN": ""}
    assert Settings.from_environ(environ).auth_token == ""
    settings = Settings.from_environ(
        {**environ, "CONNECTOR_AUTH_TOKEN": NEW, "CONNECTOR_AUTH_TOKEN_FILE": "/x"}
    )
    assert (settings.auth_token, str(settings.auth_token_file)) == (NEW, "/x")
    assert NEW not in repr(settings)
    assert Settings.beside_manager("http://m", "http://me", environ).auth_token is None
