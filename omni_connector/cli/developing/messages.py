"""What the command and the process of the connector say to each other: JSON objects, one a line, on a pair of sockets.

Whichever process ends, however it ends, the other one reads the end of the stream. Nothing of this is in the environment
or on a command line, where others could read the credentials.
"""

import json
import socket
from collections.abc import Iterator
from typing import Any

import cattrs
from attrs import asdict, field, frozen

from omni_connector.console.connector_process import Failure

LONGEST_BYTES = 64 * 1024**2


@frozen(kw_only=True)
class Order:
    """What the child is to serve.

    Attributes:
        target: names the connector.
        manager_url: the embedded manager.
        data_dir: where that keeps its data, and the connector its inventory.
        config: of the source, as it was typed.
        assignments: ``--set``, as it was typed.
        credentials: of the source, or None.
        source_name: the connector's name if None.
        replaces_config: see ``SourceInputs``.
        replaces_credentials: see ``SourceInputs``.
    """

    target: str
    manager_url: str
    data_dir: str
    config: dict[str, Any] = field(factory=dict)
    assignments: list[list[str]] = field(factory=list)
    credentials: dict[str, Any] | None = None
    source_name: str | None = None
    replaces_config: bool = False
    replaces_credentials: bool = False


@frozen(kw_only=True)
class Started:
    """The connector is registered.

    Attributes:
        name: of the connector.
        source_types: what it reads.
        config: of the source, what was typed on top of what is stored; texts converted to what the connector declares.
        credentials: likewise.
        is_known: the source is stored already.
        problems: of these two, one sentence each.
        notes: what its author may want to know.
        schemas: of the settings and credentials that it declares, by ``config`` and ``credentials``.
    """

    name: str
    source_types: list[str]
    config: dict[str, Any]
    credentials: dict[str, Any] | None = None
    is_known: bool = False
    problems: list[str] = field(factory=list)
    notes: list[str] = field(factory=list)
    schemas: dict[str, dict[str, Any]] = field(factory=dict)


@frozen(kw_only=True)
class Files:
    """What the connector consists of: another start is due when one of them changes."""

    files: list[str]


Message = Order | Started | Failure | Files
_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in (Order, Started, Failure, Files)}


def send(connection: socket.socket, message: Message) -> None:
    """Send a message; raises OSError when there is no reader."""
    text = json.dumps({"kind": type(message).__name__, "value": asdict(message)})
    connection.sendall(text.encode() + b"\n")


def received(connection: socket.socket) -> Iterator[Message]:
    """Yield the messages that come, until the other process has ended."""
    with connection.makefile("rb") as stream:
        try:
            while line := stream.readline(LONGEST_BYTES):
                found = json.loads(line)
                message: Message = cattrs.structure(found["value"], _KINDS[found["kind"]])
                yield message
        except OSError:  # It was killed.
            return
