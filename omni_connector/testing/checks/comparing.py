"""How the documents of two runs differ."""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from omni_connector.testing.results import ArrivedDocument

Index = Mapping[str, ArrivedDocument]

SHOWN = 3
"""Ids that a finding names."""


@attrs.frozen
class Difference:
    """What one set of documents has and another has not.

    Attributes:
        missing: ids that only the expected documents have.
        unexpected: ids that only the other ones have.
        changed: by id, the fields whose values differ.
    """

    missing: list[str]
    unexpected: list[str]
    changed: dict[str, list[str]]

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.changed)

    def __str__(self) -> str:
        parts = []
        if self.missing:
            parts.append(f"{counted(self.missing)} missing")
        if self.unexpected:
            parts.append(f"{counted(self.unexpected)} too many")
        if self.changed:
            fields = sorted({name for names in self.changed.values() for name in names})
            parts.append(f"{counted(self.changed)} different in {', '.join(fields)}")
        return ", ".join(parts)

    @property
    def where(self) -> str:
        """Some of the ids."""
        return named([*self.missing, *self.unexpected, *self.changed])


def compare(expected: Index, found: Index) -> Difference:
    """Return how ``found`` differs from ``expected``."""
    return Difference(
        missing=[name for name in expected if name not in found],
        unexpected=[name for name in found if name not in expected],
        changed={
            name: fields
            for name, document in expected.items()
            if name in found and (fields := list(_fields(document, found[name])))
        },
    )


def named(ids: Iterable[str]) -> str:
    """Return ``documents a, b, c and 7 more``."""
    ids = list(ids)
    rest = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return f"{'document' if len(ids) == 1 else 'documents'} {', '.join(map(repr, ids[:SHOWN]))}{rest}"


def counted(ids: Iterable[str]) -> str:
    """Return ``1 document``, ``2 documents``."""
    number = len(list(ids))
    return f"{number} document" if number == 1 else f"{number} documents"


def _fields(one: ArrivedDocument, other: ArrivedDocument) -> Iterable[str]:
    for attribute in attrs.fields(ArrivedDocument):
        yield from _paths(attribute.name, getattr(one, attribute.name), getattr(other, attribute.name))


def _paths(path: str, one: Any, other: Any) -> Iterable[str]:
    if one == other:
        return
    if isinstance(one, dict) and isinstance(other, dict):
        for key in {**one, **other}:
            yield from _paths(f"{path}.{key}", one.get(key), other.get(key))
    else:
        yield path
