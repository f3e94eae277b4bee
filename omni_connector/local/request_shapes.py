"""Shapes of the request bodies, apart from events and manifests (manager.openapi.yaml)."""

from __future__ import annotations

from omni_connector.local.shapes import (
    Struct,
    any_json,
    boolean,
    defaulted,
    int32,
    json_object,
    list_of,
    nullable,
    one_of,
    optional,
    required,
    string,
)
from omni_connector.local.vocabulary import (
    AUTH_TYPES,
    PROVIDERS,
    SOURCE_SCOPES,
    SOURCE_TYPES,
    SYNC_TYPES,
    USER_FILTER_MODES,
)

STORE_CONTENT = Struct(
    "StoreContentRequest",
    (required("sync_run_id", string), required("content", string), optional("content_type", string)),
)
COUNT = Struct("IncrementRequest", (defaulted("count", int32, lambda: 1),))
FAIL = Struct("FailRequest", (required("error", string),))
OLD_COMPLETE = Struct(
    "CompleteRequest",
    (
        optional("documents_scanned", int32),
        optional("documents_updated", int32),
        defaulted("new_state", any_json, lambda: None),
    ),
)
"""Body of ``complete``, as managers before 26 April 2026 need it."""
CREATE_SYNC = Struct(
    "CreateSyncRequest", (required("source_id", string), required("sync_type", one_of(SYNC_TYPES)))
)
CANCEL_SYNC = Struct("CancelSyncRequest", (required("sync_run_id", string),))
WEBHOOK = Struct("WebhookNotification", (required("source_id", string), required("event_type", string)))
TRIGGER_SYNC = Struct(
    "TriggerSyncRequest", (required("source_id", string), optional("sync_mode", one_of(SYNC_TYPES)))
)
TRANSIENT_CREDENTIALS = Struct(
    "TransientCredentials",
    (
        required("provider", one_of(PROVIDERS)),
        required("auth_type", one_of(AUTH_TYPES)),
        optional("principal_email", string),
        required("credentials", any_json),
        defaulted("config", any_json, lambda: None),
    ),
    closed=True,
)
EXECUTE_ACTION = Struct(
    "ExecuteActionRequest",
    (
        optional("source_id", string),
        optional("user_id", string),
        required("action", string),
        defaulted("params", any_json, lambda: None),
        optional("source_type", one_of(SOURCE_TYPES)),
        optional("transient_credentials", TRANSIENT_CREDENTIALS),
    ),
)
READ_RESOURCE = Struct(
    "ResourceRequest",
    (required("source_id", string), optional("user_id", string), required("uri", string)),
)
GET_PROMPT = Struct(
    "PromptRequest",
    (
        required("source_id", string),
        optional("user_id", string),
        required("name", string),
        defaulted("arguments", any_json, lambda: None),
    ),
)
LOAD_SKILL = Struct(
    "SkillRequest",
    (
        required("skill_id", string),
        optional("source_id", string),
        defaulted("arguments", any_json, lambda: None),
    ),
)
CREDENTIAL_READY = Struct(
    "CredentialReadyRequest",
    (
        required("source_id", string),
        optional("user_id", string),
        required("provider", string),
        required("flow", string),
        defaulted("credentials", any_json, lambda: None),
    ),
)

ADD_SOURCE = Struct(
    "AddSource",
    (
        required("source_type", string),
        optional("source_id", string),
        optional("name", string),
        defaulted("config", json_object, dict),
        defaulted("credentials", any_json, lambda: None),
        optional("provider", one_of(PROVIDERS)),
        defaulted("auth_type", one_of(AUTH_TYPES), lambda: "api_key"),
        optional("principal_email", string),
        optional("sync_interval_seconds", int32),
        defaulted("scope", one_of(SOURCE_SCOPES), lambda: "org"),
        defaulted("owner_email", string, lambda: "owner@example.com"),
        defaulted("user_filter_mode", one_of(USER_FILTER_MODES), lambda: "all"),
        optional("user_whitelist", list_of(string)),
        optional("user_blacklist", list_of(string)),
    ),
    closed=True,
)
"""Body of ``POST /local/sources``: the arguments of ``LocalManager.add_source``."""

RESET_SOURCE = Struct("ResetSource", (defaulted("connector_state", boolean, lambda: False),), closed=True)
"""Body of ``POST /local/sources/{id}/reset``."""

ADD_USER = Struct(
    "AddUser",
    (required("email", string), optional("is_admin", boolean), optional("user_id", string)),
    closed=True,
)
"""Body of ``POST /local/users``: the arguments of ``LocalManager.add_user``."""

ADD_CREDENTIAL = Struct(
    "AddCredential",
    (
        required("source_id", string),
        optional("user_id", string),
        required("credentials", any_json),
        optional("provider", one_of(PROVIDERS)),
        defaulted("auth_type", one_of(AUTH_TYPES), lambda: "api_key"),
        defaulted("config", json_object, dict),
        optional("principal_email", string),
    ),
    closed=True,
)
"""Body of ``POST /local/credentials``: the arguments of ``LocalManager.add_credential``."""

SOURCE_CHANGES = {
    "name": string,
    "source_type": string,
    "is_active": boolean,
    "is_deleted": boolean,
    "config": json_object,
    "credentials": json_object,
    "sync_interval_seconds": nullable(int32),
    "user_filter_mode": one_of(USER_FILTER_MODES),
    "user_whitelist": nullable(list_of(string)),
    "user_blacklist": nullable(list_of(string)),
    "checkpoint": any_json,
    "connector_state": any_json,
}
"""Keys that ``PATCH /local/sources/{id}`` may change, each with its decoder."""
