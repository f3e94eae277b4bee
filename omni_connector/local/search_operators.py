"""Search operators, ``name:value`` in a query: the manager's own, and those that manifests declare on attributes."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import frozen

from omni_connector.local.store import Store

BUILT_IN: Final = ("source", "type")

_OF_SOURCE = """d.source_id IN (
    SELECT id FROM sources WHERE lower(id) = :{value}
        OR unicode_lower(name) = :{value} OR lower(source_type) = :{value})"""
_OF_TYPE = """(lower(coalesce(d.content_type, '')) = :{value} OR lower(coalesce(d.content_type, '')) LIKE '%/' || :{value}
    OR lower(coalesce(json_extract(d.metadata, '$.mime_type'), '')) = :{value}
    OR lower(d.external_id) LIKE '%.' || :{value})"""
_CONDITIONS = {"source": _OF_SOURCE, "type": _OF_TYPE}

# A list, or an object, matches by any of its members.
_OF_ATTRIBUTE = "EXISTS (SELECT 1 FROM json_each(d.attributes, :{path}) v WHERE {comparison})"
_MEMBER = "CASE v.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE unicode_lower(CAST(v.value AS TEXT)) END"
_COMPARISONS = {
    "whole": f"{_MEMBER} = :{{value}}",
    "beginning": f"substr({_MEMBER}, 1, length(:{{value}})) {{sign}} :{{value}}",
    "word": f"instr(' ' || {_MEMBER}, ' ' || :{{value}}) > 0",
}
_COMPARED = re.compile(r"(?P<sign><=|>=|<|>)?(?P<value>.*)", re.DOTALL)
_NAMED = re.compile(r"(?<!\S)([^\W\d][\w-]*):(?=[^\s/])")


@frozen(kw_only=True)
class SearchOperator:
    """An operator that a manifest declares.

    Attributes:
        name: what stands before the colon, in lower case.
        attribute_key: of the documents' attributes.
        value_type: ``text``, ``person`` or ``datetime``; anything else counts as ``text``.
    """

    name: str
    attribute_key: str
    value_type: str

    def comparison(self, value: str) -> tuple[str, str]:
        """Return a comparison of what the attribute holds with a value, and that value as the comparison needs it.

        Case does not matter. A text is compared whole, or up to a ``*``. Of a person, the beginning of a word is enough:
        ``ann`` finds ``ann@example.com`` and ``Lee, Ann``. A moment is compared as far as it is given: ``2026-03`` is all of
        March; ``<``, ``<=``, ``>`` and ``>=`` may precede it.
        """
        if self.value_type == "datetime":
            found = _COMPARED.fullmatch(value)
            sign, value = (found["sign"] or "=", found["value"]) if found else ("=", value)
            return _COMPARISONS["beginning"].replace("{sign}", sign), value
        if self.value_type == "person":
            return _COMPARISONS["word"], value
        if value.endswith("*"):
            return _COMPARISONS["beginning"].replace("{sign}", "="), value.rstrip("*")
        return _COMPARISONS["whole"], value


@frozen
class SearchOperators:
    """The operators of a data directory, and what they mean for documents ``d``.

    Attributes:
        declared: by manifests; several may share a name, and one may have that of a built-in operator.
    """

    declared: tuple[SearchOperator, ...]

    @classmethod
    def known(cls, db: sqlite3.Connection) -> SearchOperators:
        """Read those that were declared last by each connector."""
        rows = db.execute(
            "SELECT DISTINCT name, attribute_key, value_type FROM search_operators ORDER BY name, attribute_key"
        )
        return cls(tuple(SearchOperator(**row) for row in rows))

    @property
    def names(self) -> tuple[str, ...]:
        """All names, each once; the built-in ones first."""
        return tuple(dict.fromkeys((*BUILT_IN, *(each.name for each in self.declared))))

    def unknown(self, query: str) -> list[str]:
        """Return what looks like an operator in a query, and is none here: it is searched for as words."""
        known = self.names
        return [name for name in dict.fromkeys(_NAMED.findall(query)) if name.lower() not in known]

    def conditions(self, uses: Iterable[tuple[str, str]]) -> tuple[list[str], dict[str, str]]:
        """Return the SQL conditions of these names and values, and the parameters that they refer to."""
        conditions, parameters = [], {}
        for number, (name, value) in enumerate(uses):
            place, alternatives = f"operator{number}", []
            if name in _CONDITIONS:
                parameters[place] = value
                alternatives.append(_CONDITIONS[name].format(value=place))
            for at, operator in enumerate(each for each in self.declared if each.name == name):
                at_value, path = f"{place}_{at}", f"{place}_{at}_path"
                comparison, parameters[at_value] = operator.comparison(value)
                parameters[path] = f'$."{operator.attribute_key}"'
                alternatives.append(
                    _OF_ATTRIBUTE.format(path=path, comparison=comparison.format(value=at_value))
                )
            conditions.append(f"({' OR '.join(alternatives)})")
        return conditions, parameters


def declare_operators(store: Store, manifest: Mapping[str, Any]) -> None:
    """Keep the search operators of a manifest in place of those that the connector has declared before."""
    connector_id = manifest["connector_id"]
    declared: dict[tuple[str, str], str] = {}
    for each in manifest.get("search_operators", ()):
        name, attribute_key = each["operator"].lower().rstrip(":"), each["attribute_key"]
        if name and '"' not in attribute_key:  # No path of SQLite's JSON can name such a key.
            declared[name, attribute_key] = each["value_type"]
    wanted = {(connector_id, *key, value_type) for key, value_type in declared.items()}
    with store.lookup() as db:
        rows = db.execute("SELECT * FROM search_operators WHERE connector_id = ?", (connector_id,))
        if {tuple(row) for row in rows} == wanted:
            return
    with store.transaction() as db:
        db.execute("DELETE FROM search_operators WHERE connector_id = ?", (connector_id,))
        db.executemany("INSERT INTO search_operators VALUES (?, ?, ?, ?)", wanted)
