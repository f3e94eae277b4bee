"""Configuring a source with its owner and its credential, in one step; credentials of further people."""

from __future__ import annotations

from typing import Any

from omni_connector.local.errors import LocalManagerError
from omni_connector.local.rows import CredentialRow, SourceRow
from omni_connector.local.services import Services
from omni_connector.local.strict_json import JSON
from omni_connector.local.vocabulary import NEUTRAL_PROVIDER, PROVIDER_OF_SOURCE_TYPE, SOURCE_TYPES


def configure_source(
    services: Services,
    *,
    source_type: str,
    source_id: str | None = None,
    name: str | None = None,
    config: JSON = None,
    credentials: JSON = None,
    provider: str | None = None,
    auth_type: str = "api_key",
    principal_email: str | None = None,
    owner_email: str = "owner@example.com",
    scope: str = "org",
    **columns: Any,
) -> SourceRow:
    """Add or replace a source; see ``LocalManager.add_source`` for the arguments."""
    if source_type not in SOURCE_TYPES and not services.settings.allow_custom_source_types:
        raise LocalManagerError(400, f"unknown source type: {source_type}")
    owner = services.users.put(owner_email)
    source = services.sources.put(
        source_id,
        source_type=source_type,
        created_by=owner.id,
        name=name or source_type,
        config={} if config is None else config,
        scope=scope,
        **columns,
    )
    holder = owner.id if scope == "user" else None
    if credentials is None:
        services.credentials.remove(source.id, holder)
    else:
        store_credential(
            services,
            source,
            user_id=holder,
            provider=provider,
            auth_type=auth_type,
            credentials=credentials,
            principal_email=principal_email,
        )
    return source


def store_credential(
    services: Services,
    source: SourceRow,
    *,
    user_id: str | None,
    credentials: JSON,
    provider: str | None = None,
    auth_type: str = "api_key",
    config: JSON = None,
    principal_email: str | None = None,
    expires_at: int | None = None,
) -> CredentialRow:
    """Store the credential of a user (None: org-wide) for a source; ``expires_at`` is in microseconds.

    The provider is the usual one of the source's type unless given.
    """
    return services.credentials.put(
        source.id,
        user_id=user_id,
        provider=provider or PROVIDER_OF_SOURCE_TYPE.get(source.source_type) or NEUTRAL_PROVIDER,
        auth_type=auth_type,
        credentials=credentials,
        config={} if config is None else config,
        principal_email=principal_email,
        expires_at=expires_at,
    )
