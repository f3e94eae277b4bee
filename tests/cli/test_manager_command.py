import json
import os
import re
import signal
import socket
import threading
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from cli_cases import connector, wait_for_line
from support.ipv6 import needs_ipv6

from omni_connector import Settings
from omni_connector.cli.main import cli
from omni_connector.local import HttpServer, LocalManager, open_store
from omni_connector.server import create_app, services
from omni_connector.target import load_connector

OWN = json.dumps({"source_type": "own_type", "name": "mine", "config": {"notes": 2}})


class ServedHere:
    """A connector in this process, registered with a manager in another."""

    def __init__(self, target, manager_url):
        self._server = HttpServer(self._answer).start()
        settings = Settings(manager_url=manager_url, connector_url=self._server.url)
        self._app = create_app(load_connector(target), settings=settings, register=False)
        (self._service,) = services(self._app).values()

    def _answer(self, environ, start_response):
        return self._app(environ, start_response)

    def __enter__(self):
        self._service.start()

    def __exit__(self, *_):
        self._service.close()
        self._server.close()


def wait_for_start(popen):
    for line in popen.stderr:
        if started := re.search(r"Started full run (\w+) ", line):
            return started[1]
    raise AssertionError("no run was started")


def address(popen):
    return wait_for_line(popen, "Manager at ").split()[2].rstrip(",")


@pytest.mark.parametrize("host", ["a..b", "::zz", "my host"])
def test_a_host_that_is_none_is_refused(omni, host):
    result = omni("manager", "--host", host, "--port", "0")
    assert (result.exit_code, result.stderr) == (
        3,
        f"Error: --host {host}: this is neither a host name nor an IP address.\n",
    )


@needs_ipv6
@pytest.mark.parametrize("host", ["[::1]", pytest.param("::1", marks=pytest.mark.slow)])
def test_an_ipv6_address_is_taken_with_and_without_brackets(process, host):
    popen = process("manager", "--host", host, "--port", "0")
    assert wait_for_line(popen, "Manager at ").startswith("Manager at http://[::1]:")
    popen.terminate()
    assert popen.wait(60) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_it_says_how_to_use_it_and_stops_on_a_signal(process, number):
    popen = process("manager", "--port", "0")
    url = address(popen)
    wait_for_line(popen, f"export CONNECTOR_MANAGER_URL={url} ")
    wait_for_line(popen, f"curl -X POST {url}/local/sources ")
    wait_for_line(popen, "Stop with Ctrl-C")
    popen.send_signal(number)
    stdout, stderr = popen.communicate(timeout=60)
    assert (popen.returncode, stdout) == (0, "")
    assert stderr.endswith("Stopped.\n")


def test_a_source_is_synced_as_soon_as_its_connector_has_registered(process, omni):
    popen = process("manager", "--port", "0", "--source", OWN, "--source", "other:web", "-v")
    url = address(popen)
    wait_for_line(popen, "Sync the source mine (own_type):")
    wait_for_line(popen, "curl -X POST")
    wait_for_line(popen, "Sync the source other (web):")
    with ServedHere(connector("OwnType"), url):
        run_id = wait_for_start(popen)
        with urlopen(f"{url}/sync/{run_id}/progress", timeout=60) as events:
            assert '"status":"completed"' in events.read().decode().splitlines()[-2]
    assert open_store(".omni").count_documents() == 2
    assert "Note 1" in omni("search", "fox").stdout  # Also right after the run: it waits for the index.


@pytest.mark.slow
def test_its_console_is_open_under_its_own_names_only(process):
    popen = process("manager", "--port", "0", "--allow-host", "manager.test")
    url = address(popen)
    wait_for_line(popen, f"Open {url}/ in a browser")
    with urlopen(Request(url, headers={"Host": "manager.test"}), timeout=60) as answer:
        assert "No sources yet" in answer.read().decode()
    with pytest.raises(HTTPError, match="403") as refused:
        urlopen(Request(f"{url}/local/sources", headers={"Host": "evil.example"}), timeout=60)
    with refused.value as answer:
        assert "--allow-host evil.example" in answer.read().decode()


@pytest.mark.slow
def test_a_source_keeps_its_id_and_its_state_from_one_start_to_the_next(process):
    for _ in range(2):
        popen = process("manager", "--port", "0", "--source", "notes:local_files")
        wait_for_line(popen, "Stop with")
        popen.send_signal(signal.SIGTERM)
        popen.communicate(timeout=60)
    with LocalManager(".omni", schedule=False) as manager:
        (source,) = manager.sources()
        assert (source.name, source.source_type) == ("notes", "local_files")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("notes", "--source notes: write NAME:TYPE, such as notes:web, a JSON object, or @FILE."),
        ('{"name": "x"}', "missing field `source_type`"),
        ('{"source_type": "web", "colour": "red"}', "unknown field `colour`"),
        ('{"source_type": ', "--source is not JSON: "),
    ],
)
def test_a_source_that_cannot_be_understood_is_refused(omni, source, message):
    result = omni("manager", "--port", "0", "--source", source)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_port_in_use_is_one_message(omni):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        port = bound.getsockname()[1]
        result = omni("manager", "--port", str(port))
    assert result.exit_code == 3
    assert f"Error: The manager cannot listen on 127.0.0.1:{port}: " in result.stderr


def test_a_signal_to_this_process_stops_the_manager():
    """As the first test, where coverage sees it."""
    reads, writes = os.pipe()

    def interrupt():
        with os.fdopen(reads) as lines:
            assert "Manager at" in lines.readline()
            os.kill(os.getpid(), signal.SIGINT)
            lines.read()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with os.fdopen(writes, "w", buffering=1) as out, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", out)
        with pytest.raises(SystemExit) as end:
            cli(["manager", "--port", "0", "--source", "notes:web"])
    thread.join()
    assert end.value.code == 0


@pytest.mark.slow
def test_it_passes_for_an_older_manager(process, omni):
    popen = process(
        "manager", "--port", "0", "--as-of", "2026-02-13", "--connector", "web=http://127.0.0.1:9"
    )
    url = address(popen)
    with pytest.raises(HTTPError) as caught:
        urlopen(f"{url}/sdk/sources/by-type/web", timeout=60)
    with caught.value as error:
        assert (error.code, error.read()) == (404, b"")
    with urlopen(f"{url}/connectors", timeout=60) as answer:
        assert json.load(answer) == []  # Its connector does not answer.
    popen.send_signal(signal.SIGTERM)
    popen.communicate(timeout=60)
    assert popen.returncode == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--as-of", "yesterday"], "'yesterday' is not a date; write it as YYYY-MM-DD, such as 2026-02-13"),
        (
            ["--connector", "web"],
            "--connector web: give a type of source and an address, such as web=http://",
        ),
    ],
)
def test_a_day_or_an_address_that_is_none_is_named(omni, options, message):
    result = omni("manager", *options)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
