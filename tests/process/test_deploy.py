"""The files in ``deploy/``: linted by the tools of each kind, and their commands run without a container."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from support.ports import free_port
from support.processes import ROOT, Process, child_environ
from support.redis_server import RedisServer
from support.waiting import eventually

from omni_connector.serving import gunicorn_settings

DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yml").read_text(encoding="utf-8"))
UNIT = (DEPLOY / "my-connector.service").read_text(encoding="utf-8")
KUBERNETES = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")))
BIN = Path(sys.executable).parent


# -- linters ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ["hadolint", "deploy/Dockerfile"],
        ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "deploy/compose.yml"],
        ["kubernetes-validate", "--strict", "--quiet", "deploy/kubernetes.yaml"],
    ],
    ids=lambda command: command[0],
)
def test_a_linter_finds_nothing(command):
    found = subprocess.run(
        [BIN / command[0], *command[1:]], cwd=ROOT, check=False, capture_output=True, text=True, timeout=120
    )
    assert found.returncode == 0, found.stdout + found.stderr


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path):
    command = shutil.which("systemd-analyze")
    assert command, "systemd-analyze is missing. Type: apt-get install systemd"
    unit = tmp_path / "my-connector.service"
    unit.write_text(UNIT.replace("/opt/my-connector/bin", str(BIN)).replace("User=my-connector", "User=root"))
    found = subprocess.run(
        [command, "verify", unit], check=False, capture_output=True, text=True, timeout=120
    )
    assert (found.returncode, found.stderr) == (0, "")
    unit.write_text(unit.read_text().replace("KillMode=mixed", "KillMode=gently"))
    found = subprocess.run(
        [command, "verify", unit], check=False, capture_output=True, text=True, timeout=120
    )
    assert "kill mode" in found.stderr, "the check itself works"


# -- what belongs together --------------------------------------------------------------------------------------


def pods():
    """Return the pods of the manifests by the name of their deployment."""
    return {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]
        for each in KUBERNETES
        if each["kind"] == "Deployment"
    }


def image_command():
    (found,) = re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    return json.loads(found)


def commands():
    """Return every command that starts a process of ours."""
    (unit,) = re.findall(r"^ExecStart=/opt/my-connector/bin/(.*)$", UNIT, re.MULTILINE)
    (worker,) = pods()["my-connector-worker"]["containers"]
    return [image_command(), shlex.split(unit), COMPOSE["services"]["worker"]["command"], worker["command"]]


def test_every_command_is_one_of_the_page_whose_commands_are_tested():
    pages = [ROOT / "docs" / "how-to" / name for name in ("deploying.md", "workers.md", "celery.md")]
    page = "".join(path.read_text(encoding="utf-8") for path in pages)
    lines = [
        shlex.split(line, comments=True)
        for block in re.findall(r"```bash\n(.*?)```", page, re.DOTALL)
        for line in block.replace("\\\n", " ").splitlines()
    ]
    known = [[re.sub(r"^\d+$", "N", word) for word in line] for line in lines]
    for command in commands():
        assert [re.sub(r"^\d+$", "N", word) for word in command] in known, command


def test_there_is_more_time_to_end_than_gunicorn_takes():
    grace = gunicorn_settings.graceful_timeout
    assert int(COMPOSE["services"]["connector"]["stop_grace_period"].removesuffix("s")) > grace
    assert int(COMPOSE["services"]["worker"]["stop_grace_period"].removesuffix("s")) > grace
    assert int(re.search(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)[1]) > grace
    web = pods()["my-connector"]
    (container,) = web["containers"]
    waits = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert web["terminationGracePeriodSeconds"] > grace + waits
    assert pods()["my-connector-worker"]["terminationGracePeriodSeconds"] > grace


def test_probes_ask_for_health_and_processes_share_a_run_store():
    (container,) = pods()["my-connector"]["containers"]
    probes = [
        container[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")
    ]
    assert probes == ["/health"] * 3
    assert "/health" in DOCKERFILE
    (config,) = [each["data"] for each in KUBERNETES if each["kind"] == "ConfigMap"]
    services = COMPOSE["services"]
    for environment in (config, services["connector"]["environment"], services["worker"]["environment"]):
        assert environment["OMNI_RUN_STORE"].startswith("redis://")


def test_inventories_are_in_a_redis_of_their_own_that_keeps_them_on_a_volume():
    services = COMPOSE["services"]
    (config,) = [each["data"] for each in KUBERNETES if each["kind"] == "ConfigMap"]
    (stateful,) = [each for each in KUBERNETES if each["kind"] == "StatefulSet"]
    (pod,) = stateful["spec"]["template"]["spec"]["containers"]
    (claim,) = stateful["spec"]["volumeClaimTemplates"]
    assert pod["volumeMounts"] == [{"name": claim["metadata"]["name"], "mountPath": "/data"}]
    assert services["inventory"]["volumes"] == ["inventory:/data"]
    assert "inventory" in COMPOSE["volumes"]
    names = {"inventory": services["inventory"]["command"], stateful["metadata"]["name"]: pod["args"]}
    for environment in (config, services["connector"]["environment"], services["worker"]["environment"]):
        host = urlsplit(environment["OMNI_INVENTORY"]).hostname
        options = dict(pairwise(names[host]))
        assert (options["--appendonly"], options["--appendfsync"]) == ("yes", "always")
        assert options["--maxmemory-policy"] == "noeviction"
        assert urlsplit(environment["OMNI_RUN_STORE"]).hostname not in names


# -- the commands at work ---------------------------------------------------------------------------------------


@pytest.fixture
def app_folder(tmp_path):
    """What the image has in /app."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "my_connector.py").write_text("from support.counting import Counting as MyConnector\n")
    return folder


def image_environ():
    """Return what the Dockerfile sets, without PATH."""
    (text,) = re.findall(r"^ENV ((?:.*\\\n)*.*)$", DOCKERFILE, re.MULTILINE)
    pairs = dict(pair.split("=", 1) for pair in shlex.split(text.replace("\\\n", " ")))
    return {name: value for name, value in pairs.items() if name != "PATH"}


def started(folder, command, environ):
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return Process(
        "sh",
        "-c",
        'cd "$0" && exec "$@"',
        str(folder),
        *command,
        env={**image_environ(), "PATH": path, **environ},
    )


def is_healthy(environ):
    """Run the image's health check."""
    (check,) = re.findall(r"^    CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    command = [sys.executable, *json.loads(check)[1:]]
    found = subprocess.run(command, env=child_environ(environ), check=False, capture_output=True, timeout=30)
    return found.returncode == 0


def test_the_image_s_command_serves_and_ends_at_its_stop_signal(manager, app_folder):
    port = free_port()
    environ = {
        "PORT": str(port),
        "CONNECTOR_MANAGER_URL": manager.url,
        "CONNECTOR_URL": f"http://127.0.0.1:{port}",
    }
    assert not is_healthy(environ)
    with started(app_folder, image_command(), environ) as process:
        eventually(lambda: is_healthy(environ))
        manager.wait_until_registered("web")
        source = manager.add_source("web", {"documents": 25, "seconds": 0})
        assert manager.wait(manager.trigger(source))["status"] == "completed"
        run = manager.trigger(manager.add_source("web", {"documents": 100_000, "seconds": 0.01}))
        eventually(lambda: manager.count_events(run) > 0)
        process.popen.send_signal(
            getattr(signal, re.search(r"^STOPSIGNAL (\w+)$", DOCKERFILE, re.MULTILINE)[1])
        )
        grace = int(COMPOSE["services"]["connector"]["stop_grace_period"].removesuffix("s"))
        assert process.popen.wait(grace) == 0
        # It stopped at a checkpoint, which is every tenth document.
        assert manager.count_events(run) % 10 == 0
        assert next(manager.progress(run))["status"] == "running"


@pytest.mark.slow
def test_the_worker_s_command_executes_runs_and_ends_gracefully(manager, app_folder, tmp_path):
    with RedisServer(tmp_path) as redis:
        environ = {
            "CONNECTOR_MANAGER_URL": manager.url,
            "OMNI_RUN_STORE": redis.url,
            "OMNI_BROKER_URL": redis.url.removesuffix("0") + "1",
            "OMNI_EXECUTOR": COMPOSE["services"]["worker"]["environment"]["OMNI_EXECUTOR"],
        }
        with started(app_folder, COMPOSE["services"]["worker"]["command"], environ) as process:
            process.wait_for(r"ready\.$")
            assert process.terminate() == 0
