import http.client
import json
import signal
import socket

import pytest
from cli_cases import NOTES, wait_for_line
from support.ports import free_port

from omni_connector.local import LocalManager


def test_a_served_connector_registers_answers_and_stops_on_sigterm(process, tmp_path):
    with LocalManager(tmp_path / "data") as manager:
        port = free_port()
        environ = {"CONNECTOR_MANAGER_URL": manager.url, "CONNECTOR_HOST_NAME": "127.0.0.1"}
        popen = process("serve", NOTES, "--host", "127.0.0.1", "--port", str(port), **environ)
        manager.wait_for_connector("local_files", timeout_seconds=60)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/manifest")
        assert json.loads(connection.getresponse().read())["connector_url"] == f"http://127.0.0.1:{port}"
        connection.close()
        source = manager.add_source(source_type="local_files")
        assert manager.wait_for_run(manager.trigger(source.id)).status == "completed"
        wait_for_line(popen, "the connector prints")
        popen.send_signal(signal.SIGTERM)
        assert popen.wait(timeout=60) == 0


def test_without_a_manager_the_message_says_what_to_set(omni):
    result = omni("serve", NOTES)
    assert result.exit_code == 3
    assert "export CONNECTOR_MANAGER_URL=http://localhost:8090" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(("gunicorns", "ours"), [(0, 0), (1, 1), (3, 3), (4, 3)])
def test_gunicorns_own_exit_status_passes_or_is_that_of_a_wrong_configuration(
    omni, monkeypatch, gunicorns, ours
):
    def ended(*_args, **_kwargs):
        raise SystemExit(gunicorns)

    monkeypatch.setattr("omni_connector.server.serve", ended)
    assert omni("serve", NOTES).exit_code == ours


def test_a_port_in_use_is_one_line_and_status_3(omni, monkeypatch):
    monkeypatch.setenv("CONNECTOR_MANAGER_URL", "http://manager:8090")
    with socket.create_server(("127.0.0.1", 0)) as used:
        port = used.getsockname()[1]
        result = omni("serve", NOTES, "--host", "127.0.0.1", "--port", port)
    assert result.exit_code == 3
    why = "Address already in use. Name another port or host (--port or PORT, --host)."
    assert result.stderr == f"Error: The connector cannot listen on 127.0.0.1:{port}: {why}\n"
