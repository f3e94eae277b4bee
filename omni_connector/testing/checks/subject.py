"""The connector that is checked, and what only its author knows about it."""

from collections.abc import Callable

from attrs import field, frozen

from omni_connector.connector_base import ConnectorBase
from omni_connector.models.json_values import JsonValue
from omni_connector.typed.state_class import plain_state


@frozen(kw_only=True)
class Subject:
    """A connector with a source to try it on.

    Attributes:
        make: returns the connector; a new one at each call where possible, as a new process would have.
        config: the source's settings, a dict or an instance of the connector's class, as ``credentials`` and ``large_config``;
            kept as a dict.
        credentials: the source's secrets.
        source_type: the connector's first, if None.
        is_public: the source is open to everybody, so that its documents may be public.
        known_groups: groups that documents may name although this connector does not emit their members.
        remove_document: removes one document at the source and returns its id, or None where it does not know the id.
        large_config: settings of a large source, for the check of memory; None takes ``config``.
        timeout_seconds: how long one sync may take.
        interruptions: a run is interrupted at each of its saved states, and before each of its batches, up to so many of them; of
            more, at so many that are evenly spread.
    """

    make: Callable[[], ConnectorBase]
    config: JsonValue = field(factory=dict, converter=plain_state)
    credentials: JsonValue = field(factory=dict, converter=plain_state)
    source_type: str | None = None
    is_public: bool = False
    known_groups: frozenset[str] = frozenset()
    remove_document: Callable[[], str | None] | None = None
    large_config: JsonValue = field(default=None, converter=plain_state)
    timeout_seconds: float = 60.0
    interruptions: int = 25
