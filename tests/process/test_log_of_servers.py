"""The log of real servers: every line in one form, the connector's own included, and the run in each."""

from __future__ import annotations

import datetime as dt
import json
import re
import sys

import pytest
import requests
from support.manager_http import ManagerClient
from support.processes import Process, start_gunicorn

from omni_connector.local import LocalManager

TARGET = "support.talking:Talking"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"
RUN = r"\[connector=talking source=\S+ (name='\S*' )?run=\S+ mode=full\]"


def sync(manager, **config):
    manager.wait_until_registered("web")
    return manager.wait(manager.trigger(manager.add_source("web", config)))


def start(address, manager, *options, bare=False, **env):
    env = {"CONNECTOR_MANAGER_URL": manager.url, **env}
    return start_gunicorn(address, TARGET, *options, env=env, bare=bare)


@pytest.mark.parametrize(
    "bare",
    [False, pytest.param(True, marks=pytest.mark.slow)],
    ids=["recommended settings", "gunicorn's own settings"],
)
def test_the_connector_s_own_lines_appear_with_the_run(manager, address, bare):
    with start(address, manager, bare=bare, OMNI_PROGRESS_SECONDS="1") as process:
        assert sync(manager)["status"] == "completed"
        process.wait_for(rf"^{TIME} INFO    \[\d+\] talking\.source {RUN}: Reading it$")
        process.wait_for(rf"{RUN}: Full sync of source \S+ started, from nothing$")
        process.wait_for(rf"{RUN}: Sync of source .* completed: 0 scanned, 1 emitted, .*; pages: 25% of 4")


def test_all_lines_are_json_where_that_is_wished(manager, address):
    options = ("--access-logfile", "-")
    with start(address, manager, *options, LOG_FORMAT="json") as process:
        assert sync(manager, fail="no such page")["status"] == "failed"
        process.wait_for('"event": "sync_ended"')
        requests.get(f"{address.url}/health", timeout=60)
        process.wait_for("GET /health")
        process.terminate()
    lines = [json.loads(line) for line in process.lines]
    for line in lines:
        assert dt.datetime.fromisoformat(line["time"]).tzinfo is not None
    by_logger = {line["logger"]: line for line in lines}
    assert {"gunicorn.error", "gunicorn.access", "talking.source"} <= set(by_logger)
    assert by_logger["talking.source"]["sync_mode"] == "full"
    assert re.fullmatch(
        r'\S+ "GET /health HTTP/1.1" 200, \d+ bytes, \d+ ms', by_logger["gunicorn.access"]["message"]
    )
    (error,) = [line for line in lines if line["level"] == "ERROR"]
    assert "failed: ValueError: no such page\nTraceback" in error["message"]


def test_a_level_hides_what_is_below(manager, address):
    with start(address, manager, LOG_LEVEL="warning") as process:
        assert sync(manager, fail="no such page")["status"] == "failed"
        process.wait_for("failed: ValueError")
        assert not any("Reading it" in line for line in process.lines)


def test_an_outage_is_two_lines(tmp_path, address):
    local = LocalManager(tmp_path / "data")
    with local, ManagerClient(local.url, tmp_path / "data") as manager, start(address, manager) as process:
        manager.wait_for_connector(process, "web")
        source = manager.add_source("web", {"seconds": 4})
        manager.trigger(source)
        process.wait_for("Reading it")
        local.close()
        process.wait_for("does not answer; calls are repeated")
        with LocalManager(tmp_path / "data", port=int(local.url.rpartition(":")[2])):
            process.wait_for(
                r"answers again after \d+ s and \d+ failed attempts; what waited for it: .*POST /sdk/"
            )
            process.wait_for(f"Sync of source .*{source}.* completed")
    assert len([line for line in process.lines if "does not answer" in line]) == 1


@pytest.mark.parametrize("server", ["gunicorn", pytest.param("flask", marks=pytest.mark.slow)])
def test_an_application_that_has_configured_logging_keeps_that(manager, address, server):
    application = "support.talking:make_configured_app"
    env = {"CONNECTOR_MANAGER_URL": manager.url, "CONNECTOR_URL": address.url}
    if server == "flask":
        command = ["flask", "--app", application, "run", "--port", str(address.port)]
        address.close()
    else:
        command = ["gunicorn", "--threads", "8", "--bind", f"fd://{address.fd}", f"{application}()"]
    with Process(sys.executable, "-m", *command, env=env, pass_fds=address.fds) as process:
        assert sync(manager)["status"] == "completed"
        process.wait_for("^OWN INFO Reading it$")
        process.wait_for("^OWN INFO Sync of source .* completed")
        assert not any(re.search(TIME, line) for line in process.lines)


@pytest.mark.parametrize("server", ["flask", pytest.param("gunicorn", marks=pytest.mark.slow)])
def test_an_application_with_a_wrong_setting_ends_with_one_line_about_it(address, server):
    application = "support.counting_app:app"
    command = {
        "flask": ["flask", "--app", application, "run", "--port", "0"],
        "gunicorn": ["gunicorn", "--bind", f"fd://{address.fd}", application],
    }[server]
    env = {"LOG_FORMAT": "xml", "CONNECTOR_MANAGER_URL": "http://127.0.0.1:9"}
    with Process(sys.executable, "-m", *command, env=env, pass_fds=address.fds) as process:
        assert process.popen.wait(60) != 0
        process.wait_for("LOG_FORMAT='xml' is neither text nor json")
        assert not any("Traceback" in line for line in process.lines)


def test_flask_run_shows_the_log(manager, address):
    env = {"CONNECTOR_MANAGER_URL": manager.url, "CONNECTOR_URL": address.url}
    address.close()
    command = ["flask", "--app", "support.talking:make_app", "run", "--port", str(address.port)]
    with Process(sys.executable, "-m", *command, env=env) as process:
        assert sync(manager)["status"] == "completed"
        process.wait_for(rf"^{TIME} INFO    \[\d+\] talking\.source {RUN}: Reading it$")


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("LOG_FORMAT", "LOG_FORMAT='wrong' is neither text nor json. Type: export LOG_FORMAT=json"),
        ("LOG_LEVEL", "LOG_LEVEL='WRONG' is not one of DEBUG, INFO, WARNING, ERROR, CRITICAL."),
    ],
)
def test_a_mistake_in_the_settings_is_one_line(manager, address, variable, message):
    with start(address, manager, **{variable: "wrong"}) as process:
        process.wait_for(re.escape(message))
        assert process.popen.wait(60) != 0
        assert not any("Traceback" in line for line in process.lines)
