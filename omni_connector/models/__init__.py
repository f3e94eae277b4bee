"""The wire: what travels between a connector and the manager, as attrs classes and one codec."""

from omni_connector.models.action import ActionRequest, ActionResponse
from omni_connector.models.document import Document, DocumentMetadata, DocumentPermissions
from omni_connector.models.manifest import ActionDefinition, ConnectorManifest, SearchOperator
from omni_connector.models.sync import CancelRequest, RunProgress, Slot, SyncConfig, SyncMode, SyncRequest

__all__ = [
    "ActionDefinition",
    "ActionRequest",
    "ActionResponse",
    "CancelRequest",
    "ConnectorManifest",
    "Document",
    "DocumentMetadata",
    "DocumentPermissions",
    "RunProgress",
    "SearchOperator",
    "Slot",
    "SyncConfig",
    "SyncMode",
    "SyncRequest",
]
