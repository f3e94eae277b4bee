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
from omni_connector.models.partition import Partition
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
from omni_connector.models.upstream_names import (
    CancelResponse,
    ConnectorEvent,
    DocumentEvent,
    EventType,
    GroupMembershipSyncEvent,
    PersonDeletedEvent,
    PersonSyncEvent,
    SdkSourceSyncData,
    SyncResponse,
)

# The names of the protocol's documents, which existing connectors import.
ConnectorSkillDefinition = SkillDefinition
McpPromptDefinition = McpPrompt
McpResourceDefinition = McpResource
OAuthCredentialReadyRequest = CredentialReadyRequest
PersonSyncRecord = PersonRecord

__all__ = [
    "ActionDefinition", "ActionHttpResponse", "ActionParameter", "ActionRequest", "ActionResponse",
    "CancelRequest", "CancelResponse", "ConnectorEvent", "ConnectorManifest", "ConnectorSkillDefinition",
    "Credential", "CredentialReadyRequest", "Document", "DocumentEvent", "DocumentMetadata",
    "DocumentPermissions", "EventType", "GroupMembership", "GroupMembershipSyncEvent", "McpPrompt",
    "McpPromptArgument", "McpPromptDefinition", "McpResource", "McpResourceDefinition",
    "OAuthCredentialReadyRequest", "OAuthManifestConfig", "OAuthScopeSet", "Partition", "PersonDeletedEvent",
    "PersonRecord", "PersonSyncEvent", "PersonSyncRecord", "PromptRequest", "ResourceRequest",
    "RunProgress", "SdkSourceSyncData", "SearchOperator", "ServiceCredential", "SkillDefinition",
    "SkillRequest", "SkillResponse", "Slot", "Source", "SourceRow", "SyncConfig", "SyncMode",
    "SyncRequest", "SyncResponse", "UserFilterMode",
]  # fmt: skip
