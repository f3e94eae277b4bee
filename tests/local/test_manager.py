import ast
import contextlib
import gc
import socket
import threading
import time
from pathlib import Path

import pytest

import omni_connector.local
from omni_connector.local import LocalManager, LocalManagerError, LocalSettings, StoreError, running_manager

PACKAGE = Path(omni_connector.local.__file__).parent


def test_state_survives_a_restart(tmp_path):
    with LocalManager(tmp_path, schedule=False) as manager:
        source = manager.add_source(source_type="web", config={"a": 1})
        manager.set_source(source.id, checkpoint={"c": 1})
    with LocalManager(tmp_path) as manager:
        assert manager.source(source.id).config == {"a": 1}
        assert manager.source(source.id).checkpoint == {"c": 1}
        assert manager.sources() == [manager.source(source.id)]


def test_the_directory_says_where_its_manager_listens(tmp_path):
    assert running_manager(tmp_path) is None
    with LocalManager(tmp_path, schedule=False) as manager:
        assert running_manager(tmp_path) == manager.url
    assert running_manager(tmp_path) is None
    (tmp_path / "manager.url").write_text(manager.url)  # As a manager that was killed leaves it.
    assert running_manager(tmp_path) is None


def test_a_source_is_reset_unless_a_run_is_in_progress(manager, run_id, source):
    manager.set_source(source.id, checkpoint={"page": 1}, connector_state={"token": "t"})
    with pytest.raises(LocalManagerError, match="in progress"):
        manager.reset_source(source.id)
    assert manager.source(source.id).has_checkpoint
    row = manager.reset_source(source.id, abandon_runs=True)
    assert (row.has_checkpoint, row.connector_state) == (False, {"token": "t"})
    assert manager.run(run_id).status == "cancelled"
    assert manager.reset_source(source.id, connector_state=True).connector_state is None
    with pytest.raises(LocalManagerError, match="Source not found"):
        manager.reset_source("nothing")


def test_closing_is_quick_and_repeatable(tmp_path):
    before = set(threading.enumerate())
    manager = LocalManager(tmp_path, settings=LocalSettings(scheduler_interval_seconds=600)).start()
    started = time.monotonic()
    manager.close()
    manager.close()
    assert time.monotonic() - started < 60, "it does not wait for the next look"
    assert set(threading.enumerate()) == before


def test_a_manager_that_was_never_started_can_be_used_and_closed(tmp_path):
    manager = LocalManager(tmp_path)
    assert manager.app.test_client().get("/health").json == {"status": "healthy"}
    manager.close()


def test_a_forgotten_manager_complains(tmp_path):
    holder = [LocalManager(tmp_path, schedule=False)]
    with pytest.warns(ResourceWarning, match="LocalManager was never closed"):
        holder.clear()


def test_a_manager_that_could_not_be_made_does_not_complain(tmp_path):
    with LocalManager(tmp_path, schedule=False), pytest.raises(StoreError):
        LocalManager(tmp_path)
    gc.collect()


def test_a_manager_whose_port_is_taken_closes_itself(tmp_path, manager):
    port = int(manager.url.rpartition(":")[2])
    other = LocalManager(tmp_path / "other", port=port)
    with pytest.raises(OSError, match="in use"):
        other.start()
    LocalManager(tmp_path / "other").close()


def test_unknown_ids_are_errors_with_the_status_of_the_wire(manager):
    for look in (
        manager.run,
        manager.source,
        manager.cancel,
        manager.trigger,
        lambda i: manager.wait_for_run(i, 1),
    ):
        with pytest.raises(LocalManagerError, match="not found: unknown") as refused:
            look("unknown")
        assert refused.value.status == 404


def test_waiting_for_a_run_ends_when_the_manager_closes(manager, run_id):
    outcome = []

    def wait():
        try:
            manager.wait_for_run(run_id)
        except LocalManagerError as error:
            outcome.append(error.message)

    waiting = threading.Thread(target=wait)
    waiting.start()
    manager.close()
    waiting.join(60)
    assert outcome == ["the manager was closed"]


def test_a_waiting_thread_sees_the_end_of_a_run(manager, api, run_id):
    ended = []
    waiting = threading.Thread(target=lambda: ended.append(manager.wait_for_run(run_id, 60)))
    waiting.start()
    api.post(f"/sdk/sync/{run_id}/complete")
    waiting.join(60)
    assert ended[0].status == "completed"


def test_users_are_known_by_address(manager):
    ada = manager.add_user("ada@example.com")
    assert ada.is_admin
    assert manager.add_user("ada@example.com", is_admin=False).id == ada.id
    assert not manager.add_user("ada@example.com").is_admin
    assert manager.add_user("bob@example.com", user_id="bob").id == "bob"


def test_unknown_counters_are_a_mistake_of_the_caller(manager, run_id):
    with pytest.raises(ValueError, match="not a counter"):
        manager._services.runs.count(run_id, "documents_processed", 1)


def test_the_package_knows_nothing_of_the_rest_of_the_sdk():
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                if name.startswith("omni_connector"):
                    assert name.startswith("omni_connector.local"), f"{path} imports {name}"


def test_public_names_are_those_of_all():
    for name in omni_connector.local.__all__:
        assert hasattr(omni_connector.local, name)


def test_unfinished_requests_do_not_silence_the_manager(manager, api, caplog):
    """Sixty bodies that never end, and lengths that cannot be; nothing of it is logged as an error."""
    address = ("127.0.0.1", int(manager.url.rpartition(":")[2]))
    with contextlib.ExitStack() as clients:
        for number in range(60):
            client = clients.enter_context(socket.create_connection(address, timeout=60))
            length = b"50" if number % 2 else b"9" * 30
            client.sendall(b"POST /sdk/events HTTP/1.1\r\nHost: x\r\nContent-Length: %b\r\n\r\n{" % length)
        assert api.get("/health").status_code == 200
    assert not [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}]
