"""The canary of tests/masking in processes of its own: the command line, gunicorn, Celery workers and Redis."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import redis
from support.canary import CREDENTIALS, IN_SETTINGS, tables_of, traces
from support.celery_processes import content_of, start_web, start_worker
from support.ports import free_port
from support.processes import ROOT, Process, child_environ
from support.redis_server import RedisServer
from support.waiting import eventually

PASSWORD = "s3cret-password-of-settings"
LEGITIMATE = {"credentials.credentials", "sources.config", "credentials.json"}
TARGET = "support.canary:Canary"


def leaks(places):
    return [
        (place, secret[:12], way[:40])
        for secret, ways in {**traces(), PASSWORD: {PASSWORD}}.items()
        for way in ways
        for place, text in places.items()
        if place not in LEGITIMATE and way in text
    ]


def ended(*command, env=None):
    done = subprocess.run(
        [sys.executable, "-m", *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=child_environ(env or {}),
        cwd=ROOT,
    )
    return {"stdout": done.stdout, "stderr": done.stderr}


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["-v"], id="verbose", marks=pytest.mark.slow),
        pytest.param(["--json"], id="json", marks=pytest.mark.slow),
        pytest.param([], id="plain"),
    ],
)
@pytest.mark.parametrize(
    "way", ["chains", pytest.param("emits_errors", marks=pytest.mark.slow), "crashes", pytest.param("breaks", marks=pytest.mark.slow)]
)  # fmt: skip
def test_the_command_line_shows_no_secret(tmp_path, way, options):
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps(CREDENTIALS))
    config = json.dumps({"way": way, "api_key": IN_SETTINGS})
    command = ["omni_connector.cli", "run", TARGET, "--config", config, "--credentials", str(file)]
    places = ended(*command, "--data", str(tmp_path / "data"), *options)
    assert "***" in places["stderr"] + places["stdout"] or way == "breaks"
    assert leaks(places | tables_of(tmp_path)) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"CONNECTOR_MANAGER_URL": f"ftp://ada:{PASSWORD}@manager:8090"},
        pytest.param({"OMNI_RUN_STORE": f"redis://ada:{PASSWORD}@[nowhere"}, marks=pytest.mark.slow),
        pytest.param({"OMNI_RUN_STORE": f"sqlite://ada:{PASSWORD}@nowhere"}, marks=pytest.mark.slow),
        pytest.param(
            {"OMNI_EXECUTOR": "celery", "OMNI_BROKER_URL": f"nonsense//ada:{PASSWORD}@nowhere"},
            marks=pytest.mark.slow,
        ),
        pytest.param({"CONNECTOR_URL": f"gopher://ada:{PASSWORD}@here"}, marks=pytest.mark.slow),
        pytest.param({"CONNECTOR_AUTH_TOKEN": f"{PASSWORD} with blanks"}, marks=pytest.mark.slow),
        pytest.param(
            {"CONNECTOR_MANAGER_HEADERS": f"Authorization Bearer {PASSWORD}"}, marks=pytest.mark.slow
        ),
    ],
    ids=["manager", "store", "file", "broker", "own", "token", "headers"],
)
def test_gunicorn_with_bad_settings_shows_no_secret(settings):
    env = {"OMNI_CONNECTOR": TARGET, "CONNECTOR_MANAGER_URL": "http://127.0.0.1:9", **settings}
    places = ended("gunicorn", "--bind", "127.0.0.1:0", "omni_connector.wsgi:app", env=env)
    assert places["stderr"]
    assert leaks(places) == []


@pytest.mark.slow
def test_a_run_that_fails_in_a_celery_worker_leaves_no_secret_in_redis_and_the_logs(
    tmp_path, manager, address
):
    with RedisServer(tmp_path) as server, redis.Redis.from_url(server.url) as client:
        env = {
            "CONNECTOR_MANAGER_URL": manager.url,
            "OMNI_EXECUTOR": "celery",
            "OMNI_BROKER_URL": server.url,
            "OMNI_RUN_STORE": server.url,
        }
        with start_web(address, env, TARGET) as web, start_worker(TARGET, env, "--pool", "threads") as worker:
            manager.wait_for_connector(web, "web")
            for way in ("chains", "logs", "crashes"):
                run = manager.trigger(
                    manager.add_source("web", {"way": way, "api_key": IN_SETTINGS}, CREDENTIALS)
                )
                manager.wait(run)
            held = content_of(client)
        places = {"redis": held, "web": "\n".join(web.lines), "worker": "\n".join(worker.lines)}
    assert "***" in places["worker"]
    assert leaks(places | tables_of(tmp_path / "data")) == []


@pytest.mark.slow
def test_what_workers_exchange_about_partitions_has_no_secret(manager, address, environ, redis_url):
    """Redis is searched while the notes of partitions are there: what they begin with, have saved, and could not read."""
    target = "support.canary:CanaryInParts"
    with (
        redis.Redis.from_url(redis_url) as client,
        start_web(address, environ, target) as web,
        start_worker(target, environ, "--pool", "threads") as worker,
    ):
        manager.wait_for_connector(web, "web")
        run = manager.trigger(manager.add_source("web", {"api_key": IN_SETTINGS}, CREDENTIALS))
        held = []

        def has_all():
            held.append(content_of(client))
            seen = "".join(held)
            return all(note in seen for note in ("offer/part/", "saved/", "last/"))

        eventually(has_all)
        worker.wait_for("Partition 'raises' failed")
        manager.cancel(run)
        manager.wait(run)
        held.append(content_of(client))
        places = {"redis": "".join(held), "web": "\n".join(web.lines), "worker": "\n".join(worker.lines)}
    assert "***" in places["redis"]
    assert leaks(places) == []


@pytest.mark.slow
def test_serve_shows_no_secret(tmp_path, manager):
    port = free_port()
    env = {"CONNECTOR_MANAGER_URL": manager.url, "CONNECTOR_URL": f"http://127.0.0.1:{port}"}
    command = ["omni_connector.cli", "serve", TARGET, "--host", "127.0.0.1", "--port", str(port)]
    with Process(sys.executable, "-m", *command, env=env) as served:
        manager.wait_for_connector(served, "web")
        for way in ("chains", "logs", "crashes"):
            source = manager.add_source("web", {"way": way, "api_key": IN_SETTINGS}, CREDENTIALS)
            manager.wait(manager.trigger(source))
        assert served.terminate() == 0
    places = {"output": "\n".join(served.lines)}
    assert places["output"].count("***") > 10
    assert leaks(places | tables_of(tmp_path / "data")) == []
