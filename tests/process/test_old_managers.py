"""Real processes: gunicorn with the folder example, and ``omni-connector manager --as-of`` for managers of two days."""

from __future__ import annotations

import os

import pytest
from support.manager_http import ManagerClient
from support.pausing import meet
from support.processes import ListeningSocket, start_gunicorn, start_manager
from support.waiting import eventually

FILESYSTEM = "filesystem_connector:FilesystemConnector"
PAUSING = "support.pausing:PausingFilesystem"
PROBING = "2026-05-01"
"""A day on which lost runs were sent again, although without checkpoints."""
FILES = 120


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "files"
    for number in range(FILES):
        path = root / f"{number % 7}" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text of {number}", encoding="utf-8")
    return root


def expected(root):
    return {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("day", ["2026-02-13", pytest.param(PROBING, marks=pytest.mark.slow)])
def test_a_folder_is_synced_fully_and_then_incrementally(tmp_path, root, day):
    with ListeningSocket() as address:
        options = ["--as-of", day, "--connector", f"file_system={address.url}"]
        manager, url = start_manager(tmp_path / "data", *options)
        with manager, ManagerClient(url, tmp_path / "data") as client:
            with start_gunicorn(address, FILESYSTEM, env={"CONNECTOR_MANAGER_URL": url}) as connector:
                wait_until_known(client, connector, day)
                source = client.add_source("file_system", {"path": str(root)})
                full = client.wait(client.trigger(source, "full"))
                assert (full["status"], full["documents_scanned"]) == ("completed", FILES)
                assert full["documents_updated"] == FILES
                assert client.documents(source) == expected(root)

                for path in sorted(root.rglob("*.txt"))[: FILES // 6]:
                    path.unlink()
                (root / "new.txt").write_text("new", encoding="utf-8")
                incremental = client.wait(client.trigger(source, "incremental"))
                assert incremental["status"] == "completed"
                assert client.documents(source) == expected(root)
            log = "\n".join(connector.lines)
    assert log.count("This manager is older than 8 June 2026 and has no checkpoints") == 1
    assert "Traceback" not in log


@pytest.mark.slow
@pytest.mark.parametrize("day", ["2026-02-13", PROBING])
def test_what_a_killed_process_left_is_made_good(tmp_path, root, day):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ListeningSocket() as address:
        options = ["--as-of", day, "--connector", f"file_system={address.url}"]
        manager, url = start_manager(tmp_path / "data", *options)
        env = {
            "CONNECTOR_MANAGER_URL": url,
            "TEST_MEETING_POINT": str(pipe),
            "TEST_PAUSE_AT": str(FILES // 2),
        }
        with manager, ManagerClient(url, tmp_path / "data") as client:
            with start_gunicorn(address, PAUSING, env=env) as connector:
                wait_until_known(client, connector, day)
                source = client.add_source("file_system", {"path": str(root)})
                run = client.trigger(source, "full")
                meet(pipe)
                connector.kill()
            pipe.unlink()
            with start_gunicorn(address, PAUSING, env=env) as connector:
                wait_until_known(client, connector, day)
                if day == PROBING:
                    client.tick()
                else:  # Nobody asks about the run; whoever waits for it gives up.
                    client.cancel(run)
                    run = client.trigger(source, "full")
                ended = client.wait(run)
                assert ended["status"] == "completed"
                assert client.documents(source) == expected(root)


def wait_until_known(client, connector, day):
    if day == "2026-02-13":
        connector.wait_for("Not registered with the manager; registration is repeated")
        eventually(lambda: client.connectors()[0]["healthy"])
        (known,) = client.connectors()
        assert known["manifest"]["name"] == "filesystem"
    else:
        client.wait_for_connector(connector, "file_system")
