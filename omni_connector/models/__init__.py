"""The wire: what travels between a connector and the manager, as attrs classes and one codec."""

from omni_connector.models.action import ActionHttpResponse, ActionRequest, ActionResponse
from omni_connector.models.document import Document, DocumentMetadata, DocumentPermissions
from omni_connector.models.manifest import ActionDefinition, ConnectorManifest, SearchOperator
from omni_connector.models.mcp import (
    McpPrompt,
    McpPromptArgument,
    McpResource,
    PromptRequest,
    ResourceRequest,
)
from omni_connector.models.oauth import CredentialReadyRequest, OAuthManifestConfig, OAuthScopeSet
from omni_connector.models.people import GroupMembership, PersonRecord
from omni_connector.models.records import ActionParameter, Credential, Source
from omni_connector.models.skills import SkillDefinition, SkillRequest, SkillResponse
from omni_connector.models.source import ServiceCredential, SourceRow
from omni_connector.models.sync import (
    CancelRequest,
    RunProgress,
    Slot,
    SyncConfig,
    SyncMode,
    SyncRequest,
    UserFilterMode,
)

# The names of the protocol's documents, which existing connectors import.
ConnectorSkillDefinition = SkillDefinition
McpPromptDefinition = McpPrompt
McpResourceDefinition = McpResource
OAuthCredentialReadyRequest = CredentialReadyRequest
PersonSyncRecord = PersonRecord

__all__ = [
    "ActionDefinition",
    "ActionHttpResponse",
    "ActionParameter",
    "ActionRequest",
    "ActionResponse",
    "CancelRequest",
    "ConnectorManifest",
    "ConnectorSkillDefinition",
    "Credential",
    "CredentialReadyRequest",
    "Document",
    "DocumentMetadata",
    "DocumentPermissions",
    "GroupMembership",
    "McpPrompt",
    "McpPromptArgument",
    "McpPromptDefinition",
    "McpResource",
    "McpResourceDefinition",
    "OAuthCredentialReadyRequest",
    "OAuthManifestConfig",
    "OAuthScopeSet",
    "PersonRecord",
    "PersonSyncRecord",
    "PromptRequest",
    "ResourceRequest",
    "RunProgress",
    "SearchOperator",
    "ServiceCredential",
    "SkillDefinition",
    "SkillRequest",
    "SkillResponse",
    "Slot",
    "Source",
    "SourceRow",
    "SyncConfig",
    "SyncMode",
    "SyncRequest",
    "UserFilterMode",
]
