"""The source that a local run syncs: the same one at each run, so that the next run continues from the last."""

import hashlib
from collections.abc import Iterable
from typing import Any

from attrs import frozen

from omni_connector.cli.inputs import parse_object
from omni_connector.connector import Connector
from omni_connector.exceptions import ConfigurationError
from omni_connector.local import LocalManager, SourceRow
from omni_connector.local.request_shapes import ADD_SOURCE
from omni_connector.local.shapes import ShapeError
from omni_connector.models.plain import JsonValue

SYNC_INTERVAL_SECONDS = 3600
"""The real manager's default for new sources (PROTOCOL, section 1)."""

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID_LENGTH = 26


@frozen(kw_only=True)
class SourceOptions:
    """The source as the command line describes it.

    Attributes:
        name: tells several sources of one connector apart; the connector's name if None.
        source_type: the connector's first if None.
        config: its configuration.
        credentials: its secrets, or None.
    """

    name: str | None = None
    source_type: str | None = None
    config: dict[str, JsonValue]
    credentials: dict[str, JsonValue] | None = None


def put_source(
    manager: LocalManager, connector: Connector, source_types: list[str], options: SourceOptions
) -> tuple[SourceRow, bool]:
    """Add the source, or give the known one its configuration; its checkpoint stays.

    Returns:
        The source, and whether its configuration was another one before.

    Raises:
        ConfigurationError: the connector does not read such a source.
    """
    source_type = options.source_type or (source_types[0] if source_types else "")
    if source_type not in source_types:
        offered = ", ".join(source_types) or "none; give it source_types"
        raise ConfigurationError(
            f"--source-type {source_type}: {connector.name} does not read such a source. Its types: {offered}."
        )
    name = options.name or connector.name
    source_id = stable_source_id(connector.name, name)
    former = next((source for source in manager.sources() if source.id == source_id), None)
    source = manager.add_source(
        source_id=source_id,
        source_type=source_type,
        name=name,
        config=options.config,
        credentials=options.credentials,
    )
    return source, former is not None and former.config != source.config


def parse_sources(given: Iterable[str]) -> list[dict[str, Any]]:
    """Return the arguments of ``LocalManager.add_source`` for each ``--source``: ``NAME:TYPE`` or a JSON object.

    Raises:
        ConfigurationError: names the option's value and what is wrong with it.
    """
    return [_parse_source(each) for each in given]


def _parse_source(given: str) -> dict[str, Any]:
    if given.lstrip().startswith("{"):
        fields = parse_object(given.encode(), "--source")
    else:
        name, colon, source_type = given.rpartition(":")
        if not (name and colon and source_type):
            raise ConfigurationError(
                f"--source {given}: write NAME:TYPE, such as notes:web, or a JSON object."
            )
        fields = {"name": name, "source_type": source_type}
    try:
        source = ADD_SOURCE(fields, "")
    except ShapeError as error:
        raise ConfigurationError(f"--source {given}: {error}.") from error
    source["name"] = source["name"] or source["source_type"]
    source["source_id"] = source["source_id"] or stable_source_id("", source["name"])
    if "sync_interval_seconds" not in fields:
        source["sync_interval_seconds"] = SYNC_INTERVAL_SECONDS
    return source


def stable_source_id(connector_name: str, source_name: str) -> str:
    """Return an id in the form of the manager's own (26 characters of Crockford base 32), always the same."""
    digest = hashlib.sha256(f"{connector_name}\0{source_name}".encode()).digest()
    number = int.from_bytes(digest[:16], "big")
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(5 * (_ULID_LENGTH - 1), -1, -5))
