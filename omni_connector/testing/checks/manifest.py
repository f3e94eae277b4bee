"""The manifest and its schemas are what a manager accepts, and a source of such a type can exist."""

from collections.abc import Iterator

from omni_connector.connector_base.source_types import note_on_source_types
from omni_connector.exceptions import ConfigurationError
from omni_connector.models.manifest_rules import undispatchable_actions
from omni_connector.testing.announcement import checked_manifest
from omni_connector.testing.checks.bench import Bench
from omni_connector.testing.checks.finding import Finding


def find(bench: Bench) -> Iterator[Finding]:
    """Announce the connector and report everything for which a manager refuses it."""
    try:
        wire = checked_manifest(bench.connector)
    except ConfigurationError as error:
        for problem in error.problems:
            yield Finding(
                what=problem,
                where="manifest",
                why="The manager refuses the registration, so that no sync of the connector ever starts.",
                remedy="Change the attribute or schema that is named; omni-connector manifest shows the result.",
            )
        return
    note = note_on_source_types(wire["source_types"])
    if note is not None:
        yield Finding(
            what=note.partition(":")[0],
            where="source_types",
            why="A source can only be made with a built-in type.",
            remedy='Give the connector one of Omni\'s types, such as source_types = ["web"].',
            is_warning=True,
        )
    for name in undispatchable_actions(wire):
        yield Finding(
            what=f"No manager can run the action {name}.",
            where=f"action {name}",
            why="The manager runs an action only for sources of the types that the action lists.",
            remedy="Give the action, or the connector, one of Omni's source_types.",
            is_warning=True,
        )
