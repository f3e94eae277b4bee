"""A tap's catalogue: which of its streams are read, and how."""

import copy
import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from omni_connector.exceptions import ConfigurationError

Catalog = dict[str, Any]

Streams = Sequence[str] | Mapping[str, str | None] | None
"""Names of streams; with a mapping, each with its replication key, or None for the whole table each time. None: all."""


def selected(catalog: Catalog, streams: Streams) -> Catalog:
    """Return the catalogue with these streams selected, and no other.

    Raises:
        ConfigurationError: the tap has no such stream.
    """
    catalog = copy.deepcopy(catalog)
    entries = catalog.get("streams", [])
    if streams is not None:
        _require_known(list(streams), [name for entry in entries for name in _names(entry)])
    for entry in entries:
        name = next((name for name in _names(entry) if streams is None or name in streams), None)
        _select(entry, is_wanted=name is not None)
        if name is not None and isinstance(streams, Mapping):
            _replicate(entry, streams[name])
    return catalog


def replication_methods(catalog: Catalog) -> dict[str, str]:
    """Return how each stream is read, by the catalogue: ``FULL_TABLE``, ``INCREMENTAL``, ...; those that it says."""
    found = {}
    for entry in catalog.get("streams", []):
        root = _root(entry)
        method = entry.get("replication_method") or root.get("replication-method")
        method = root.get("forced-replication-method") or method
        if isinstance(method, Mapping):
            method = method.get("replication-method")
        if isinstance(method, str) and "parent-tap-stream-id" not in root:
            found.update(dict.fromkeys(_names(entry), method))
    return found


def _names(entry: Mapping[str, Any]) -> list[str]:
    names = (entry.get("tap_stream_id"), entry.get("stream"), entry.get("stream_name"))
    return [name for name in names if isinstance(name, str)]


def _root(entry: Mapping[str, Any]) -> dict[str, Any]:
    for item in entry.get("metadata") or []:
        if not item.get("breadcrumb"):
            metadata: dict[str, Any] = item["metadata"]
            return metadata
    return {}


def _select(entry: dict[str, Any], *, is_wanted: bool) -> None:
    """Mark a stream, and its columns, in the ways that taps have looked for over the years."""
    metadata: list[dict[str, Any]] = entry.setdefault("metadata", [])
    if not any(not item.get("breadcrumb") for item in metadata):
        metadata.insert(0, {"breadcrumb": [], "metadata": {}})
    for item in metadata:
        facts = item.setdefault("metadata", {})
        if not item.get("breadcrumb"):
            facts["selected"] = is_wanted
        elif is_wanted and facts.get("inclusion") != "unsupported":
            facts.setdefault("selected", True)
    entry["selected"] = is_wanted
    if isinstance(entry.get("schema"), dict):
        entry["schema"]["selected"] = is_wanted


def _replicate(entry: dict[str, Any], key: str | None) -> None:
    root = _root(entry)
    method = "FULL_TABLE" if key is None else "INCREMENTAL"
    entry["replication_method"] = root["replication-method"] = method
    if key is None:
        root.pop("replication-key", None)
        entry.pop("replication_key", None)
    else:
        entry["replication_key"] = root["replication-key"] = key


def _require_known(wanted: list[str], known: list[str]) -> None:
    problems = []
    for name in wanted:
        if name in known:
            continue
        near = difflib.get_close_matches(name, known, 1)
        hint = (
            f"did you mean {near[0]!r}?" if near else f"it has {', '.join(sorted(set(known))[:20]) or 'none'}"
        )
        problems.append(f"streams: the tap has no stream {name!r}; {hint}")
    if problems:
        raise ConfigurationError(problems)
