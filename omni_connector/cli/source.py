"""The source that a local run syncs: the same one at each run, so that the next run continues from the last."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from attrs import frozen

from omni_connector.cli.errors import UnclearOptionError
from omni_connector.cli.inputs import parse_argument, read_object
from omni_connector.cli.output import one_line
from omni_connector.cli.stored import chosen
from omni_connector.connector_base import ConnectorBase
from omni_connector.exceptions import ConfigurationError
from omni_connector.local import LocalManager, SourceRow, open_store
from omni_connector.local.request_shapes import ADD_SOURCE
from omni_connector.local.shapes import ShapeError
from omni_connector.local.store import DATABASE_NAME
from omni_connector.models.json_values import JsonValue

SYNC_INTERVAL_SECONDS = 3600
"""The real manager's default for new sources (PROTOCOL, section 1)."""

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID_LENGTH = 26


@frozen(kw_only=True)
class SourceOptions:
    """The source as the command line describes it.

    Attributes:
        name: distinguishes several sources of one connector; the connector's name if None.
        source_type: the connector's first if None.
        config: its configuration.
        credentials: its secrets, or None.
    """

    name: str | None = None
    source_type: str | None = None
    config: dict[str, JsonValue]
    credentials: dict[str, JsonValue] | None = None


def put_source(
    manager: LocalManager, connector_name: str, source_types: list[str], options: SourceOptions
) -> tuple[SourceRow, list[str]]:
    """Add the source, or give the known one its configuration and credentials; all else of it stays.

    Returns:
        The source, and what is different in its configuration: see ``differences``.

    Raises:
        ConfigurationError: the connector does not read such a source.
    """
    name = options.name or connector_name
    source_id = stable_source_id(connector_name, name)
    former = next((each for each in manager.sources() if each.id == source_id), None)
    usual = (
        [former.source_type] if former is not None and former.source_type in source_types else source_types
    )
    source_type = options.source_type or (usual[0] if usual else "")
    if source_type not in source_types:
        offered = ", ".join(source_types) or "none; give it source_types"
        raise ConfigurationError(
            f"--source-type {source_type}: {connector_name} does not read such a source. Its types: {offered}."
        )
    if former is None or former.is_deleted:
        source = manager.add_source(
            source_id=source_id,
            source_type=source_type,
            name=name,
            config=options.config,
            credentials=options.credentials or {},  # Without a row of them no action is run.
        )
    else:
        source = manager.set_source(source_id, config=options.config, source_type=source_type, is_active=True)
        if options.credentials is not None or manager.credential(source_id) is None:
            manager.replace_secrets(source_id, options.credentials or {})
    return source, [] if former is None else differences(former.config, source.config)


@frozen(kw_only=True)
class StoredSource:
    """The source of the data directory from which a command takes what is not typed.

    Attributes:
        data_dir: the directory.
        name: of the source; the connector's own if None.
        must_exist: one that is named must be there.
    """

    data_dir: Path
    name: str | None = None
    must_exist: bool = False

    def find(self, connector: ConnectorBase) -> SourceRow | None:
        """Return the source, or None where there is none yet; nothing is written.

        Raises:
            CommandError: there is no source of this name, but there should be one.
        """
        is_named = self.name is not None and self.must_exist
        if not is_named and not (self.data_dir / DATABASE_NAME).is_file():
            return None
        sources = [each for each in open_store(self.data_dir).sources() if not each.is_deleted]
        if is_named:
            types = connector.source_types
            return chosen([each for each in sources if each.source_type in types], self.name or "")
        own = stable_source_id(connector.name, self.name or connector.name)
        return next((each for each in sources if each.id == own), None)

    def credentials(self, source: SourceRow) -> dict[str, JsonValue] | None:
        """Return the credentials of a source, or None."""
        found = open_store(self.data_dir).credentials(source.id)
        return found if isinstance(found, dict) else None


def replacement_note(name: str) -> str:
    """Return what is said when ``--config`` has replaced what was stored."""
    return f"Note: --config replaces the stored settings of the source {one_line(name)}."


def differences(before: Any, after: Any) -> list[str]:
    """Return ``added a``, ``changed b.c``, ``removed d``, in the order of the keys; values may be private."""
    old, new = _flat(before, ""), _flat(after, "")
    kinds = {key: "removed" if key not in new else "changed" if key in old else "added" for key in old | new}
    return [
        f"{kinds[key]} {key}"
        for key in sorted(kinds)
        if key not in old or key not in new or old[key] != new[key]
    ]


def _flat(config: Any, prefix: str) -> dict[str, Any]:
    """Return the values of nested objects by keys with dots, as ``--set`` takes them."""
    if not isinstance(config, dict) or (prefix and not config):
        return {prefix.removesuffix("."): config} if prefix else {}
    found: dict[str, Any] = {}
    for key, value in config.items():
        found |= _flat(value, f"{prefix}{key}.")
    return found


def parse_sources(given: Iterable[str]) -> list[dict[str, Any]]:
    """Return the arguments of ``LocalManager.add_source`` for each ``--source``.

    ``NAME:TYPE``, a JSON object, or the place of one after an ``@``: a file, ``@env:NAME``, ``@-``.

    Raises:
        UnclearOptionError: names the option's value and what is wrong with it.
        ConfigurationError: there is nothing usable at a place.
    """
    return [_parse_source(each) for each in given]


def _parse_source(given: str) -> dict[str, Any]:
    if given.lstrip().startswith("{"):
        fields = parse_argument(given, "--source")
    elif given.startswith("@"):
        fields = read_object(given, "--source")
    else:
        name, colon, source_type = given.rpartition(":")
        if not (name and colon and source_type):
            raise UnclearOptionError(
                f"--source {given}: write NAME:TYPE, such as notes:web, a JSON object, or @FILE."
            )
        fields = {"name": name, "source_type": source_type}
    try:
        source = ADD_SOURCE(fields, "")
    except ShapeError as error:
        # The whole may hold credentials.
        raise UnclearOptionError(f"--source {fields.get('name', '')}: {error}.") from None
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
