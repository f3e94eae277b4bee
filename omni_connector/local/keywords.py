"""Keyword arguments that travel together (PEP 692): what a type checker refuses is refused at run time as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_type_hints


def check_keywords(function: str, given: Mapping[str, object], *described: type) -> None:
    """Raise ``TypeError`` when a function is given a keyword that none of these ``TypedDict`` classes has."""
    known = {name for each in described for name in get_type_hints(each)}
    unknown = sorted(set(given) - known)
    if unknown:
        raise TypeError(
            f"{function}() takes no argument {', '.join(map(repr, unknown))}; it takes {', '.join(sorted(known))}"
        )
