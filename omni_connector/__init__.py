"""Python SDK for writing Omni connectors.

A name is loaded when it is first used, so that importing the package costs next to nothing and the command line
answers at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from omni_connector._version import __version__

if TYPE_CHECKING:
    from omni_connector.actions import action
    from omni_connector.config import Settings
    from omni_connector.connector import Connector
    from omni_connector.exceptions import (
        ConfigurationError,
        ConnectorError,
        ContentTooLargeError,
        ExtractionError,
        InvalidDocumentError,
        InvalidValueError,
        MalformedAnswerError,
        ManagerUnreachableError,
        McpError,
        McpRefusedError,
        McpTimeoutError,
        McpUnavailableError,
        NotFoundError,
        PartitionsFailedError,
        RunConflictError,
        SdkClientError,
        ServiceOverloadedError,
        SyncCancelledError,
        SyncFinishedError,
        SyncInterruptedError,
        SyncRefusedError,
        SyncUnavailableError,
        TooManyErrorsError,
        UnsupportedByManagerError,
    )
    from omni_connector.inventory.cursor import Cursor
    from omni_connector.inventory.limits import DeletionLimits
    from omni_connector.manager import RetryPolicy, SdkClient
    from omni_connector.masking import register_secret
    from omni_connector.models import (
        ActionDefinition,
        ActionParameter,
        ActionRequest,
        ActionResponse,
        CancelRequest,
        CancelResponse,
        ConnectorEvent,
        ConnectorManifest,
        ConnectorSkillDefinition,
        Credential,
        CredentialReadyRequest,
        Document,
        DocumentEvent,
        DocumentMetadata,
        DocumentPermissions,
        EventType,
        GroupMembershipSyncEvent,
        McpPrompt,
        McpPromptArgument,
        McpPromptDefinition,
        McpResource,
        McpResourceDefinition,
        OAuthCredentialReadyRequest,
        OAuthManifestConfig,
        OAuthScopeSet,
        Partition,
        PersonDeletedEvent,
        PersonRecord,
        PersonSyncEvent,
        PersonSyncRecord,
        PromptRequest,
        ResourceRequest,
        SdkSourceSyncData,
        SearchOperator,
        ServiceCredential,
        SkillDefinition,
        SkillRequest,
        SkillResponse,
        Source,
        SourceRow,
        SyncMode,
        SyncRequest,
        SyncResponse,
        UserFilterMode,
    )
    from omni_connector.models.mcp import ToolResult
    from omni_connector.models.mcp_servers import HttpMcpServer, McpServer, StdioMcpServer
    from omni_connector.sync.content import ContentStorage
    from omni_connector.sync.context import SyncContext
    from omni_connector.sync.inventory import Inventory
    from omni_connector.sync.ledger import ErrorLimits
    from omni_connector.typed import secret, setting

__all__ = [
    "ActionDefinition", "ActionParameter", "ActionRequest", "ActionResponse", "CancelRequest",
    "CancelResponse", "ConfigurationError", "Connector", "ConnectorError", "ConnectorEvent",
    "ConnectorManifest", "ConnectorSkillDefinition", "ContentStorage", "ContentTooLargeError",
    "Credential", "CredentialReadyRequest", "Cursor", "DeletionLimits", "Document", "DocumentEvent",
    "DocumentMetadata", "DocumentPermissions", "ErrorLimits", "EventType", "ExtractionError",
    "GroupMembershipSyncEvent", "HttpMcpServer", "InvalidDocumentError", "InvalidValueError", "Inventory",
    "MalformedAnswerError", "ManagerUnreachableError", "McpError", "McpPrompt", "McpPromptArgument",
    "McpPromptDefinition", "McpRefusedError", "McpResource", "McpResourceDefinition", "McpServer",
    "McpTimeoutError", "McpUnavailableError", "NotFoundError", "OAuthCredentialReadyRequest",
    "OAuthManifestConfig", "OAuthScopeSet", "Partition", "PartitionsFailedError", "PersonDeletedEvent",
    "PersonRecord", "PersonSyncEvent", "PersonSyncRecord", "PromptRequest", "ResourceRequest",
    "RetryPolicy", "RunConflictError", "SdkClient", "SdkClientError", "SdkSourceSyncData",
    "SearchOperator", "ServiceCredential", "ServiceOverloadedError", "Settings", "SkillDefinition",
    "SkillRequest", "SkillResponse", "Source", "SourceRow", "StdioMcpServer", "SyncCancelledError",
    "SyncContext", "SyncFinishedError", "SyncInterruptedError", "SyncMode", "SyncRefusedError",
    "SyncRequest", "SyncResponse", "SyncUnavailableError", "TooManyErrorsError", "ToolResult",
    "UnsupportedByManagerError", "UserFilterMode", "__version__", "action", "register_secret", "secret",
    "setting",
]  # fmt: skip

_HOMES = {
    "action": "actions",
    "Connector": "connector",
    "ContentStorage": "sync.content",
    "Cursor": "inventory.cursor",
    "DeletionLimits": "inventory.limits",
    "Inventory": "sync.inventory",
    "RetryPolicy": "manager",
    "SdkClient": "manager",
    "Settings": "config",
    "SyncContext": "sync.context",
    "ErrorLimits": "sync.ledger",
    "HttpMcpServer": "models.mcp_servers",
    "McpServer": "models.mcp_servers",
    "StdioMcpServer": "models.mcp_servers",
    "ToolResult": "models.mcp",
    "register_secret": "masking",
    "secret": "typed",
    "setting": "typed",
}
"""Modules of the names that are neither models nor exceptions."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES.get(name, "exceptions" if name.endswith("Error") else "models")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value  # Asked for once.
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
