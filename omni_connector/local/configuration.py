"""Configuring a source with its owner and its credential, in one step; credentials of further people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Required, TypedDict, cast

from attrs import frozen

from omni_connector.local.credentials import NewCredential
from omni_connector.local.errors import LocalManagerError
from omni_connector.local.rows import CredentialRow, SourceRow
from omni_connector.local.services import Services
from omni_connector.local.strict_json import JSON
from omni_connector.local.timestamps import to_microseconds
from omni_connector.local.vocabulary import NEUTRAL_PROVIDER, PROVIDER_OF_SOURCE_TYPE, SOURCE_TYPES


class CredentialColumns(TypedDict, total=False):
    """What stands in a credential's row beside the secrets.

    Attributes:
        provider: the usual one of the source's type if None.
        auth_type: ``api_key`` unless given.
        principal_email: whose account it is.
        config: ``{}`` if None.
        expires_at: when the token ends.
    """

    provider: str | None
    auth_type: str
    principal_email: str | None
    config: JSON
    expires_at: datetime | None


@frozen
class CredentialHolder:
    """Whose credential for which source; ``user_id`` None means org-wide."""

    source: SourceRow
    user_id: str | None = None


class SourceDescription(TypedDict, total=False):
    """A source with its owner and the owner's credential.

    Attributes:
        source_type: a built-in type or, unless the settings forbid it, any other: a leniency of this manager, see
            ``LocalSettings.allow_custom_source_types``.
        name: what lists show; the type if None.
        config: the source's configuration, ``{}`` if None.
        credentials: the secret part of the owner's credential. None leaves the source without a credential row, and
            without one no action can be executed; ``{}`` makes an empty row.
        source_id: the id to add or replace; a new ULID if None.
        sync_interval_seconds: None is never scheduled.
        scope: ``org``, or ``user`` for a personal source, whose credential belongs to the creator.
        owner_email: the creator; an administrator if not known yet. ``owner@example.com`` unless given.
        user_filter_mode: ``all``, ``whitelist`` or ``blacklist``.
        user_whitelist: addresses for that mode.
        user_blacklist: addresses for that mode.
        provider: column of the credential row; the usual one of the type if None.
        auth_type: column of the credential row; ``api_key`` unless given.
        principal_email: column of the credential row.
        integration_type: ``connector``, or ``remote_mcp`` for a source that no connector serves.
    """

    source_type: Required[str]
    name: str | None
    config: JSON
    credentials: JSON
    source_id: str | None
    sync_interval_seconds: int | None
    scope: str
    owner_email: str
    user_filter_mode: str
    user_whitelist: list[str] | None
    user_blacklist: list[str] | None
    provider: str | None
    auth_type: str
    principal_email: str | None
    integration_type: str


_UNLESS_GIVEN: dict[str, Any] = {
    "sync_interval_seconds": None,
    "user_filter_mode": "all",
    "user_whitelist": None,
    "user_blacklist": None,
    "integration_type": "connector",
}
"""Columns that a replaced source gets again."""


def configure_source(services: Services, description: SourceDescription) -> SourceRow:
    """Add or replace a source."""
    columns: dict[str, Any] = {**_UNLESS_GIVEN, **description}
    source_type, scope = columns.pop("source_type"), columns.pop("scope", "org")
    if source_type not in SOURCE_TYPES and not services.settings.allow_custom_source_types:
        raise LocalManagerError(400, f"unknown source type: {source_type}")
    owner = services.users.put(columns.pop("owner_email", "owner@example.com"))
    secrets = columns.pop("credentials", None)
    of_credential = CredentialColumns()
    if "provider" in columns:
        of_credential["provider"] = columns.pop("provider")
    if "auth_type" in columns:
        of_credential["auth_type"] = columns.pop("auth_type")
    if "principal_email" in columns:
        of_credential["principal_email"] = columns.pop("principal_email")
    config, name = columns.pop("config", None), columns.pop("name", None)
    source = services.sources.put(
        columns.pop("source_id", None),
        source_type=source_type,
        created_by=owner.id,
        name=name or source_type,
        config={} if config is None else config,
        scope=scope,
        **columns,
    )
    holder = owner.id if scope == "user" else None
    if secrets is None:
        services.credentials.remove(source.id, holder)
    else:
        store_credential(services, CredentialHolder(source, holder), secrets, of_credential)
    return source


def change_source(services: Services, source_id: str, changes: Mapping[str, Any]) -> SourceRow:
    """Change what ``changes`` names of a source, and nothing else; ``credentials`` are its owner's secrets.

    Raises ``LocalManagerError`` (404) for an unknown source.
    """
    columns = dict(changes)
    secrets = columns.pop("credentials", None)
    of_credential: dict[str, Any] = {
        name: columns.pop(name) for name in ("provider", "auth_type", "principal_email") if name in columns
    }
    if "owner_email" in columns:
        columns["created_by"] = services.users.put(columns.pop("owner_email")).id
    source = services.sources.change(source_id, **columns)
    if secrets is not None or of_credential:
        _change_credential(services, source, secrets, of_credential)
    return source


def _change_credential(
    services: Services, source: SourceRow, secrets: JSON, columns: Mapping[str, Any]
) -> None:
    """Change the credential of a source's owner; without secrets, only where there is one."""
    former = services.credentials.owner(source)
    if former is None and secrets is None:
        return
    if former is not None and secrets in (None, former.credentials) and not columns:
        return
    kept = CredentialColumns()
    if former is not None:
        kept = CredentialColumns(
            provider=former.provider,
            auth_type=former.auth_type,
            principal_email=former.principal_email,
            config=former.config,
        )
        secrets = former.credentials if secrets is None else secrets
    holder = CredentialHolder(source, source.created_by if source.scope == "user" else None)
    store_credential(services, holder, secrets, cast("CredentialColumns", {**kept, **columns}))


def store_credential(
    services: Services, holder: CredentialHolder, secrets: JSON, columns: CredentialColumns
) -> CredentialRow:
    """Store a credential, or replace the former one of the same holder."""
    source = holder.source
    config, expires_at = columns.get("config"), columns.get("expires_at")
    return services.credentials.put(
        NewCredential(
            source_id=source.id,
            user_id=holder.user_id,
            provider=columns.get("provider")
            or PROVIDER_OF_SOURCE_TYPE.get(source.source_type)
            or NEUTRAL_PROVIDER,
            auth_type=columns.get("auth_type", "api_key"),
            credentials=secrets,
            config={} if config is None else config,
            principal_email=columns.get("principal_email"),
            expires_at=None if expires_at is None else to_microseconds(expires_at),
        )
    )
