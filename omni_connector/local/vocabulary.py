"""The closed lists of the wire (manager.openapi.yaml, components)."""

from __future__ import annotations

from typing import Final

SYNC_TYPES: Final = ("full", "incremental", "realtime")
INTEGRATION_TYPES: Final = ("connector", "remote_mcp")
USER_FILTER_MODES: Final = ("all", "whitelist", "blacklist")
SOURCE_SCOPES: Final = ("org", "user")
ACTION_MODES: Final = ("read", "write")
AUTH_TYPES: Final = ("jwt", "api_key", "basic_auth", "bearer_token", "bot_token", "oauth")

PROVIDER_OF_SOURCE_TYPE: Final = {
    "google_drive": "google",
    "gmail": "google",
    "google_chat": "google",
    "confluence": "atlassian",
    "jira": "atlassian",
    "slack": "slack",
    "github": "github",
    "local_files": None,
    "file_system": None,
    "web": None,
    "notion": "notion",
    "hubspot": "hubspot",
    "one_drive": "microsoft",
    "share_point": "microsoft",
    "outlook": "microsoft",
    "outlook_calendar": "microsoft",
    "ms_teams": "microsoft",
    "fireflies": "fireflies",
    "imap": "imap",
    "clickup": "clickup",
    "linear": "linear",
    "paperless_ngx": "paperless_ngx",
    "nextcloud": "nextcloud",
    "google_ads": "google_ads",
    "darwinbox": "darwinbox",
    "windshift": "windshift",
}
"""The built-in source types, each with the provider its credentials usually have."""

SOURCE_TYPES: Final = tuple(PROVIDER_OF_SOURCE_TYPE)

PROVIDERS: Final = (
    "google",
    "slack",
    "atlassian",
    "github",
    "microsoft",
    "notion",
    "hubspot",
    "fireflies",
    "imap",
    "clickup",
    "linear",
    "paperless_ngx",
    "nextcloud",
    "google_ads",
    "darwinbox",
    "remote_mcp",
    "windshift",
)

NEUTRAL_PROVIDER: Final = "remote_mcp"
"""Stands in where a source type has no provider of its own: the wire demands one of the list."""

REALTIME_CLASS: Final = "realtime"
SCHEDULED_CLASS: Final = "scheduled"


def slot_class(sync_type: str) -> str:
    """Return the slot class of a sync type: full and incremental runs share one (PROTOCOL, section 4)."""
    return REALTIME_CLASS if sync_type == "realtime" else SCHEDULED_CLASS


def shown_source_type(source_type: str) -> str:
    """Return a built-in type as it stands in texts of ``/action`` (``GoogleDrive``), others unchanged."""
    if source_type not in PROVIDER_OF_SOURCE_TYPE:
        return source_type
    return "".join(part.capitalize() for part in source_type.split("_"))
