"""The example that reads mailboxes in partitions."""

from __future__ import annotations

import mailbox

import pytest
from mailboxes_connector import MailboxConnector


@pytest.fixture
def archive(tmp_path):
    folder = tmp_path / "archive"
    folder.mkdir()
    return folder


def write(archive, name, *subjects):
    box = mailbox.mbox(archive / name)
    for subject in subjects:
        message = mailbox.mboxMessage()
        message["Subject"] = subject
        message["From"] = "ann@example.com"
        message.set_payload(f"Text of {subject}")
        box.add(message)
    box.flush()
    box.close()


@pytest.fixture
def sync(run_sync, archive):
    def run(mode="incremental"):
        return run_sync(MailboxConnector(), config={"path": str(archive), "public": True}, mode=mode)

    return run


def test_every_mailbox_is_read_and_then_only_what_was_added(sync, archive):
    write(archive, "a.mbox", "Boats", "Cats")
    write(archive, "b.mbox", "Dogs")

    first = sync("full")

    assert first.status == "completed", first.error
    assert {d.title: d.content.strip() for d in first.documents.values()} == {
        name: f"Text of {name}" for name in ("Boats", "Cats", "Dogs")
    }
    assert first.partition_states["a.mbox"]["messages"] == 2

    write(archive, "a.mbox", "Eels")
    assert set(sync().documents) == {"a.mbox/2"}


def test_a_mailbox_that_is_gone_takes_its_messages_with_it(sync, archive):
    write(archive, "a.mbox", "Boats", "Cats")
    write(archive, "b.mbox", "Dogs")
    sync("full")
    (archive / "a.mbox").unlink()

    result = sync()

    assert sorted(result.deletions) == ["a.mbox/0", "a.mbox/1"]
    assert set(result.index) == {"b.mbox/0"}
    assert set(result.partition_states) == {"b.mbox"}


@pytest.mark.parametrize("mode", ["incremental", "full"])
def test_a_mailbox_that_was_rewritten_is_read_anew(sync, archive, mode):
    write(archive, "a.mbox", "Boats and their names", "Cats")
    sync("full")
    (archive / "a.mbox").unlink()
    write(archive, "a.mbox", "Eels")

    result = sync(mode)

    assert {d.title for d in result.index.values()} == {"Eels"}


def test_a_message_whose_bytes_are_no_text_is_named(sync, archive):
    write(archive, "a.mbox", "Boats", "Cats")
    text = (
        (archive / "a.mbox")
        .read_text()
        .replace("Subject: Boats", 'Content-Type: text/plain; charset="klingon"\nSubject: Boats')
    )
    (archive / "a.mbox").write_text(text)

    result = sync("full")

    assert result.outcome == "completed with errors"
    assert [error.document_id for error in result.errors] == ["a.mbox/0"]
    assert set(result.index) == {"a.mbox/1"}


def test_a_mailbox_that_cannot_be_read_is_named_and_the_others_arrive(sync, archive):
    write(archive, "a.mbox", "Boats")
    (archive / "broken.mbox").mkdir()

    result = sync("full")

    assert result.outcome == "completed with errors"
    assert [(error.kind, error.document_id) for error in result.errors] == [("partition", "broken.mbox")]
    assert set(result.index) == {"a.mbox/0"}


def test_a_folder_that_is_missing_fails_the_run(run_sync, tmp_path):
    result = run_sync(MailboxConnector(), config={"path": str(tmp_path / "none")})
    assert result.status == "failed"
    assert "there is no such folder" in result.error
