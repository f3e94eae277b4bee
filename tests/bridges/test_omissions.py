"""What a reader passes over without an error is not deleted."""

from __future__ import annotations

import glob
import logging
import os
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.unprivileged import heed_modes

from omni_connector.bridges.loaders import LoaderConnector
from omni_connector.bridges.omissions import Omissions


def by_walk(folder):
    return [f"{top}/{name}" for top, _, names in os.walk(folder) for name in names]


SEARCHES = {
    "rglob": lambda folder: map(str, folder.rglob("*.md")),
    "glob": lambda folder: glob.glob(f"{folder}/**/*.md", recursive=True),  # noqa: PTH207 - as some loaders do.
    "walk": by_walk,
}


class Files(LoaderConnector):
    """Finds files as loaders do."""

    name = "files"
    version = "1.0.0"
    search = staticmethod(by_walk)

    def loader(self, config, credentials):
        heed_modes()
        folder = Path(config["folder"])
        return [SimpleNamespace(text=path, metadata={"source": path}) for path in self.search(folder)]


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / "files" / name).mkdir(parents=True)
        (tmp_path / "files" / name / "x.md").write_text("text")
    return tmp_path / "files"


@contextmanager
def closed(folder):
    folder.chmod(0)
    try:
        yield
    finally:
        folder.chmod(0o700)


@pytest.mark.parametrize("search", SEARCHES)
def test_what_is_in_a_folder_that_may_not_be_listed_is_kept(run_sync, folder, caplog, search):
    connector, config = Files(), {"folder": str(folder)}
    connector.search = SEARCHES[search]
    assert len(run_sync(connector, config=config).documents) == 3
    (folder / "c" / "x.md").unlink()
    with closed(folder / "b"):
        result = run_sync(connector, mode="incremental", config=config)
    assert (result.status, result.deletions) == ("completed", [])
    assert (
        f"Nothing is deleted in this run, because what it reads with passed over {folder}/b (" in caplog.text
    )
    result = run_sync(connector, mode="incremental", config=config)
    assert result.deletions == [f"{folder}/c/x.md"]


def test_a_folder_that_vanishes_meanwhile_is_no_omission(folder):
    omissions = Omissions()

    def search():
        yield from by_walk(folder / "none")
        yield from os.listdir(folder)  # noqa: PTH208 - as some loaders do.

    assert sorted(omissions.over(search)) == ["a", "b", "c"]
    assert omissions.reason() == ""


def test_nothing_is_deleted_when_a_loader_logs_an_error_and_goes_on(run_sync, caplog):
    class Careless(LoaderConnector):
        name = "careless"
        version = "1.0.0"
        names = ("a", "b", "c")

        def loader(self, config, credentials):
            for name in ("a", "b", "c"):
                if name in self.names:
                    yield SimpleNamespace(text=name, metadata={"source": name})
                elif self.names:
                    logging.getLogger("some.loader").log(self.level, "Could not load %s", name)

    connector = Careless()
    run_sync(connector)
    connector.names, connector.level = ("a", "b"), logging.ERROR
    assert run_sync(connector, mode="incremental").deletions == []
    assert "Nothing is deleted in this run, because what it reads with logged Could not load c" in caplog.text
    connector.level = logging.WARNING
    assert run_sync(connector, mode="incremental").deletions == ["c"]


def test_errors_that_others_log_meanwhile_do_not_count():
    omissions, other = Omissions(), Omissions()
    reading = omissions.over(lambda: iter([1, 2]))
    assert next(reading) == 1
    assert list(other.over(lambda: _logging("other"))) == [3]
    assert list(reading) == [2]
    assert (omissions.reason(), other.reason()) == ("", "logged other")


def _logging(text):
    logging.getLogger("some.loader").error(text)
    yield 3
