import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import filesystem_connector
import pytest
from filesystem_connector import FilesystemConnector, markdown_title
from support.refusing import refusing as refusing_documents

from omni_connector import DocumentPermissions
from omni_connector.testing import serve_connector


@pytest.fixture
def folder(tmp_path):
    """A small tree of notes."""
    folder = tmp_path / "notes"
    (folder / "plans").mkdir(parents=True)
    (folder / "readme.md").write_text("Hello\n\n# The notes #\n\ntext\n")
    (folder / "todo.txt").write_text("milk, bread")
    (folder / "plans" / "2026.txt").write_text("a boat")
    return folder


@pytest.fixture
def sync(run_sync, folder):
    """Sync the tree, with further settings where they are given."""

    def run(mode="full", **settings):
        config = {"path": str(folder), "public": True, **settings}
        return run_sync(FilesystemConnector(), config=config, mode=mode)

    return run


def test_every_file_arrives_with_what_is_known_about_it(sync, folder):
    result = sync()
    assert (result.status, result.scanned, result.errors) == ("completed", 3, [])
    assert {name: document.content for name, document in result.documents.items()} == {
        "readme.md": "Hello\n\n# The notes #\n\ntext",
        "todo.txt": "milk, bread",
        "plans/2026.txt": "a boat",
    }
    plan = result.documents["plans/2026.txt"]
    assert (plan.title, plan.url) == ("2026.txt", (folder / "plans" / "2026.txt").as_uri())
    assert (plan.metadata["path"], plan.metadata["size"]) == ("plans/2026.txt", 6)
    assert (plan.metadata["mime_type"], plan.permissions["public"]) == ("text/plain", True)
    assert plan.metadata["updated_at"].endswith("Z")


def test_a_markdown_file_is_named_by_its_first_heading(sync):
    assert sync().documents["readme.md"].title == "The notes"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# One\n# Two", "One"),
        ("## Deep ##", "Deep"),
        ("```\n# a comment\n```\n# After the code", "After the code"),
        ("#tag\n#\n", None),
        ("", None),
    ],
)
def test_the_first_heading_is_found_where_there_is_one(text, title):
    assert markdown_title(text) == title


def test_an_incremental_run_sends_what_was_added_changed_and_removed(sync, folder):
    sync()
    (folder / "new.txt").write_text("new")
    (folder / "todo.txt").write_text("milk, bread, eggs")
    (folder / "plans" / "2026.txt").unlink()
    result = sync("incremental")
    assert {event["document_id"]: event["type"] for event in result.events} == {
        "new.txt": "document_created",
        "todo.txt": "document_created",
        "plans/2026.txt": "document_deleted",
    }
    assert result.documents["todo.txt"].content == "milk, bread, eggs"
    assert set(result.index) == {"readme.md", "todo.txt", "new.txt"}
    assert result.scanned == 3


def test_an_incremental_run_sends_nothing_when_nothing_changed(sync):
    sync()
    result = sync("incremental")
    assert (result.events, result.scanned, len(result.index)) == ([], 3, 3)


def test_a_change_that_keeps_the_size_is_noticed(sync, folder):
    sync()
    note = folder / "todo.txt"
    note.write_text("silk, bread")
    os.utime(note, ns=(0, note.stat().st_mtime_ns + 1))
    assert sync("incremental").documents["todo.txt"].content == "silk, bread"


def test_a_full_run_sends_everything_again_and_deletes_what_is_gone(sync, folder):
    sync()
    (folder / "todo.txt").unlink()
    result = sync("full")
    assert set(result.documents) == set(result.index) == {"readme.md", "plans/2026.txt"}
    assert result.deletions == ["todo.txt"]


def test_other_settings_send_everything_again(sync):
    sync()
    result = sync("incremental", public=False, users=["Ann@Example.com"])
    assert len(result.documents) == 3
    assert result.index["todo.txt"].permissions == {
        "public": False,
        "users": ["ann@example.com"],
        "groups": [],
    }


def test_documents_are_private_unless_the_settings_say_who_finds_them(sync, caplog):
    result = sync(public=False)
    assert result.documents["todo.txt"].permissions["public"] is False
    assert "No user will find the documents" in caplog.text


def test_hidden_files_and_those_left_out_do_not_arrive(sync, folder):
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("secret")
    assert ".git/config" not in sync().documents
    assert set(sync(exclude=["plans", "*.md"]).index) == {"todo.txt", ".git/config"}


def test_only_what_is_included_arrives(sync):
    assert set(sync(include="*.txt").index) == {"todo.txt", "plans/2026.txt"}
    assert set(sync(include=["plans/*", "readme.md"]).index) == {"readme.md", "plans/2026.txt"}


def test_large_and_binary_files_are_left_out_and_the_log_says_how_many(sync, folder, caplog):
    (folder / "large.txt").write_text("x" * 101)
    (folder / "image.txt").write_bytes(b"GIF\0\1")
    caplog.set_level("INFO")
    assert set(sync(max_size=100).documents) == {"readme.md", "todo.txt", "plans/2026.txt"}
    assert "Files left out: 1 are no text, 1 are larger than max_size" in caplog.text


def test_a_text_that_becomes_binary_is_deleted(sync, folder):
    sync()
    (folder / "todo.txt").write_bytes(b"\0\1\2")
    assert sync("incremental").deletions == ["todo.txt"]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xef\xbb\xbfna\xc3\xafve", "naïve"),
        (b"na\xefve \x80", "naïve €"),
        (b"na\xefve \x9d", "naïve"),  # Not even cp1252; the manager drops the control character.
        ("na\N{LATIN SMALL LETTER I WITH DIAERESIS}ve \u20ac".encode("utf-16"), "naïve €"),
        (b"\xfe\xff" + "naïve €".encode("utf-16-be"), "naïve €"),
        ("naïve €".encode("utf-32"), "naïve €"),
        (b"\0\0\xfe\xff" + "naïve €".encode("utf-32-be"), "naïve €"),
    ],
)
def test_texts_in_other_encodings_can_be_read(sync, folder, data, text):
    (folder / "todo.txt").write_bytes(data)
    assert sync().documents["todo.txt"].content == text


def test_a_text_that_is_not_what_its_byte_order_mark_says_is_an_error_and_stays(sync, folder):
    sync()
    (folder / "todo.txt").write_bytes(b"\xff\xfeodd")
    result = sync("incremental")
    assert [error.document_id for error in result.errors] == ["todo.txt"]
    assert result.index["todo.txt"].content == "milk, bread"


def test_names_that_are_not_text_get_an_id_with_escapes(sync, folder):
    odd = folder / "my plans" / os.fsdecode(b"caf\xe9.txt")
    odd.parent.mkdir()
    odd.write_text("coffee")
    document = sync().documents["my plans/caf%E9.txt"]
    assert (document.content, document.title) == ("coffee", "caf%E9.txt")
    assert document.url.endswith("/my%20plans/caf%E9.txt")
    odd.unlink()
    assert sync("incremental").deletions == ["my plans/caf%E9.txt"]


def test_links_are_not_followed(sync, folder, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "circle").symlink_to(folder)
    (folder / "way-out.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "broken.txt").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.txt")
    assert set(sync().documents) == {"readme.md", "todo.txt", "plans/2026.txt"}


def test_a_path_that_is_too_long_for_an_id_costs_one_document(sync, folder):
    deep = folder / ("d" * 200) / ("e" * 200) / ("f" * 200)
    deep.mkdir(parents=True)
    (deep / "long.txt").write_text("x")
    result = sync()
    assert (result.status, len(result.documents)) == ("completed", 3)
    [error] = result.errors
    assert "at most 500" in error.reason


DENIED = PermissionError(13, "Permission denied")


def refusing(monkeypatch, module, name, part, error=DENIED):
    """Let a function refuse paths that hold ``part``; file modes would not stop a test that runs as root."""
    original = getattr(module, name)

    def function(path):
        if part in os.fspath(path):
            raise error
        return original(path)

    monkeypatch.setattr(module, name, function)


def test_a_file_that_cannot_be_read_costs_itself_and_is_tried_again(sync, folder, monkeypatch):
    sync()
    (folder / "todo.txt").write_text("milk, bread, eggs")
    (folder / "new.txt").write_text("new")
    with monkeypatch.context() as patch:
        refusing(patch, filesystem_connector, "read_text", "todo.txt")
        result = sync("incremental")
    assert (result.status, set(result.documents), result.deletions) == ("completed", {"new.txt"}, [])
    assert [(error.document_id, error.reason.partition(":")[0]) for error in result.errors] == [
        ("todo.txt", "PermissionError")
    ]
    assert result.index["todo.txt"].content == "milk, bread"
    assert sync("incremental").documents["todo.txt"].content == "milk, bread, eggs"


def test_a_new_file_that_cannot_be_read_is_tried_again(sync, monkeypatch):
    with monkeypatch.context() as patch:
        refusing(patch, filesystem_connector, "read_text", "todo.txt")
        assert [error.document_id for error in sync().errors] == ["todo.txt"]
    assert set(sync("incremental").documents) == {"todo.txt"}


def test_however_many_files_cannot_be_read_the_rest_arrives(sync, folder, monkeypatch):
    """By default a run in which more than half of 500 documents fail is failed, as often as it is tried."""
    (folder / "locked").mkdir()
    for number in range(600):
        (folder / "locked" / f"{number}.txt").write_text("text")
    refusing(monkeypatch, filesystem_connector, "read_text", "/locked/")
    result = sync()
    assert result.status == "completed", result.error
    assert set(result.documents) == {"plans/2026.txt", "todo.txt", "readme.md"}


def test_the_files_of_a_folder_that_cannot_be_listed_are_kept(sync, monkeypatch):
    sync()
    with monkeypatch.context() as patch:
        refusing(patch, os, "scandir", "/plans")
        result = sync("full")
    assert [(error.document_id, error.stage) for error in result.errors] == [("plans", "connector")]
    assert (result.status, result.deletions) == ("completed", [])
    assert "plans/2026.txt" in result.index
    assert set(sync("incremental").documents) == {"plans/2026.txt"}


class Listing(list):
    """What ``os.scandir`` returns."""

    def __enter__(self):
        return self

    def __exit__(self, *_details):
        """Close nothing."""


class LockedEntry:
    """A file in a folder of mode 0444: it is listed, and cannot be stat'ed. The mode would not stop root."""

    def __init__(self, entry, *, has_type):
        self.name, self.path = entry.name, entry.path
        self._has_type = has_type

    def is_dir(self, *, follow_symlinks):
        if not self._has_type:  # Some filesystems list names only.
            raise DENIED
        return False

    def is_file(self, *, follow_symlinks):
        return True

    def stat(self, *, follow_symlinks):
        raise DENIED


@pytest.mark.parametrize("has_type", [True, False])
def test_a_file_that_cannot_be_examined_is_an_error_and_not_deleted(sync, monkeypatch, has_type):
    sync()
    original = os.scandir

    def locked(path):
        with original(path) as listing:
            return Listing(
                LockedEntry(entry, has_type=has_type) if entry.name == "2026.txt" else entry
                for entry in listing
            )

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", locked)
        result = sync("full")
    assert (result.status, result.deletions) == ("completed", [])
    assert [error.document_id for error in result.errors] == ["plans/2026.txt"]
    assert set(result.documents) == {"readme.md", "todo.txt"}
    assert set(sync("incremental").documents) == {"plans/2026.txt"}


WALK = """
import json, os, pwd, sys
from types import SimpleNamespace
from filesystem_connector import Folder

if os.geteuid() == 0:
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
errors = []
folder = Folder.from_config({"path": sys.argv[1], "public": True}, [])
files = list(folder.files(SimpleNamespace(emit_error=lambda name, error: errors.append([name, type(error).__name__]))))
print(json.dumps([[file.id for file in files], errors]))
"""
"""The walk of the connector; by root as another user, because modes do not stop root."""


def test_the_files_of_a_folder_of_mode_0444_are_errors():
    """They are listed, and cannot be examined; those of the last run are kept."""
    with tempfile.TemporaryDirectory() as name:  # Below the test's own folder, only its owner may look.
        Path(name).chmod(0o755)
        plans = Path(name, "plans")
        plans.mkdir()
        for path in (Path(name, "todo.txt"), plans / "2026.txt"):
            path.write_text("text")
            path.chmod(0o644)
        plans.chmod(0o444)
        env = {**os.environ, "PYTHONPATH": str(Path(filesystem_connector.__file__).parent)}
        walked = subprocess.run(
            [sys.executable, "-c", WALK, name],
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        plans.chmod(0o755)
    assert walked.returncode == 0, walked.stderr
    assert json.loads(walked.stdout) == [["todo.txt"], [["plans/2026.txt", "PermissionError"]]]


@pytest.mark.parametrize("mode", ["full", "incremental"])
def test_an_empty_folder_deletes_nothing_unless_it_is_approved(sync, folder, mode):
    sync()
    full = folder.rename(folder.with_name("unmounted"))
    folder.mkdir()
    (folder / ".hidden").write_text("not indexed")
    result = sync(mode)
    assert (result.status, result.deletions, len(result.index)) == ("completed", [], 3)
    code = re.search(r"set approve_deletions to '(3-\w+)'", result.errors[0].reason)[1]
    result = sync(mode, approve_deletions=code)
    assert (result.status, len(result.deletions), result.index) == ("completed", 3, {})
    (folder / ".hidden").unlink()
    folder.rmdir()
    full.rename(folder)
    assert len(sync("incremental").index) == 3


def test_a_first_run_of_an_empty_folder_completes(sync, folder, tmp_path):
    (tmp_path / "empty").mkdir()
    assert sync(path=str(tmp_path / "empty")).status == "completed"


@pytest.mark.parametrize("leftover", ["empty", "gone"])
def test_a_disk_below_the_folder_that_is_not_mounted_any_more_deletes_nothing(
    sync, folder, monkeypatch, leftover
):
    disk = folder / "disk"
    disk.mkdir()
    (disk / "photo.txt").write_text("sea")
    with monkeypatch.context() as patch:
        patch.setattr(os.path, "ismount", str(disk).__eq__)
        sync()
    (disk / "photo.txt").unlink()
    if leftover == "gone":
        disk.rmdir()
    for mode in ("full", "incremental"):
        result = sync(mode)
        assert (result.status, result.deletions) == ("completed", [])
        assert [error.document_id for error in result.errors] == ["disk"]
        assert "--set allow_empty=true" in result.errors[0].reason
    assert sync("incremental", allow_empty=True).deletions == ["disk/photo.txt"]
    assert sync("incremental").errors == []


def test_a_document_that_the_manager_rejects_is_sent_again_by_the_next_run(sync):
    with refusing_documents("todo.txt"):
        first = sync()
    assert [error.document_id for error in first.errors] == ["todo.txt"]
    assert set(sync("incremental").documents) == {"todo.txt"}
    assert sync("incremental").events == []


def test_a_file_that_vanishes_while_it_is_read_is_no_error(sync, folder, monkeypatch):
    sync()
    (folder / "todo.txt").write_text("changed")
    original = filesystem_connector.read_text

    def vanishing(path):
        if path.endswith("todo.txt"):
            Path(path).unlink()
        return original(path)

    monkeypatch.setattr(filesystem_connector, "read_text", vanishing)
    result = sync("incremental")
    assert (result.errors, result.deletions) == ([], ["todo.txt"])


def test_folders_and_files_that_vanish_while_they_are_listed_are_no_error(sync, folder, monkeypatch):
    sync()
    original = os.scandir

    def vanishing(path):
        listing = original(path)
        if path == str(folder):
            (folder / "todo.txt").unlink()
            (folder / "plans" / "2026.txt").unlink()
            (folder / "plans").rmdir()
        return listing

    monkeypatch.setattr(os, "scandir", vanishing)
    result = sync("incremental")
    assert (result.status, result.errors) == ("completed", [])
    assert sorted(result.deletions) == ["plans/2026.txt", "todo.txt"]


def test_a_folder_that_is_gone_fails_the_run_and_deletes_nothing(sync, folder):
    sync()
    folder.rename(folder.with_name("elsewhere"))
    result = sync("incremental")
    assert (result.status, result.deletions, len(result.index)) == ("failed", [], 3)
    assert "is not a folder" in result.error


@pytest.mark.parametrize("error", [PermissionError(13, "Denied"), FileNotFoundError(2, "Gone just now")])
def test_a_disk_that_cannot_be_read_fails_the_run_and_deletes_nothing(sync, folder, monkeypatch, error):
    sync()
    refusing(monkeypatch, os, "scandir", "/notes", error)
    result = sync("incremental")
    assert (result.status, result.deletions) == ("failed", [])
    assert type(error).__name__ in result.error


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"path": None}, "--set path=docs"),
        ({"max_size": "big"}, "max_size: 'big' is not a number of bytes"),
        ({"include": [1]}, "include: [1] is not a list of patterns"),
        ({"exclude": {}}, "exclude: {} is not a list of patterns"),
        ({"users": "ann"}, "DocumentPermissions.users"),
    ],
)
def test_wrong_settings_fail_the_run_with_a_reason(sync, settings, said):
    result = sync(**settings)
    assert result.status == "failed"
    assert said in result.error


class LossyContext:
    """A run whose process is killed after so many documents: all that came after the last saved state is lost."""

    def __init__(self, ctx, emits, killed):
        self._ctx = ctx
        self._left = emits
        self._killed = killed
        self._lost = []

    def __getattr__(self, name):
        return getattr(self._ctx, name)

    def emit(self, document):
        self._later(self._ctx.emit, document)

    def emit_updated(self, document):
        self._later(self._ctx.emit_updated, document)

    def save_state(self, state):
        for call, document in self._lost:
            call(document)
        self._lost.clear()
        self._ctx.save_state(state)

    def _later(self, call, document):
        self._lost.append((call, document))
        self._left -= 1
        if not self._left:
            self._killed.set()
            self._ctx.sleep(60)
            self._ctx.raise_if_cancelled()


class KilledConnector(FilesystemConnector):
    """Is killed after so many documents."""

    def __init__(self, emits):
        self.emits = emits
        self.killed = threading.Event()

    def sync(self, source_config, credentials, state, ctx):
        super().sync(source_config, credentials, state, LossyContext(ctx, self.emits, self.killed))


@pytest.fixture
def many(folder, monkeypatch):
    """A tree of forty files, of which every tenth is followed by a checkpoint."""
    monkeypatch.setattr(filesystem_connector, "FILES_PER_CHECKPOINT", 10)
    for n in range(37):
        (folder / f"{n:02}.txt").write_text(f"number {n}")
    return folder


def resumed(manager, folder, mode, emits, between):
    """Run until the kill, let ``between`` change the tree, and let the manager resume; return the run."""
    killed = KilledConnector(emits)
    with serve_connector(killed, manager) as served:
        source_id = served.put_source(config={"path": str(folder), "public": True})
        run_id = manager.trigger(source_id, mode)
        assert killed.killed.wait(60)
    assert manager.run(run_id).status == "running"
    between()
    with serve_connector(FilesystemConnector(), manager):
        manager.tick()
        return manager.wait_for_run(run_id, 60)


@pytest.mark.parametrize("emits", [3, 10, 11, 25, 40])
def test_a_first_run_that_was_killed_is_resumed_without_loss(omni_manager, many, emits):
    def between():
        (many / "00.txt").unlink()
        (many / "36.txt").unlink()
        (many / "01.txt").write_text("changed")
        (many / "99.txt").write_text("added")

    run = resumed(omni_manager, many, "full", emits, between)
    assert run.status == "completed"
    contents = {document.external_id: document.content for document in omni_manager.documents()}
    assert contents == tree(many)


@pytest.mark.parametrize("emits", [3, 25])
@pytest.mark.parametrize("mode", ["full", "incremental"])
def test_a_later_run_that_was_killed_is_resumed_without_loss(omni_manager, run_sync, many, mode, emits):
    run_sync(FilesystemConnector(), config={"path": str(many), "public": True})
    for n in range(0, 37, 7):  # No more than a fifth, which needs no approval.
        (many / f"{n:02}.txt").unlink()
    for n in range(1, 37, 7):
        (many / f"{n:02}.txt").write_text("changed")
    for n in range(50, 80):
        (many / f"{n}.txt").write_text("added")

    def between():
        (many / "02.txt").unlink()
        (many / "50.txt").unlink()
        (many / "03.txt").write_text("changed later")

    run = resumed(omni_manager, many, mode, emits, between)
    assert run.status == "completed"
    contents = {document.external_id: document.content for document in omni_manager.documents()}
    assert contents == tree(many)
    again = run_sync(FilesystemConnector(), mode="incremental")
    assert again.events == []


def test_a_resumed_run_goes_on_from_its_checkpoint(omni_manager, many):
    run = resumed(omni_manager, many, "full", 25, lambda: None)
    assert len(omni_manager.events(run.id)) == 40


def test_a_full_run_that_was_killed_before_its_first_checkpoint_is_still_full(omni_manager, run_sync, many):
    run_sync(FilesystemConnector(), config={"path": str(many), "public": True})
    run = resumed(omni_manager, many, "full", 3, lambda: None)
    assert len({event.payload["document_id"] for event in omni_manager.events(run.id)}) == 40


def tree(folder):
    """Return what should have arrived, by id."""
    return {
        path.relative_to(folder).as_posix(): path.read_text().strip()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_its_permissions_are_those_of_the_settings():
    folder = filesystem_connector.Folder.from_config({"path": ".", "groups": ["example.com"]}, mounts=[])
    assert folder.permissions == DocumentPermissions(groups=["example.com"])
