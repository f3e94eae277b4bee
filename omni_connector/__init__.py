"""Python SDK for writing Omni connectors."""

from omni_connector._version import __version__
from omni_connector.config import Settings
from omni_connector.connector import Connector
from omni_connector.exceptions import (
    ConfigurationError,
    ConnectorError,
    InvalidDocumentError,
    InvalidValueError,
    ManagerUnreachableError,
    SdkClientError,
    ServiceOverloadedError,
    SyncCancelledError,
    SyncFinishedError,
    SyncInterruptedError,
)
from omni_connector.manager import RetryPolicy, SdkClient
from omni_connector.models import (
    ActionDefinition,
    ActionResponse,
    ConnectorManifest,
    Document,
    DocumentMetadata,
    DocumentPermissions,
    SearchOperator,
    SyncMode,
)
from omni_connector.sync.content import ContentStorage
from omni_connector.sync.context import SyncContext

__all__ = [
    "ActionDefinition",
    "ActionResponse",
    "ConfigurationError",
    "Connector",
    "ConnectorError",
    "ConnectorManifest",
    "ContentStorage",
    "Document",
    "DocumentMetadata",
    "DocumentPermissions",
    "InvalidDocumentError",
    "InvalidValueError",
    "ManagerUnreachableError",
    "RetryPolicy",
    "SdkClient",
    "SdkClientError",
    "SearchOperator",
    "ServiceOverloadedError",
    "Settings",
    "SyncCancelledError",
    "SyncContext",
    "SyncFinishedError",
    "SyncInterruptedError",
    "SyncMode",
    "__version__",
]
