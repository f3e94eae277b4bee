"""The source that a local run syncs: the same one at each run, so that the next run continues from the last."""

import hashlib
from collections.abc import Collection, Iterable
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
    former = known_source(manager.sources(), name, source_types, connector_name)
    usual = (
        [former.source_type] if former is not None and former.source_type in source_types else source_types
    )
    source_type = options.source_type or (usual[0] if usual else "")
    if source_type not in source_types:
        offered = ", ".join(source_types) or "none; give it source_types"
        raise ConfigurationError(
            f"--source-type {source_type}: {connector_name} does not read such a source. Its types: {offered}."
        )
    if former is None:
        source = manager.add_source(
            source_id=stable_source_id(connector_name, name),
            source_type=source_type,
            name=name,
            config=options.config,
            credentials=options.credentials or {},  # Without a row of them no action is run.
        )
    else:
        credentials = options.credentials
        if credentials is None and manager.credential(former.id) is None:
            credentials = {}
        source = manager.set_source(
            former.id,
            config=options.config,
            credentials=credentials,
            source_type=source_type,
            is_active=True,
        )
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
        if not (self.must_exist and self.name) and not (self.data_dir / DATABASE_NAME).is_file():
            return None
        sources, types = open_store(self.data_dir).sources(), connector.source_types
        found = known_source(sources, self.name or connector.name, types, connector.name)
        if found is None and self.must_exist and self.name:
            chosen([each for each in sources if each.source_type in types and not each.is_deleted], self.name)
        return found

    def credentials(self, source: SourceRow) -> dict[str, JsonValue] | None:
        """Return the credentials of a source, or None."""
        found = open_store(self.data_dir).credentials(source.id)
        return found if isinstance(found, dict) else None


def known_source(
    sources: Iterable[SourceRow], name: str, source_types: Collection[str] | None, connector_name: str = ""
) -> SourceRow | None:
    """Return the source that a command means by a name, or None where there is none yet: one rule for all commands.

    It is the one with this name or id, whichever command has made it. A command also knows the source that it has made
    under this name itself: by its id, and although it may have another name or type now.

    Args:
        sources: of the data directory.
        name: as it was typed.
        source_types: those that can be meant; None: all.
        connector_name: of the connector that makes it; empty for a command that has none.

    Raises:
        ConfigurationError: several sources have this name, and the command has made none of them.
    """
    live = [each for each in sources if not each.is_deleted]
    own = [each for each in live if each.id == stable_source_id(connector_name, name)]
    named = [
        each
        for each in live
        if name in {each.name, each.id} and (source_types is None or each.source_type in source_types)
    ]
    found = [each for each in named if each in own] or named or own
    if len(found) > 1:
        ids = ", ".join(each.id for each in found)
        raise ConfigurationError(f"Several sources are called {one_line(name)}. Give an id instead: {ids}.")
    return found[0] if found else None


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


@frozen
class GivenSource:
    """A source that ``manager --source`` gives.

    Attributes:
        whole: the arguments of ``LocalManager.add_source``.
        typed: those of them that were typed.
    """

    whole: dict[str, Any]
    typed: dict[str, Any]

    def put(self, manager: LocalManager) -> SourceRow:
        """Add the source, which is not scheduled yet, or change of a known one what was typed."""
        source_id, name, source_type = (self.whole[each] for each in ("source_id", "name", "source_type"))
        known = manager.sources()
        if source_id is None:
            former = known_source(known, name, [source_type])
        else:
            former = next((each for each in known if each.id == source_id and not each.is_deleted), None)
        if former is None:
            new = {"source_id": source_id or stable_source_id("", name), "sync_interval_seconds": None}
            return manager.add_source(**(self.whole | new))
        changes = {key: value for key, value in self.typed.items() if key != "source_id"}
        return manager.set_source(former.id, **changes, is_active=True)

    def interval_seconds(self, stored: int | None) -> int | None:
        """Return how often it is synced: as typed, or as stored, or as the real manager syncs new sources."""
        typed: int | None = self.whole["sync_interval_seconds"]
        return typed if "sync_interval_seconds" in self.typed else stored or SYNC_INTERVAL_SECONDS


def parse_sources(given: Iterable[str]) -> list[GivenSource]:
    """Return the source of each ``--source``.

    ``NAME:TYPE``, a JSON object, or the place of one after an ``@``: a file, ``@env:NAME``, ``@-``.

    Raises:
        UnclearOptionError: names the option's value and what is wrong with it.
        ConfigurationError: there is nothing usable at a place.
    """
    return [_parse_source(each) for each in given]


def _parse_source(given: str) -> GivenSource:
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
    return GivenSource(source, {key: source[key] for key in fields})


def stable_source_id(connector_name: str, source_name: str) -> str:
    """Return an id in the form of the manager's own (26 characters of Crockford base 32), always the same."""
    digest = hashlib.sha256(f"{connector_name}\0{source_name}".encode()).digest()
    number = int.from_bytes(digest[:16], "big")
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(5 * (_ULID_LENGTH - 1), -1, -5))
