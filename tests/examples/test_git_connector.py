"""The example that reads a Git repository, over HTTP from ``git http-backend``."""

from __future__ import annotations

import pytest
from git_connector import GitConnector
from support.git_server import GitServer
from support.real_system import RealSystemTests

pytestmark = pytest.mark.slow  # A server and many syncs.


class Repository:
    """A manual of four pages."""

    def __init__(self, server, folder):
        self.server = server
        self.config = {"url": server.url, "mirrors": str(folder), "readers": ["example.com"]}
        self.credentials = {"username": "reader", "password": server.password}
        self.wrong_credentials = {"username": "reader", "password": "wrong-password-1"}
        self.secrets = [server.password]
        self.documents = {
            "aardvark": "a.md",
            "badger": "guide/b.md",
            "cheetah": "guide/c ü.md",
            "dolphin": "guide/more/d.txt",
        }
        self.finds = {"ann@example.com": set(self.documents), "joe@elsewhere.example": set()}
        for word, path in self.documents.items():
            self.write(path, f"Of the {word}.")
        (server.work / "logo.png").write_bytes(b"\x89PNG\0\0")
        server.push("First edition")

    def write(self, path, text):
        file = self.server.work / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def change(self, word):
        self.write("a.md", f"Now of the {word}.")
        self.server.push("Second edition")
        return "a.md"

    def delete(self):
        (self.server.work / "guide/b.md").unlink()
        self.server.push("Shorter")
        return "guide/b.md"


@pytest.fixture
def system(tmp_path):
    with GitServer(tmp_path, "git-pa55-word") as server:
        yield Repository(server, tmp_path / "mirrors")


class TestGit(RealSystemTests):
    connector = GitConnector


def test_a_file_that_was_renamed_moves(run_sync, system):
    run_sync(GitConnector(), config=system.config, credentials=system.credentials)
    (system.server.work / "a.md").rename(system.server.work / "z.md")
    system.server.push("Moved")
    result = run_sync(GitConnector(), mode="incremental")
    assert (set(result.documents), result.deletions) == ({"z.md"}, ["a.md"])


def test_a_history_that_was_rewritten_leaves_nothing_behind(run_sync, system):
    run_sync(GitConnector(), config=system.config, credentials=system.credentials)
    system.server.replace_history({"a.md": "Another start."})
    result = run_sync(GitConnector(), mode="incremental")
    assert set(result.index) == {"a.md"}


def test_a_path_that_is_too_long_for_an_id_does_not_end_the_run(run_sync, system):
    long = "/".join([200 * "x", 200 * "y", 200 * "z" + ".md"])
    system.write(long, "Of the wolverine.")
    system.server.push("With a long name")
    result = run_sync(GitConnector(), config=system.config, credentials=system.credentials)
    assert result.status == "completed"
    assert set(result.documents) == set(system.documents.values())
    assert [error.document_id for error in result.errors] == [long]
