"""What the package writes is for its owner only, from the moment it exists and whatever the umask is."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from pathlib import Path

import pytest
import requests

from omni_connector import ConfigurationError
from omni_connector.cli.data import prepare_data_dir
from omni_connector.local import HttpServer, LocalManager, StoreError, http_server
from omni_connector.mcp.cache import CatalogueCache
from omni_connector.mcp.catalogue import McpCatalogue
from omni_connector.models.mcp_servers import StdioMcpServer
from omni_connector.runstore.opening import open_store, open_store_of_workers
from omni_connector.runstore.store import Claim
from omni_connector.sync.content_files import SPOOLED_BYTES
from omni_connector.sync.payloads import file_payload

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")

FILES = {
    "manager.lock",
    "manager.lock-journal",
    "manager.sqlite3",
    "manager.sqlite3-wal",
    "manager.sqlite3-shm",
}


@pytest.fixture(autouse=True)
def no_umask():
    """Let files be as open as their maker allows."""
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder):
    """Return the modes of everything below a folder, and of itself."""
    return {path: stat.S_IMODE(path.lstat().st_mode) for path in (folder, *folder.rglob("*"))}


def readable_by_others(folder):
    return {str(path): oct(mode) for path, mode in modes(folder).items() if mode & 0o077}


def test_a_data_directory_and_all_in_it_are_private(tmp_path):
    directory = prepare_data_dir(tmp_path / "above" / "data")
    with LocalManager(directory) as manager:
        manager.add_source(source_type="web", credentials={"token": "s3cret"})
        assert {path.name for path in directory.iterdir()} == FILES | {".gitignore", "manager.url"}
        assert readable_by_others(tmp_path / "above") == {}


def test_the_database_in_an_open_directory_is_private_even_before_sqlite_has_opened_it(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir(mode=0o755)
    seen = []
    connect = sqlite3.connect

    def noting(database, **options):
        seen.append({path.name: mode for path, mode in modes(tmp_path / "data").items() if path.is_file()})
        return connect(database, **options)

    monkeypatch.setattr("omni_connector.local.store.sqlite3.connect", noting)
    with LocalManager(tmp_path / "data") as manager:
        manager.add_source(source_type="web", credentials={"token": "s3cret"})
        assert seen[0] == {"manager.lock": 0o600, "manager.sqlite3": 0o600}
        assert {path.name for path in (tmp_path / "data").iterdir()} == FILES | {"manager.url"}
        assert set(readable_by_others(tmp_path / "data")) == {str(tmp_path / "data")}


def test_files_that_an_earlier_version_has_made_are_closed(tmp_path):
    data = tmp_path / "data"
    LocalManager(data).close()
    for name in FILES - {"manager.lock-journal"}:
        (data / name).touch()
        (data / name).chmod(0o644)
    with LocalManager(data):
        assert readable_by_others(data) == {}


@pytest.mark.parametrize("name", ["manager.sqlite3", "manager.lock"])
def test_a_link_out_of_the_data_directory_is_refused(tmp_path, name):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match=f"{name} is a symbolic link"):
        LocalManager(tmp_path / "data")
    assert not (tmp_path / "elsewhere").exists()


def test_a_second_manager_of_this_process_leaves_the_lock_of_the_first(tmp_path):
    """Opening and closing a locked file would give up the locks that this process has on it."""
    with LocalManager(tmp_path):
        for _ in range(2):
            with pytest.raises(StoreError, match="is in use"):
                LocalManager(tmp_path)


@pytest.mark.parametrize("is_named", [True, False])
def test_the_file_of_a_run_store_is_private(tmp_path, is_named):
    (tmp_path / "base").mkdir(mode=0o755)
    if is_named:
        store = open_store(f"sqlite:///{tmp_path}/base/runs.sqlite3", "notes")
    else:
        store = open_store_of_workers("../notes", "http://here/../..", base=tmp_path / "base")
    store.take(Claim(("run/1",), "token", b"{}"), 15)
    files = [path for path in (tmp_path / "base").rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"runs.sqlite3", "runs.sqlite3-wal", "runs.sqlite3-shm"}
    assert set(readable_by_others(tmp_path / "base")) == {str(tmp_path / "base")}
    store.close()


def test_a_run_store_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "runs.sqlite3").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="is a symbolic link; name the file itself"):
        open_store(f"sqlite:///{tmp_path}/runs.sqlite3", "notes")


@pytest.mark.parametrize("name", ["notes", "../../notes", "..", "a/../../b", "/etc/notes"])
def test_the_catalogue_of_an_mcp_server_is_private_and_in_its_folder(tmp_path, name):
    folder = tmp_path / "above" / "cache"
    cache = CatalogueCache(folder, 60, connector=name, server=StdioMcpServer(command="true"))
    cache.save(McpCatalogue())
    assert [path.parent for path in folder.rglob("*")] == [folder]
    assert readable_by_others(tmp_path / "above") == {}


def test_large_bodies_and_files_wait_in_files_that_are_private():
    before = temporary_files()  # Those of pytest.
    found = set()

    def app(environ, start_response):
        found.update(temporary_files() - before)
        start_response("204 No Content", [])
        return []

    with HttpServer(app) as server:
        requests.post(server.url, data=b"x" * (http_server.BODY_BYTES_IN_MEMORY + 1), timeout=60)
    assert [mode for _, mode in found] == [0o600]
    payload = file_payload(b"x" * (SPOOLED_BYTES + 1), None, None)
    assert [mode for _, mode in temporary_files() - before] == [0o600]
    payload.close()


def temporary_files():
    """Return the names and modes of the open files of this process that were deleted, or made without a name."""
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            status, name = descriptor.stat(), str(descriptor.readlink())
            if stat.S_ISREG(status.st_mode) and "(deleted)" in name:
                found.add((name, stat.S_IMODE(status.st_mode)))
    return found
