"""What a tap says of its settings: ``--about --format=json``, which taps made with singer-sdk have."""

import difflib
import json
import logging
from collections.abc import Mapping
from typing import Any

from omni_connector.bridges.singer_tap import TapCommand, TapError, TapFolder, said_by

log = logging.getLogger(__name__)

ABOUT = ("--about", "--format=json")


def settings_schema(command: TapCommand, folder: TapFolder) -> Mapping[str, Any]:
    """Return the JSON Schema of a tap's settings; an empty one of a tap that says nothing of them."""
    try:
        about = json.loads(said_by(command, folder, ABOUT))
    except (TapError, ValueError) as error:
        log.debug("The tap %s does not describe its settings: %s", command.name, error)
        return {}
    found = about.get("settings") if isinstance(about, dict) else None
    return found if isinstance(found, dict) else {}


def problems_of_config(command: TapCommand, folder: TapFolder, config: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the config of a tap, as far as the tap says which settings it has: names, no values."""
    schema = settings_schema(command, folder)
    known = schema.get("properties")
    if not isinstance(known, Mapping):
        return []
    problems = [
        f"tap_config: {name!r} is missing, which {command.name} needs"
        for name in schema.get("required", ())
        if config.get(name) is None and known.get(name, {}).get("default") is None
    ]
    # A setting that the tap does not list does no harm as a rule; one that looks like a listed one is a slip.
    for name in config:
        near = difflib.get_close_matches(name, [each for each in known if each not in config], 1, 0.75)
        if name not in known and near:
            problems.append(f"tap_config: {command.name} has no setting {name!r}; did you mean {near[0]!r}?")
    return problems
