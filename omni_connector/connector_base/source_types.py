"""Source types of which no source can be made in Omni, and what to say about them."""

from omni_connector.models.manifest import BUILT_IN_SOURCE_TYPES

EVERY_TYPE = f"Omni's types: {', '.join(sorted(BUILT_IN_SOURCE_TYPES))}."


def note_on_source_types(source_types: object) -> str | None:
    """Return what is wrong with the types that no manager has (PROTOCOL, section 2), and what to do; None for others."""
    listed = list(source_types) if isinstance(source_types, (list, tuple)) else []
    unknown = [str(each) for each in listed if each not in BUILT_IN_SOURCE_TYPES]
    if not unknown:
        return None
    types = f"source type {unknown[0]}" if len(unknown) == 1 else f"source types {', '.join(unknown)}"
    return (
        f"Omni has no {types}: only the embedded manager can have such a source. Give the connector one of Omni's types, "
        'such as source_types = ["web"].'
    )
