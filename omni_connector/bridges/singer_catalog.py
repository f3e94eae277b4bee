"""A tap's catalogue: which of its streams are read, and how."""

import copy
import difflib
import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import frozen

from omni_connector.exceptions import ConfigurationError

Catalog = dict[str, Any]

Streams = Sequence[str] | Mapping[str, str | None] | None
"""Names of streams; with a mapping, each with its replication key, or None for the whole table each time. None: all."""


Selection = Sequence[str]
"""Patterns of the source's setting ``select``."""


@frozen
class _Pattern:
    """``stream.field``, both perhaps with ``*``; an empty field is all of them."""

    stream: str
    field: str
    is_exclusion: bool
    text: str

    @classmethod
    def of(cls, text: str) -> "_Pattern":
        stream, _, field = text.removeprefix("!").strip().partition(".")
        return cls(stream, field or "*", text.startswith("!"), text)

    def is_about(self, entry: Mapping[str, Any]) -> bool:
        return any(fnmatch.fnmatchcase(name, self.stream) for name in _names(entry))


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


def narrowed(catalog: Catalog, selection: Selection) -> Catalog:
    """Return the catalogue with only those of its selected streams and fields that the settings of a source name.

    Raises:
        ConfigurationError: the tap has no such stream or field.
    """
    if not selection:
        return catalog
    catalog = copy.deepcopy(catalog)
    entries = catalog.get("streams", [])
    patterns = [_Pattern.of(text) for text in selection]
    _require_matching(patterns, entries)
    for entry in entries:
        fields = {name for name in _fields(entry) if _is_selected(entry, name, patterns)}
        is_wanted = bool(entry.get("selected")) and (bool(fields) or _is_selected(entry, "", patterns))
        _select(entry, is_wanted=is_wanted)
        if is_wanted:
            _select_fields(entry, fields)
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


def _fields(entry: Mapping[str, Any]) -> list[str]:
    schema = entry.get("schema")
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    return list(properties) if isinstance(properties, Mapping) else []


def _is_selected(entry: Mapping[str, Any], field: str, patterns: Sequence[_Pattern]) -> bool:
    """Say whether patterns name a field, or, for an empty one, all of a stream without a schema; exclusions count more."""
    found = [
        each.is_exclusion
        for each in patterns
        if each.is_about(entry) and (fnmatch.fnmatchcase(field, each.field) if field else each.field == "*")
    ]
    has_only_exclusions = all(each.is_exclusion for each in patterns)
    return not any(found) and (bool(found) or has_only_exclusions)


def _select_fields(entry: dict[str, Any], fields: set[str]) -> None:
    metadata: list[dict[str, Any]] = entry["metadata"]
    known: dict[tuple[str, ...], dict[str, Any]] = {
        tuple(item.get("breadcrumb") or ()): item.setdefault("metadata", {}) for item in metadata
    }
    for name in _fields(entry):
        facts = known.get(("properties", name))
        if facts is None:
            facts = {}
            metadata.append({"breadcrumb": ["properties", name], "metadata": facts})
        if (
            facts.get("inclusion") != "unsupported"
        ):  # What is ``automatic`` is read nevertheless, the keys above all.
            facts["selected"] = name in fields


def _require_matching(patterns: Iterable[_Pattern], entries: Sequence[Mapping[str, Any]]) -> None:
    problems = []
    for pattern in patterns:
        about = [entry for entry in entries if pattern.is_about(entry)]
        fields = [name for entry in about for name in _fields(entry)]
        if not about:
            known = [name for entry in entries for name in _names(entry)]
            problems.append(f"select: {_unknown('stream', pattern.stream, known)}")
        elif fields and not fnmatch.filter(fields, pattern.field):
            problems.append(f"select: {pattern.text!r}: {_unknown('field', pattern.field, fields)}")
    if problems:
        raise ConfigurationError(problems)


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(names[:20]) or 'none'}"
    return f"the tap has no {kind} {name!r}; {hint}"


def _require_known(wanted: list[str], known: list[str]) -> None:
    problems = [f"streams: {_unknown('stream', name, known)}" for name in wanted if name not in known]
    if problems:
        raise ConfigurationError(problems)
