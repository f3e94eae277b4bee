"""The names that existing Python connectors of this protocol, and their tests, import: all of them resolve."""

from __future__ import annotations

import importlib
import inspect

import pytest

ROOT = [
    "ActionDefinition",
    "ActionRequest",
    "ActionResponse",
    "CancelRequest",
    "CancelResponse",
    "ConfigurationError",
    "Connector",
    "ConnectorError",
    "ConnectorEvent",
    "ConnectorManifest",
    "ConnectorSkillDefinition",
    "ContentStorage",
    "Document",
    "DocumentEvent",
    "DocumentMetadata",
    "DocumentPermissions",
    "EventType",
    "GroupMembershipSyncEvent",
    "HttpMcpServer",
    "McpPromptArgument",
    "McpPromptDefinition",
    "McpResourceDefinition",
    "OAuthCredentialReadyRequest",
    "OAuthManifestConfig",
    "OAuthScopeSet",
    "PersonDeletedEvent",
    "PersonSyncEvent",
    "PersonSyncRecord",
    "PromptRequest",
    "ResourceRequest",
    "SdkClient",
    "SdkClientError",
    "SdkSourceSyncData",
    "SearchOperator",
    "SkillRequest",
    "SkillResponse",
    "Source",
    "StdioMcpServer",
    "SyncCancelledError",
    "SyncContext",
    "SyncMode",
    "SyncRequest",
    "SyncResponse",
    "UserFilterMode",
]
MODELS = [
    "ActionDefinition",
    "ActionParameter",
    "ActionRequest",
    "ActionResponse",
    "CancelRequest",
    "CancelResponse",
    "ConnectorEvent",
    "ConnectorManifest",
    "Document",
    "DocumentEvent",
    "DocumentMetadata",
    "DocumentPermissions",
    "EventType",
    "GroupMembershipSyncEvent",
    "OAuthManifestConfig",
    "OAuthScopeSet",
    "PersonDeletedEvent",
    "PersonSyncEvent",
    "PersonSyncRecord",
    "PromptRequest",
    "ResourceRequest",
    "SdkSourceSyncData",
    "SearchOperator",
    "SkillRequest",
    "Source",
    "SyncMode",
    "SyncRequest",
    "SyncResponse",
    "UserFilterMode",
]
NAMES = {
    "omni_connector": ROOT,
    "omni_connector.models": MODELS,
    "omni_connector.server": ["create_app"],
    "omni_connector.testing": [
        "OmniTestHarness",
        "SeedHelper",
        "count_events",
        "get_events",
        "wait_for_sync",
    ],
    "omni_connector.exceptions": [
        "ConfigurationError",
        "ConnectorError",
        "SdkClientError",
        "SyncCancelledError",
    ],
}
ALL = [(module, name) for module, names in NAMES.items() for name in names]


@pytest.mark.parametrize(("module", "name"), ALL, ids=lambda part: part)
def test_the_name_resolves(module, name):
    found = getattr(importlib.import_module(module), name)
    assert inspect.isclass(found) or inspect.isfunction(found)


def test_names_in_two_places_are_one_thing():
    places = {}
    for module, name in ALL:
        places.setdefault(name, set()).add(getattr(importlib.import_module(module), name))
    assert {name for name, found in places.items() if len(found) > 1} == set()
