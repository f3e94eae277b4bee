"""Index a folder of mailboxes, several at once: every ``*.mbox`` file in it is a partition.

    omni-connector run examples/mailboxes_connector.py --set path=archive --set 'users=["ann@example.com"]'

Settings of the source:

``path``    the folder.
``users``   who may find the messages, by e-mail address.
``public``  true: all users find them.

The state of each mailbox is the number of messages that were read, and which of them the manager refused; an incremental run reads
those again, and what was added since. A mailbox that has become smaller was rewritten, and is read from its beginning. The messages
of one that is gone are deleted.
"""

import mailbox
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Any

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
)

PAGE = 100
"""Messages between two saved states."""


class MailboxConnector(Connector):
    """Reads the ``*.mbox`` files of a folder."""

    name = "mailboxes"
    version = "1.0.0"
    display_name = "Mailboxes"
    source_types = ["local_files"]
    sync_modes = ["full", "incremental"]
    partition_workers = 4
    error_limits = ErrorLimits(partitions=3)  # A few damaged files do not keep the others from being indexed.

    def partitions(
        self,
        source_config: dict[str, Any],
        credentials: dict[str, Any],
        state: dict[str, Any] | None,
        ctx: SyncContext,
    ) -> Iterator[Partition]:
        """Yield the mailboxes; delete the messages of those that are gone."""
        del credentials, state
        folder = Path(source_config.get("path") or "")
        if not folder.is_dir():
            raise ConfigurationError(f"path={str(folder)!r}: there is no such folder.")
        found = sorted(folder.glob("*.mbox"))
        for name, known in (ctx.checkpoint or {}).items():
            if folder / name not in found:
                for number in range(known["messages"]):
                    ctx.emit_deleted(f"{name}/{number}")
        for path in found:
            yield Partition(key=path.name)

    def sync_partition(
        self,
        partition: Partition,
        source_config: dict[str, Any],
        credentials: dict[str, Any],
        state: dict[str, Any] | None,
        ctx: SyncContext,
    ) -> None:
        """Read the messages of one mailbox that were not read before."""
        del credentials
        path = Path(source_config["path"], partition.key)
        size = path.stat().st_size
        is_same = state is not None and state["size"] <= size
        start, again = (state["messages"], state.get("refused", [])) if state and is_same else (0, [])
        known = ctx.checkpoint["messages"] if ctx.checkpoint else 0
        permissions = DocumentPermissions(
            public=source_config.get("public") is True, users=source_config.get("users")
        )
        box = mailbox.mbox(path, create=False)
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
                    ctx.save_state({"messages": number + 1, "size": size, "refused": refused})
        finally:
            box.close()
        for number in range(count, known):
            ctx.emit_deleted(f"{partition.key}/{number}")
        ctx.save_state({"messages": count, "size": size, "refused": refused + refused_now(ctx)})


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
