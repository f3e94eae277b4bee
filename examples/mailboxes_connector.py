"""Index a folder of mailboxes, several at once: every ``*.mbox`` file in it is a partition.

    omni-connector run examples/mailboxes_connector.py --set path=archive --set users=ann@example.com
    omni-connector run examples/mailboxes_connector.py --help  # Lists the settings.

The state of each mailbox is the number of messages that were read, and which of them the manager refused; an incremental run reads
those again, and what was added since. A mailbox that has become smaller was rewritten, and is read from its beginning. The messages
of one that is gone are deleted.
"""

import mailbox
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Any

from attrs import define, field

from omni_connector import (
    ConfigurationError,
    Connector,
    Document,
    DocumentMetadata,
    DocumentPermissions,
    ErrorLimits,
    InvalidDocumentError,
    Partition,
    SyncContext,
    setting,
)

PAGE = 100
"""Messages between two saved states."""


@define
class Settings:
    """What is read, and for whom."""

    path: Path = setting("Folder with the mailboxes.")
    users: list[str] = setting("Who may find the messages, by e-mail address.", factory=list)
    public: bool = setting("All users find them.", default=False)


@define
class Progress:
    """How far a mailbox was read: the state of its partition."""

    messages: int
    size: int
    refused: list[int] = field(factory=list)


class MailboxConnector(Connector[Settings, Any, Progress]):
    """Reads the ``*.mbox`` files of a folder."""

    name = "mailboxes"
    version = "1.0.0"
    display_name = "Mailboxes"
    source_types = ["local_files"]
    sync_modes = ["full", "incremental"]
    partition_workers = 4
    error_limits = ErrorLimits(partitions=3)  # A few damaged files do not keep the others from being indexed.

    def partitions(
        self, config: Settings, _credentials: Any, _state: dict[str, Progress] | None, ctx: SyncContext
    ) -> Iterator[Partition]:
        """Yield the mailboxes; delete the messages of those that are gone."""
        problem = self.check_connection(config, None)
        if problem:
            raise ConfigurationError(problem)
        found = sorted(path for path in config.path.iterdir() if path.suffix == ".mbox")
        for name, known in (ctx.checkpoint or {}).items():
            if config.path / name not in found:
                for number in range(known.messages):
                    ctx.emit_deleted(f"{name}/{number}")
        for path in found:
            yield Partition(key=path.name)

    def sync_partition(
        self,
        partition: Partition,
        config: Settings,
        _credentials: Any,
        state: Progress | None,
        ctx: SyncContext,
    ) -> None:
        """Read the messages of one mailbox that were not read before."""
        path = config.path / partition.key
        size = path.stat().st_size
        start, again = (state.messages, state.refused) if state and state.size <= size else (0, [])
        known = ctx.checkpoint.messages if ctx.checkpoint else 0
        permissions = DocumentPermissions(public=config.public, users=config.users)
        box: Any = mailbox.mbox(path, create=False)  # Its keys are numbers; to type checkers they are texts.
        try:
            count = len(box)
            refused: list[int] = []
            for number in (*again, *range(start, count)):
                ctx.increment_scanned()
                name = f"{partition.key}/{number}"
                try:
                    ctx.emit(document(name, box[number], permissions))
                except (
                    InvalidDocumentError
                ) as error:  # Its bytes are not in the charset that it declares, say.
                    ctx.emit_error(name, error)
                if number >= start and number % PAGE == PAGE - 1:
                    refused += refused_now(ctx)
                    ctx.save_state(Progress(messages=number + 1, size=size, refused=refused))
        finally:
            box.close()
        for number in range(count, known):
            ctx.emit_deleted(f"{partition.key}/{number}")
        ctx.save_state(Progress(messages=count, size=size, refused=refused + refused_now(ctx)))

    def check_connection(self, config: Settings, _credentials: Any) -> str | None:
        """Say whether the folder is there."""
        return None if config.path.is_dir() else f"path={str(config.path)!r}: there is no such folder."


def refused_now(ctx: SyncContext) -> list[int]:
    """Return the numbers of the messages that the manager has refused since the last call."""
    return [int(error.document_id.rpartition("/")[2]) for error in ctx.flush()]


def document(name: str, message: Message, permissions: DocumentPermissions) -> Document:
    """Return the document of a message: its subject, and its first part of text."""
    parts = (part for part in message.walk() if part.get_content_type() == "text/plain")
    payload = next((part.get_payload(decode=True) for part in parts), None)
    charset = message.get_content_charset() or "utf-8"
    return Document(
        external_id=name,
        title=message["subject"] or "(no subject)",
        content=payload if isinstance(payload, bytes) else b"",
        mime_type=f"text/plain; charset={charset}",
        metadata=DocumentMetadata(author=message["from"], extra={"to": message["to"] or ""}),
        permissions=permissions,
    )


if __name__ == "__main__":
    MailboxConnector().serve()
