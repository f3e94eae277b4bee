"""Where the parts are joined: applications from the environment, and starts that fail readably.

Serving itself, under gunicorn, is shown by the tests of whole processes.
"""

from __future__ import annotations

import logging
import socket
import sys
import tempfile
from types import SimpleNamespace

import attrs
import pytest
from support.ipv6 import needs_ipv6
from support.scripted import Scripted
from support.waiting import eventually

from omni_connector import ConfigurationError, Settings
from omni_connector.local import HttpServer
from omni_connector.server import (
    close_services,
    create_app,
    create_app_from_environ,
    serve,
    services,
)
from omni_connector.serving.gunicorn_server import GunicornServer, startup_error, startup_message

MANAGER = {"CONNECTOR_MANAGER_URL": "http://manager:8090"}


def problems(environ):
    with pytest.raises(ConfigurationError) as caught:
        create_app_from_environ(environ)
    return caught.value.problems


def test_the_environment_names_connector_and_manager():
    app = create_app_from_environ({**MANAGER, "OMNI_CONNECTOR": "support.scripted:Scripted"})
    (service,) = services(app).values()
    try:
        assert service.settings.manager_url == "http://manager:8090"
        assert app.test_client().get("/health").json == {"status": "healthy", "service": "scripted"}
    finally:
        service.close()


def test_create_app_alone_begins_to_register(monkeypatch, omni_manager, caplog):
    """In the process of whoever calls it; under gunicorn and uvicorn the tests of whole processes show it."""
    caplog.set_level(logging.INFO)
    apps = []

    def serve(environ, start_response):  # The address is needed first.
        return apps[0](environ, start_response)

    with HttpServer(serve, name="test-connector") as server:
        monkeypatch.setenv("CONNECTOR_MANAGER_URL", omni_manager.url)
        monkeypatch.setenv("CONNECTOR_HOST_NAME", "127.0.0.1")
        monkeypatch.setenv("PORT", server.url.rpartition(":")[2])
        apps.append(create_app(Scripted()))
        try:
            omni_manager.wait_for_connector("web")
            eventually(lambda: "Registered at" in caplog.text)
            assert f"Registered at {omni_manager.url} as scripted, reached at {server.url}" in caplog.text
        finally:
            close_services(apps[0])


def test_everything_that_is_missing_is_told_at_once():
    found = problems({"PORT": "eighty"})
    assert [problem.split()[0] for problem in found] == [
        "OMNI_CONNECTOR",
        "CONNECTOR_MANAGER_URL",
        "PORT='eighty'",
    ]


def test_a_connector_that_cannot_be_loaded_is_told_beside_the_rest():
    settings, target = problems({"OMNI_CONNECTOR": "no_such_module:X"})
    assert settings.startswith("CONNECTOR_MANAGER_URL is not set")
    assert target.startswith("OMNI_CONNECTOR=no_such_module:X: no_such_module:X: there is no module")


@pytest.mark.parametrize("name", [5, "", " ", None])
def test_a_connector_without_a_usable_name_is_told(name, monkeypatch):
    monkeypatch.setattr(Scripted, "name", name)
    (problem,) = problems({**MANAGER, "OMNI_CONNECTOR": "support.scripted:Scripted"})
    assert problem.startswith(f"Scripted.name is {name!r}: give it text")


@pytest.mark.parametrize(
    ("types", "said"), [(["my-wiki"], True), (["web", "my-wiki"], True), (["web"], False)]
)
def test_a_source_type_that_no_manager_has_is_named_at_the_start(monkeypatch, caplog, types, said):
    monkeypatch.setattr(Scripted, "source_types", types)
    close_services(create_app_from_environ({**MANAGER, "OMNI_CONNECTOR": "support.scripted:Scripted"}))
    found = [record.getMessage() for record in caplog.records if record.name == "omni_connector.server"]
    assert len(found) == said
    if said:
        assert found[0].startswith("scripted: Omni has no source type my-wiki: ")
        assert "Omni's types: clickup, " in found[0]


def test_a_start_that_fails_is_one_readable_message():
    error = ConfigurationError(["PORT is wrong. Type: export PORT=8000", "X is not set."])
    assert startup_message(error) == (
        "The connector cannot start:\n  - PORT is wrong. Type: export PORT=8000\n  - X is not set."
    )


def test_outside_of_gunicorn_a_start_that_fails_ends_the_process():
    error = startup_error(ConfigurationError("X is not set."))
    assert isinstance(error, SystemExit)
    assert error.code == "The connector cannot start: X is not set."


@pytest.mark.parametrize("start", [serve, lambda connector, **options: connector.serve(**options)])
def test_serving_without_a_manager_ends_with_the_line_to_type(start):
    with pytest.raises(SystemExit) as caught:
        start(Scripted(), port=8123)
    assert str(caught.value).startswith("The connector cannot start: CONNECTOR_MANAGER_URL is not set")


def test_serving_on_an_impossible_port_ends_readably(monkeypatch):
    monkeypatch.setenv("PORT", "99999")
    with pytest.raises(SystemExit, match="PORT='99999' is not a port number"):
        serve(Scripted())


def test_serving_on_a_used_port_ends_with_one_line(monkeypatch):
    monkeypatch.setenv("CONNECTOR_MANAGER_URL", "http://manager:8090")
    with socket.create_server(("127.0.0.1", 0)) as used:
        port = used.getsockname()[1]
        with pytest.raises(SystemExit) as caught:
            serve(Scripted(), port=port, host="127.0.0.1")
    why = "Address already in use. Name another port or host (--port or PORT, --host)."
    assert caught.value.code == f"The connector cannot listen on 127.0.0.1:{port}: {why}"


@pytest.mark.parametrize("host", ["192.0.2.1", "::zz", "a..b"])
def test_serving_on_an_address_of_another_machine_ends_with_one_line(monkeypatch, host):
    monkeypatch.setenv("CONNECTOR_MANAGER_URL", "http://manager:8090")
    with pytest.raises(SystemExit, match="The connector cannot listen on "):
        serve(Scripted(), port=8123, host=host)


@needs_ipv6
@pytest.mark.parametrize("host", ["::1", "[::1]", "::"])
def test_an_ipv6_address_is_served_with_and_without_brackets(monkeypatch, host):
    monkeypatch.setenv("CONNECTOR_MANAGER_URL", "http://manager:8090")
    bound = []
    monkeypatch.setattr(GunicornServer, "run", lambda server: bound.append(server.cfg.address))
    serve(Scripted(), port=0, host=host)
    assert bound == [[(host.strip("[]"), 0)]]


@pytest.mark.parametrize(
    ("options", "processes", "missing"),
    [
        ({"master": True}, 1, "--lazy-apps --enable-threads"),
        ({"enable-threads": True}, 2, "--lazy-apps"),
        ({"lazy-apps": True, "master": True}, 2, "--enable-threads"),
    ],
)
def test_uwsgi_is_refused_where_it_gives_no_threads(monkeypatch, options, processes, missing):
    """It forks without a word to Python after it has loaded an application, and runs none of its threads unless asked to."""
    monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(opt=options, numproc=processes))
    with pytest.raises(ConfigurationError, match=f"Type: uwsgi {missing} "):
        create_app(Scripted(), settings=Settings(manager_url="http://127.0.0.1:9"))


def test_the_processes_of_uwsgi_share_a_run_store(monkeypatch, tmp_path):
    uwsgi = SimpleNamespace(opt={"lazy-apps": True, "threads": b"4"}, numproc=2)
    monkeypatch.setitem(sys.modules, "uwsgi", uwsgi)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    settings = Settings(manager_url="http://127.0.0.1:9")
    close_services(create_app(Scripted(), settings=settings))
    assert list(tmp_path.glob("omni-connector-*/scripted-*"))
    with pytest.raises(ConfigurationError, match="this server has 2"):
        create_app(Scripted(), settings=attrs.evolve(settings, run_store="memory"))
