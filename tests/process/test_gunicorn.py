"""Real gunicorn with omni_connector.wsgi:app, in a process of its own, and real files.

Three hundred and fifty of them in ``make test``, five thousand in ``make test-all``.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import site
import sys
import sysconfig
from pathlib import Path

import pytest
import requests
from support.pausing import meet
from support.processes import Process, start_gunicorn

from omni_connector.local.contents import normalised

SIZES = [350, pytest.param(5_000, marks=pytest.mark.slow)]
LARGEST_BYTES = 12_000
FILESYSTEM = "filesystem_connector:FilesystemConnector"
PAUSING = "support.pausing:PausingFilesystem"


@pytest.fixture(scope="module", params=SIZES)
def files(request):
    """How many files there are."""
    return request.param


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, files):
    """A tree of real files: the standard library's and the installed packages' sources and metadata."""
    root = tmp_path_factory.mktemp("corpus")
    places = [Path(sysconfig.get_path("stdlib")), *(Path(place) for place in site.getsitepackages())]
    found = itertools.islice(readable_files(places), files)
    count = 0
    for number, path in enumerate(found):
        target = root / f"{number % 40:02}" / f"{number:05}-{path.name}"
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, target)
        count += 1
    assert count == files, f"only {count} files on this machine"
    return root


def readable_files(places):
    seen = set()
    for place in places:
        for directory, folders, names in os.walk(place):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            for name in sorted(names):
                path = Path(directory, name)
                if not name.endswith((".py", ".pyi", ".txt", "METADATA", "RECORD")) or path in seen:
                    continue
                seen.add(path)
                if path.is_file() and 0 < path.stat().st_size <= LARGEST_BYTES and is_text(path):
                    yield path


def is_text(path):
    data = path.read_bytes()
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\x00" not in data


def connector(address, manager, target, *options, bare=False, **env) -> Process:
    return start_gunicorn(
        address, target, *options, env={"CONNECTOR_MANAGER_URL": manager.url, **env}, bare=bare
    )


def expected(root: Path) -> dict[str, str]:
    """What the manager must hold: each file's text, normalised as the protocol says, by its document id."""
    return {
        path.relative_to(root).as_posix(): normalised(path.read_bytes().decode("utf-8"))
        for path in root.rglob("*")
        if path.is_file()
    }


def test_a_full_sync_of_real_files_and_an_incremental_after_changes(
    corpus, files, tmp_path, manager, address
):
    root = tmp_path / "files"
    shutil.copytree(corpus, root)
    with connector(address, manager, FILESYSTEM) as process:
        manager.wait_for_connector(process, "file_system")
        source = manager.add_source("file_system", {"path": str(root)})

        full = manager.wait(manager.trigger(source, "full"))

        assert full["status"] == "completed", full
        assert full["documents_scanned"] == files
        assert full["documents_updated"] == files
        assert manager.documents(source) == expected(root)

        paths = sorted(path for path in root.rglob("*") if path.is_file())
        for path in paths[:20]:
            path.write_text(path.read_bytes().decode("utf-8") + "\nA line more.\n")
        for path in paths[20:40]:
            path.unlink()
        for number in range(20):
            (root / f"new-{number}.txt").write_text(f"Brand new {number}\n")

        incremental = manager.wait(manager.trigger(source, "incremental"))

        assert incremental["status"] == "completed", incremental
        assert incremental["documents_updated"] == 40, "touched and new files only"
        assert manager.documents(source) == expected(root)
        assert process.terminate() == 0


@pytest.mark.slow
def test_a_cancelled_sync_stops_its_thread_and_frees_the_source_at_once(tmp_path, manager, address):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with connector(address, manager, "support.pausing:Endless", TEST_MEETING_POINT=str(pipe)) as process:
        manager.wait_for_connector(process, "web")
        source = manager.add_source("web", {})
        run = manager.trigger(source)
        meet(pipe)

        manager.cancel(run)
        following = manager.trigger_when_free(source)

        assert manager.wait(run)["status"] == "cancelled"
        process.wait_for(rf"Sync of source .*{source}\)? cancelled: .*")
        assert requests.get(f"{address.url}/sync/{run}", timeout=60).json() == {"running": False}
        assert requests.get(f"{address.url}/sync/{following}", timeout=60).json() == {"running": True}
        meet(pipe)
        manager.cancel(following)
        assert len(manager.documents(source)) >= 50


@pytest.mark.slow
def test_a_killed_process_is_resumed_from_its_checkpoint_and_nothing_is_missing(
    corpus, files, tmp_path, manager, address
):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    env = {"TEST_MEETING_POINT": str(pipe), "TEST_PAUSE_AT": str(files * 6 // 7)}
    env["TEST_FILES_PER_CHECKPOINT"] = "100"
    with connector(address, manager, PAUSING, **env) as process:
        manager.wait_for_connector(process, "file_system")
        source = manager.add_source("file_system", {"path": str(corpus)})
        run = manager.trigger(source, "full")
        meet(pipe)
        process.kill()
    pipe.unlink()
    stored = len(manager.documents(source))
    assert 0 < stored < files, "killed in the middle"

    with connector(address, manager, PAUSING, **env) as process:
        manager.wait_for_connector(process, "file_system")
        manager.tick()
        ended = manager.wait(run)

        assert ended["status"] == "completed", ended
        assert manager.documents(source) == expected(corpus)
        assert files <= manager.count_events(run) < stored + files, "it went on from its checkpoint"


@pytest.mark.slow
def test_sigterm_delivers_what_is_buffered_and_leaves_the_run_to_be_resumed(
    corpus, tmp_path, manager, address
):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    env = {"TEST_MEETING_POINT": str(pipe), "TEST_PAUSE_AT": "234"}
    with connector(address, manager, PAUSING, **env) as process:
        manager.wait_for_connector(process, "file_system")
        source = manager.add_source("file_system", {"path": str(corpus)})
        run = manager.trigger(source, "full")
        meet(pipe)
        assert process.terminate() == 0
    pipe.unlink()
    assert len(manager.documents(source)) == 233
    assert next(manager.progress(run))["status"] == "running"

    with connector(address, manager, PAUSING, **env) as process:
        manager.wait_for_connector(process, "file_system")
        manager.tick()
        assert manager.wait(run)["status"] == "completed"
        assert manager.documents(source) == expected(corpus)


@pytest.mark.parametrize(
    "options", [(), pytest.param(("--preload",), marks=pytest.mark.slow)], ids=["bare", "preload"]
)
def test_gunicorns_bare_defaults_work(tmp_path, manager, address, options):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "one.md").write_text("# One\n\nHello.\n")
    with connector(address, manager, FILESYSTEM, *options, bare=True) as process:
        process.wait_for("Booting worker")
        health = requests.get(f"{address.url}/health", timeout=60)
        assert health.json()["status"] == "healthy"
        source = manager.add_source("file_system", {"path": str(tmp_path / "notes")})
        manager.wait_until_registered("file_system")
        assert manager.wait(manager.trigger(source))["status"] == "completed"
        assert manager.documents(source) == {"one.md": normalised("# One\n\nHello.\n")}


@pytest.mark.slow
def test_a_preloaded_worker_that_dies_is_replaced_by_one_that_delivers(tmp_path, manager, address):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "one.md").write_text("# One")
    with connector(address, manager, FILESYSTEM, "--preload") as process:
        source = manager.add_source("file_system", {"path": str(tmp_path / "notes")})
        for _ in range(2):
            worker = int(process.wait_for(r"Booting worker with pid: (\d+)")[1])
            manager.wait_until_registered("file_system")
            run = manager.trigger(source)
            process.wait_for(rf"Sync of source .*{source}\)? completed")
            assert manager.wait(run)["status"] == "completed"
            process.forget_output()
            os.kill(worker, signal.SIGKILL)
        assert manager.documents(source) == {"one.md": "# One"}


def test_a_wrong_configuration_stops_the_start_with_one_readable_message(address):
    with start_gunicorn(address, "nowhere.to:BeFound", env={}) as process:
        process.wait_for("CONNECTOR_MANAGER_URL is not set.*export CONNECTOR_MANAGER_URL=")
        process.wait_for("OMNI_CONNECTOR=nowhere.to:BeFound.*no module nowhere")
        assert process.popen.wait(60) != 0
        assert not any("Traceback" in line for line in process.lines)


def test_serve_runs_gunicorn_with_the_recommended_settings(manager):
    program = "from filesystem_connector import FilesystemConnector as C; C().serve(port=0, host='127.0.0.1')"
    environ = {"CONNECTOR_MANAGER_URL": manager.url}
    with Process(sys.executable, "-c", program, env=environ) as process:
        url = process.wait_for(r"Listening at: (http://127\.0\.0\.1:\d+)")[1]
        process.wait_for("Using worker: gthread")
        process.wait_for("CONNECTOR_HOST_NAME .*to turn registration on")
        assert requests.get(f"{url}/manifest", timeout=60).json()["name"] == "filesystem"
        assert process.terminate() == 0
