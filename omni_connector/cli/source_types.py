"""Source types that only the embedded manager has."""

from collections.abc import Iterable

from omni_connector.models.manifest import BUILT_IN_SOURCE_TYPES


def foreign(source_types: Iterable[object]) -> list[str]:
    """Return the source types of which a real manager can have no source (PROTOCOL, section 2)."""
    return [str(each) for each in source_types if each not in BUILT_IN_SOURCE_TYPES]


def note_on(source_types: Iterable[object]) -> str | None:
    """Return what is to be said of a connector none of whose source types is built in, else None."""
    listed = list(source_types)
    unknown = foreign(listed)
    if not listed or len(unknown) < len(listed):
        return None
    types = f"source type {unknown[0]}" if len(unknown) == 1 else f"source types {', '.join(unknown)}"
    return (
        f"Note: Omni has no {types}; the embedded manager takes any, a real one has sources of its own types only. "
        'Give the connector one of them, such as source_types = ["web"].'
    )
