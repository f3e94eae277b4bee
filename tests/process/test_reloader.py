"""Flask's reloader runs an application in two processes; only the one that serves registers the connector."""

from __future__ import annotations

import sys
from itertools import groupby

import pytest
from support.ports import free_port
from support.processes import Process

from omni_connector.local import LocalManager

APPLICATION = """
import os
from flask import Flask
from omni_connector import Connector, SdkClient, Settings
from omni_connector.server import create_blueprint

class Noting(SdkClient):
    def register(self, manifest):
        super().register(manifest)
        print("registered by", os.getpid(), flush=True)

class Notes(Connector):
    name = "notes"
    version = "1"
    source_types = ["web"]
    def sync(self, source_config, credentials, state, ctx):
        pass

manager_url = os.environ["CONNECTOR_MANAGER_URL"]
settings = Settings(
    manager_url=manager_url, connector_url=os.environ["CONNECTOR_URL"], registration_interval_seconds=0.1,
    run_store=os.environ["STORE"],
)
app = Flask(__name__)
app.register_blueprint(create_blueprint(Notes(), settings=settings, manager=Noting(manager_url)))
if __name__ == "__main__":
    app.run(port=int(os.environ["PORT"]), debug=True)
"""
STARTS = {
    "flask run --debug": lambda path, port: ["-m", "flask", "--app", path, "run", "--debug", "--port", port],
    "app.run(debug=True)": lambda path, port: [path],
}
REGISTRATIONS = 10


@pytest.mark.parametrize(
    "start", ["flask run --debug", pytest.param("app.run(debug=True)", marks=pytest.mark.slow)]
)
def test_only_the_process_that_serves_registers(start, tmp_path):
    port = str(free_port())
    path = tmp_path / "application.py"
    path.write_text(APPLICATION)
    with LocalManager(tmp_path / "data") as manager:
        env = {
            "CONNECTOR_MANAGER_URL": manager.url,
            "CONNECTOR_URL": f"http://127.0.0.1:{port}",
            "PORT": port,
            "STORE": f"sqlite:///{tmp_path / 'runs.db'}",  # Shared: the parent must not keep the turn, either.
        }
        with Process(sys.executable, *STARTS[start](str(path), port), env=env) as process:
            by = []
            for _ in range(REGISTRATIONS):
                by.append(int(process.wait_for(r"registered by (\d+)")[1]))
                process.forget_output()
            served = [pid for pid in by if pid != process.popen.pid]
            # The reloader may have started it anew; but two never take turns.
            assert len([pid for pid, _ in groupby(served)]) == len(set(served))
            # On a machine so busy that loading takes many seconds, the parent may do it once, at first.
            assert len(by) - len(served) <= 1
