"""Index a mail account over IMAP, such as the shared mailbox of a team.

    pip install imap-tools "omni-connector[sources]"
    omni-connector run examples/imap_connector.py --set host=imap.example.com --credentials login.json

``login.json``: ``{"username": "sales@example.com", "password": "..."}``. The connection is TLS, with a certificate that this
machine trusts.

Each run lists the UIDs of every folder, which is one short line for each mail, and reads the mails that are new. A mail never changes
under its UID. A folder that was made anew has another UIDVALIDITY, which is part of the ids, so that all its
mails are read again and the old documents are deleted. A folder that cannot be opened is reported as an error, and its
documents stay. A run that is interrupted goes on with the folders that it has not listed.

The owner of the account finds its mails, and where the server has access-control lists (RFC 4314), so do the persons with the right to
read the folder. When that list changes, the mails of the folder are sent again.

imap-tools is used, and not imapclient, because it is typed and decodes mails, too.
"""

import shlex

from attrs import define
from imap_tools import MailBox, MailboxFolderSelectError, MailMessage
from imap_tools.utils import encode_folder

from omni_connector import Connector, Document, DocumentMetadata, DocumentPermissions, SyncContext, secret
from omni_connector.sources import html_to_text


@define
class Settings:
    """The server."""

    host: str
    port: int = 993


@define
class Login:
    """The account; its name is the address of its owner."""

    username: str
    password: str = secret()


class ImapConnector(Connector[Settings, Login]):
    """Reads a mail account."""

    name = "imap"
    version = "1.0.0"
    sync_modes = ["full", "incremental"]
    source_types = ["imap"]

    def sync(self, config: Settings, credentials: Login, _state: object, ctx: SyncContext) -> None:
        """List all folders, and send the mails that are new."""
        inventory, done = ctx.inventory(), (ctx.state or {}).get("done", [])
        with MailBox(config.host, config.port, timeout=60) as account:
            account.login(credentials.username, credentials.password, initial_folder=None)
            folders = [each for each in account.folder.list() if "\\Noselect" not in each.flags]
            for folder in [each for each in folders if each.name not in done]:
                try:
                    account.folder.set(folder.name, readonly=True)
                except MailboxFolderSelectError as error:
                    ctx.emit_error(folder.name, error)
                    inventory.unread(f"{folder.name}/")
                    continue
                readers = [credentials.username, *readers_of(account, folder.name)]
                validity = account.folder.status(folder.name, ["UIDVALIDITY"])["UIDVALIDITY"]
                for uid in account.uids():
                    ctx.increment_scanned()
                    mail_id = f"{folder.name}/{validity}/{uid}"
                    try:
                        if inventory.changed(mail_id, readers):
                            for mail in account.fetch(uid_list=uid, mark_seen=False):
                                ctx.emit(document(mail_id, mail, readers))
                    except ValueError as error:  # An id of more than 500 characters, for example.
                        ctx.emit_error(mail_id, error)
                ctx.save_state({"done": (done := [*done, folder.name])})
        inventory.finish()
        ctx.complete({})


def readers_of(account: MailBox, folder: str) -> list[str]:
    """Return the addresses in a folder's access-control list that have the right ``r``."""
    if b"ACL" not in account.client.capability()[1][0].split():
        return []
    status, answer = account.client.getacl(encode_folder(folder).decode())
    _, *rights = shlex.split(answer[0].decode()) if status == "OK" else [""]
    pairs = zip(rights[::2], rights[1::2], strict=True)
    return [name for name, right in pairs if "r" in right and "@" in name]


def document(mail_id: str, mail: MailMessage, readers: list[str]) -> Document:
    """Return a mail as a document."""
    return Document(
        external_id=mail_id,
        title=mail.subject or "(no subject)",
        content=mail.text or html_to_text(mail.html),
        metadata=DocumentMetadata(author=mail.from_, created_at=mail.date, path=mail_id.rpartition("/")[0]),
        permissions=DocumentPermissions(users=readers),
    )
