"""What a module of pages declares, and what its views are given."""

from collections.abc import Mapping
from typing import Final, cast

from attrs import define, field, frozen
from flask import Blueprint, current_app

from omni_connector.local import LocalManager
from omni_connector.typed.declared_types import DeclaredTypes

EXTENSION: Final = "omni_console"


@define(kw_only=True)
class Console:
    """What the pages show.

    Attributes:
        manager: the embedded manager.
        declared: what connectors of this process declare for their sources, by type of source; replaced when a connector is
            loaded again.
    """

    manager: LocalManager
    declared: Mapping[str, DeclaredTypes] = field(factory=dict)


@frozen
class Entry:
    """An entry of the navigation: its text, the endpoint of its page, and its place (the smallest is first)."""

    label: str
    endpoint: str
    position: int = 100


@frozen
class Page:
    """A module's views, and their entry in the navigation, or the name of the blueprint whose entry is theirs as well."""

    blueprint: Blueprint
    entry: Entry | None = None
    within: str = ""


def console() -> Console:
    """Return the console that serves this request."""
    return cast("Console", current_app.extensions[EXTENSION])
