import json
import sys
import urllib.request

import pytest
from support.processes import ListeningSocket, Process, start_application


def flask(address, env):
    """Start Flask's own server on a socket that is bound already, as its reloader does."""
    given = {"WERKZEUG_RUN_MAIN": "true", "WERKZEUG_SERVER_FD": str(address.fd), **env}
    command = [sys.executable, "-m", "flask", "--app", "examples/flask_app.py", "run"]
    return Process(*command, env=given, pass_fds=(address.fd,))


def gunicorn(address, env):
    """Start gunicorn as the example's docstring says."""
    return start_application(address, "flask_app:create_app()", env=env)


@pytest.mark.parametrize("server", [gunicorn, pytest.param(flask, marks=pytest.mark.slow)])
def test_both_connectors_work_beside_the_applications_own_routes(omni_manager, tmp_path, server):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "todo.txt").write_text("milk, bread")
    with ListeningSocket() as address:
        env = {"CONNECTOR_MANAGER_URL": omni_manager.url, "CONNECTOR_URL": address.url}
        with server(address, env):
            omni_manager.wait_for_connector("file_system")
            omni_manager.wait_for_connector("web")
            with urllib.request.urlopen(address.url, timeout=60) as answer:
                assert json.load(answer) == {"connectors": ["RSS", "Folder"]}
            with urllib.request.urlopen(f"{address.url}/connectors/rss/manifest", timeout=60) as answer:
                assert json.load(answer)["connector_url"] == f"{address.url}/connectors/rss"
            config = {"path": str(tmp_path / "notes"), "public": True}
            source = omni_manager.add_source(source_type="file_system", config=config)
            run_id = omni_manager.trigger(source.id)
            assert omni_manager.wait_for_run(run_id).status == "completed"
    assert omni_manager.document(source.id, "todo.txt").content == "milk, bread"
