"""The example that reads a WebDAV folder, at WsgiDAV."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from support.real_system import RealSystemTests
from support.webdav_server import WebDavServer
from webdav_connector import WebDavConnector, files

pytestmark = pytest.mark.slow  # A server and many syncs.

PASSWORD = "w3bdav-password"


class Folder:
    """Two files of Ann's; a folder that she shares with Bob; a folder in it that she shares with the board, too."""

    def __init__(self, server, folder):
        self.folder = folder
        self.config = {"url": server.url, "domain": "example.com"}
        self.credentials = {"username": "indexer", "password": PASSWORD}
        self.wrong_credentials = {"username": "indexer", "password": "wrong-password-2"}
        self.secrets = [PASSWORD]
        self.documents = {
            "aardvark": "a.txt",
            "badger": "shared/b.md",
            "cheetah": "shared/c ü 100%.html",
            "dolphin": "shared/board/d.txt",
        }
        self.finds = {
            "ann@example.com": set(self.documents),
            "bob@example.com": {"badger", "cheetah", "dolphin"},
            "joe@example.com": set(),
        }
        (folder / "shared/board").mkdir(parents=True)
        for word, path in self.documents.items():
            (folder / path).write_text(f"Of the {word}.")
        server.share("", "ann", [], [])
        server.share("shared", "ann", ["bob"], [])
        server.share("shared/board", "ann", [], ["board"])

    def change(self, word):
        (self.folder / "a.txt").write_text(f"Now of the {word}.")
        return "a.txt"

    def delete(self):
        (self.folder / "shared/b.md").unlink()
        return "shared/b.md"


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    with WebDavServer(folder, PASSWORD) as server:
        yield server


@pytest.fixture
def system(server, tmp_path):
    return Folder(server, tmp_path / "files")


class TestWebDav(RealSystemTests):
    connector = WebDavConnector
    known_groups = frozenset({"board@example.com"})


def test_what_is_shared_later_is_sent_again(run_sync, system, server):
    run_sync(WebDavConnector(), config=system.config, credentials=system.credentials)
    server.share("a.txt", "ann", ["bob"], ["board"])
    result = run_sync(WebDavConnector(), mode="incremental")
    assert set(result.documents) == {"a.txt"}
    assert result.documents["a.txt"].permissions == {
        "public": False,
        "users": ["ann@example.com", "bob@example.com"],
        "groups": ["board@example.com"],
    }


def test_what_cannot_be_read_is_reported_and_stays(run_sync, system, server):
    run_sync(WebDavConnector(), config=system.config, credentials=system.credentials)
    server.refused = {"/dav/shared/"}
    result = run_sync(WebDavConnector(), mode="incremental")
    assert (result.status, result.deletions) == ("completed", [])
    assert [error.document_id for error in result.errors] == ["shared/"]
    assert set(result.index) == set(system.documents.values())


class Refusing:
    """A server that lists a folder, but says nothing of it."""

    base_url = "http://cloud/dav/"

    def request(self, *args, **options):
        del args, options
        refused = "<d:response><d:href>/dav/secret/</d:href><d:status>HTTP/1.1 403 No</d:status></d:response>"
        content = f'<d:multistatus xmlns:d="DAV:">{refused}</d:multistatus>'
        return SimpleNamespace(content=content, raise_for_status=lambda: None)


def test_what_the_server_says_nothing_of_counts_as_unread():
    errors, unread = [], []
    ctx = SimpleNamespace(emit_error=lambda name, error: errors.append(name))
    inventory = SimpleNamespace(unread=unread.append)
    assert list(files(Refusing(), ctx, inventory)) == []
    assert (errors, unread) == (["secret"], ["secret"])
