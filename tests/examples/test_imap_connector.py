"""The example that reads a mail account over IMAP, at Dovecot."""

from __future__ import annotations

from email.message import EmailMessage

import pytest
from imap_connector import ImapConnector
from imap_tools import MailBox
from imap_tools.utils import encode_folder
from support.dovecot import DovecotServer
from support.real_system import RealSystemTests

pytestmark = pytest.mark.slow  # It starts a server.

PASSWORD = "imap-password-1"


class Account:
    """Ann's account: an inbox of her own, and a folder that Bob may read."""

    def __init__(self, server, connection):
        self.mails = connection
        self.config = {"host": "localhost", "port": server.port}
        self.credentials = {"username": "ann@example.com", "password": PASSWORD}
        self.wrong_credentials = {"username": "ann@example.com", "password": "wrong-password-6"}
        self.secrets = [PASSWORD]
        self.mails.folder.create("Plans & Ü")
        self.mails.client.setacl(encode_folder("Plans & Ü"), "bob@example.com", "lr")
        words = {"aardvark": "INBOX", "badger": "INBOX", "cheetah": "Plans & Ü", "dolphin": "Plans & Ü"}
        self.documents = {word: self.add(word, folder) for word, folder in words.items()}
        self.finds = {
            "ann@example.com": set(self.documents),
            "bob@example.com": {"cheetah", "dolphin"},
            "joe@example.com": set(),
        }

    def add(self, word, folder="INBOX"):
        """Deliver a mail; return the document's id."""
        mail = EmailMessage()
        mail["Subject"] = f"About the {word}, schön"
        mail["From"], mail["To"] = "Cyd <cyd@example.org>", "ann@example.com"
        mail["Date"] = "Mon, 03 Aug 2026 09:00:00 +0200"
        mail.set_content(f"Of the {word}.")
        status = self.mails.folder.status(folder)
        self.mails.append(mail.as_bytes(), folder)
        return f"{folder}/{status['UIDVALIDITY']}/{status['UIDNEXT']}"

    def change(self, word):
        """Mails do not change: another one comes."""
        return self.add(word)

    def delete(self):
        self.mails.folder.set("INBOX")
        self.mails.delete(self.documents["badger"].rpartition("/")[2])
        return self.documents["badger"]


@pytest.fixture
def server(monkeypatch):
    with DovecotServer(ann=PASSWORD) as server:
        monkeypatch.setenv("SSL_CERT_FILE", server.authority)
        yield server


@pytest.fixture
def system(server):
    with MailBox("localhost", server.port).login("ann@example.com", PASSWORD) as connection:
        yield Account(server, connection)


class TestImap(RealSystemTests):
    connector = ImapConnector
    left = 2  # Those of the other folder.


def test_a_folder_that_is_gone_takes_its_mails_with_it(run_sync, system):
    run_sync(ImapConnector(), config=system.config, credentials=system.credentials)
    system.mails.folder.delete("Plans & Ü")
    result = run_sync(ImapConnector(), mode="incremental")
    assert sorted(result.deletions) == sorted([system.documents["cheetah"], system.documents["dolphin"]])


def test_mails_whose_uids_are_not_valid_any_more_are_read_again(run_sync, system):
    """A folder that was made anew has another UIDVALIDITY, and counts its mails from 1 again."""
    run_sync(ImapConnector(), config=system.config, credentials=system.credentials)
    system.mails.folder.delete("Plans & Ü")
    system.mails.folder.create("Plans & Ü")
    added = [system.add("eagle", "Plans & Ü"), system.add("falcon", "Plans & Ü")]
    result = run_sync(ImapConnector(), mode="incremental")
    assert set(result.documents) == set(added)
    assert len(result.deletions) == 2


def test_readers_that_a_folder_gets_later_find_its_mails(run_sync, omni_manager, system):
    run_sync(ImapConnector(), config=system.config, credentials=system.credentials)
    system.mails.client.setacl("INBOX", "bob@example.com", "lr")
    run_sync(ImapConnector(), mode="incremental")
    assert len(omni_manager.search("aardvark", person="bob@example.com")) == 1
