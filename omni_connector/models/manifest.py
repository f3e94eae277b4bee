"""What a connector announces about itself (manager.openapi.yaml, ConnectorManifest)."""

from typing import Any

import attrs
from attrs import Factory, define, field, frozen

from omni_connector.models import fields
from omni_connector.models.plain import JsonValue
from omni_connector.models.sync import SyncMode

READ = "read"
WRITE = "write"

BUILT_IN_SOURCE_TYPES = frozenset(
    {
        "google_drive", "gmail", "google_chat", "confluence", "jira", "slack", "github", "local_files",
        "file_system", "web", "notion", "hubspot", "one_drive", "share_point", "outlook", "outlook_calendar",
        "ms_teams", "fireflies", "imap", "clickup", "linear", "paperless_ngx", "nextcloud", "google_ads",
        "darwinbox", "windshift",
    }
)  # fmt: skip
"""The types that a source row can have; an action may name no other (PROTOCOL, section 2)."""


def _known_modes(instance: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    fields.text_list(instance, attribute, value)
    for mode in value:
        fields.one_of(*SyncMode)(instance, attribute, mode)


def _no_parameters() -> dict[str, JsonValue]:
    return {"type": "object", "properties": {}}


@define(kw_only=True)
class ActionDefinition:
    """An action that agents and people can run.

    Attributes:
        name: as it arrives in ``execute_action``.
        description: what it does, for the model or the person who chooses it.
        input_schema: JSON Schema of its parameters; an object without ``$ref``, and without ``anyOf``,
            ``oneOf``, ``allOf`` at the top level.
        mode: ``read`` or ``write``.
        source_types: types it works for; empty means all built-in types of the connector.
        admin_only: only administrators may run it.
        hidden: not listed, but can be run.
        required_scopes: OAuth scopes it needs, or None.

    Raises:
        InvalidValueError: a value has the wrong type.
    """

    name: str = field(validator=fields.text(empty=False))
    description: str = field(validator=fields.text())
    input_schema: dict[str, Any] = field(factory=_no_parameters, validator=fields.json_object)
    mode: str = field(default=WRITE, converter=str, validator=fields.one_of(READ, WRITE))
    source_types: list[str] = field(
        default=Factory(list), converter=fields.to_text_list, validator=fields.text_list
    )
    admin_only: bool = field(default=False, validator=fields.boolean)
    hidden: bool = field(default=False, validator=fields.boolean)
    required_scopes: list[str] | None = field(default=None, validator=fields.optional(fields.text_list))

    def to_wire(self, source_types: list[str]) -> dict[str, JsonValue]:
        """Return the JSON object that is announced.

        Args:
            source_types: the connector's own types. The manager refuses to run an action whose list does not
                contain the source's type, so an action without types gets these (PROTOCOL, section 2).
        """
        own = self.source_types or [name for name in source_types if name in BUILT_IN_SOURCE_TYPES]
        wire = attrs.asdict(attrs.evolve(self, source_types=own))
        # Managers before 25 March 2026 read `parameters` and drop a manifest without it (PROTOCOL, section 18).
        return {**wire, "parameters": self.input_schema}


@define(kw_only=True)
class SearchOperator:
    """A word that people can put before a value in a search, such as ``status:open``.

    Attributes:
        operator: the word.
        attribute_key: the key in ``Document.attributes`` that it looks at.
        value_type: ``text``, ``person`` or ``datetime``.
    """

    operator: str = field(validator=fields.text(empty=False))
    attribute_key: str = field(validator=fields.text(empty=False))
    value_type: str = field(default="text", validator=fields.text())


@frozen(kw_only=True)
class ConnectorManifest:
    """The manifest, as it is registered and served.

    Attributes:
        name: the connector's name; also its ``connector_id``.
        version: of the connector.
        display_name: for people.
        sync_modes: modes that the manager may schedule.
        source_types: types of sources that it reads.
        connector_url: base address that the manager calls, without a trailing slash; empty when unknown.
    """

    name: str = field(validator=fields.text(empty=False))
    version: str = field(validator=fields.text())
    display_name: str = field(validator=fields.text())
    description: str | None = field(default=None, validator=fields.optional(fields.text()))
    sync_modes: list[str] = field(converter=fields.to_text_list, validator=_known_modes)
    source_types: list[str] = field(converter=fields.to_text_list, validator=fields.text_list)
    connector_url: str = field(default="", validator=fields.text())
    actions: list[ActionDefinition] = field(default=Factory(list), validator=fields.list_of(ActionDefinition))
    search_operators: list[SearchOperator] = field(
        default=Factory(list), validator=fields.list_of(SearchOperator)
    )

    def to_wire(self) -> dict[str, JsonValue]:
        """Return the JSON object that is registered and served; every key present."""
        return {
            "name": self.name,
            "display_name": self.display_name,
            "version": self.version,
            "description": self.description,
            "connector_id": self.name,
            "connector_url": self.connector_url,
            "integration_type": "connector",
            "sync_modes": [str(mode) for mode in self.sync_modes],
            "source_types": self.source_types,
            "actions": [action.to_wire(self.source_types) for action in self.actions],
            "search_operators": [attrs.asdict(operator) for operator in self.search_operators],
            "read_only": False,
            "extra_schema": None,
            "attributes_schema": None,
            "mcp_enabled": False,
            "mcp_catalog_loaded": False,
            "resources": [],
            "prompts": [],
            "skills": [],
            "oauth": None,
        }
