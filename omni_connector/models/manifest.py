"""What a connector announces about itself (manager.openapi.yaml, ConnectorManifest)."""

from collections.abc import Mapping
from typing import Any

from attrs import Factory, define, field

from omni_connector.awaitables import AwaitableValue
from omni_connector.models import fields
from omni_connector.models.action_schema import inline_references, no_parameters, schema_of_parameters
from omni_connector.models.json_values import JsonValue
from omni_connector.models.mcp import McpPrompt, McpResource
from omni_connector.models.model import Model
from omni_connector.models.oauth import OAuthManifestConfig
from omni_connector.models.skills import SkillDefinition
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
"""The types that a source row can have; an action may name only these (PROTOCOL, section 2)."""


@fields.Rule
def _known_modes(value: Any) -> str | None:
    remedy = fields.text_list.remedy(value)
    if remedy is None and not set(value) <= set(SyncMode):
        remedy = f"give one of {', '.join(SyncMode)}"
    return remedy


@define(kw_only=True)
class ActionDefinition(Model):
    """An action that agents and people can run.

    Attributes:
        description: what it does, for the model or the person who chooses it.
        parameters: what connectors before March 2026 declared instead of ``input_schema``, which is made from it: a
            JSON Schema, or names with their ``type``, ``description``, ``default`` and ``required``.
        input_schema: JSON Schema of its parameters, an object. Local references are written out when it is announced;
            anything else that the manager rejects is reported at start, see ``action_schema``.
        mode: ``read`` or ``write``.
        source_types: types it works for; empty means all built-in types of the connector.
        admin_only: only administrators may run it.
        hidden: not listed, but can be run.
        required_scopes: OAuth scopes it needs, or None.
    """

    name: str = field(validator=fields.nonempty_text)
    description: str = field(validator=fields.text())
    parameters: dict[str, Any] | None = field(default=None, validator=fields.optional(fields.json_object))
    input_schema: dict[str, Any] = field(
        default=Factory(lambda self: _schema_of(self.parameters), takes_self=True),
        validator=fields.json_object,
    )
    mode: str = field(default=WRITE, converter=str, validator=fields.one_of(READ, WRITE))
    source_types: list[str] = field(factory=list, converter=fields.to_text_list, validator=fields.text_list)
    admin_only: bool = field(default=False, validator=fields.boolean)
    hidden: bool = field(default=False, validator=fields.boolean)
    required_scopes: list[str] | None = field(default=None, validator=fields.optional(fields.text_list))

    def to_wire(self, source_types: list[str]) -> dict[str, JsonValue]:
        """Return the JSON object that is announced.

        Args:
            source_types: the connector's own types. The manager refuses to run an action whose list does not
                contain the source's type, so an action without types gets these (PROTOCOL, section 2).
        """
        inlined = inline_references(self.input_schema)
        # Where a reference cannot be replaced, the schema is left as it is: messages name its own paths.
        schema = self.input_schema if inlined.problems else inlined.schema
        built_in = [each for each in source_types if each in BUILT_IN_SOURCE_TYPES]
        return {
            **self.model_dump(),
            "input_schema": schema,
            # Managers before 25 March 2026 read `parameters` and drop a manifest without it (PROTOCOL, section 18).
            "parameters": schema if self.parameters is None else self.parameters,
            "source_types": self.source_types or built_in,
        }


def _schema_of(parameters: dict[str, Any] | None) -> dict[str, JsonValue]:
    """Leave anything but a dict to the validator of ``parameters``."""
    return schema_of_parameters(parameters) if isinstance(parameters, Mapping) else no_parameters()


@define(kw_only=True)
class SearchOperator(Model):
    """A word that people can put before a value in a search, such as ``status:open``.

    ``attribute_key`` is the key in ``Document.attributes``; ``value_type`` is ``text``, ``person`` or ``datetime``.
    """

    operator: str = field(validator=fields.nonempty_text)
    attribute_key: str = field(validator=fields.nonempty_text)
    value_type: str = field(default="text", validator=fields.text())


@define(kw_only=True)
class ConnectorManifest(Model, AwaitableValue):
    """The manifest, as it is registered and served.

    Attributes:
        connector_id: key of the registration; the name unless given.
        connector_url: base address that the manager calls, without a trailing slash; empty when unknown.
        sync_modes: modes that the manager may schedule.
        read_only: the manager rejects actions that write.
        extra_schema: JSON Schema of ``DocumentMetadata.extra``, or None.
        attributes_schema: JSON Schema of ``Document.attributes``, or None; string properties of ``format: email``
            name people.
        mcp_enabled: the connector mirrors an MCP server.
        mcp_catalog_loaded: this manifest contains what that server offers.
        resources: what can be read with ``POST /resource``.
        prompts: what can be fetched with ``POST /prompt``.
        oauth: how people connect their own accounts, or None.
    """

    name: str = field(validator=fields.nonempty_text)
    version: str = field(validator=fields.text())
    display_name: str = field(validator=fields.text())
    description: str | None = field(default=None, validator=fields.optional_text)
    connector_id: str = field(
        default=Factory(lambda self: self.name, takes_self=True), validator=fields.nonempty_text
    )
    connector_url: str = field(default="", validator=fields.text())
    sync_modes: list[str] = field(converter=fields.to_text_list, validator=_known_modes)
    source_types: list[str] = field(factory=list, converter=fields.to_text_list, validator=fields.text_list)
    actions: list[ActionDefinition] = field(factory=list, validator=fields.list_of(ActionDefinition))
    search_operators: list[SearchOperator] = field(factory=list, validator=fields.list_of(SearchOperator))
    read_only: bool = field(default=False, validator=fields.boolean)
    extra_schema: dict[str, Any] | None = field(default=None, validator=fields.optional(fields.json_object))
    attributes_schema: dict[str, Any] | None = field(
        default=None, validator=fields.optional(fields.json_object)
    )
    mcp_enabled: bool = field(default=False, validator=fields.boolean)
    mcp_catalog_loaded: bool = field(default=False, validator=fields.boolean)
    resources: list[McpResource] = field(factory=list, validator=fields.list_of(McpResource))
    prompts: list[McpPrompt] = field(factory=list, validator=fields.list_of(McpPrompt))
    skills: list[SkillDefinition] = field(factory=list, validator=fields.list_of(SkillDefinition))
    oauth: OAuthManifestConfig | None = field(
        default=None,
        validator=fields.optional(
            fields.instance_of(OAuthManifestConfig, "give an OAuthManifestConfig or None")
        ),
    )

    def to_wire(self) -> dict[str, JsonValue]:
        """Return the JSON object that is registered and served; every key present."""
        return {
            **self.model_dump(),
            "integration_type": "connector",
            "sync_modes": [str(mode) for mode in self.sync_modes],
            "actions": [action.to_wire(self.source_types) for action in self.actions],
        }
