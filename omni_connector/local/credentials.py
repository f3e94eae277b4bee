"""Stored credentials: keeping them, refreshing OAuth tokens, and choosing one for a call (PROTOCOL, section 16)."""

from __future__ import annotations

from typing import Any

import attrs
from attrs import frozen

from omni_connector.local.clock import Clock
from omni_connector.local.errors import LocalManagerError
from omni_connector.local.ids import new_ulid
from omni_connector.local.oauth import TokenRefresher, needs_refresh
from omni_connector.local.rows import CredentialRow, SourceRow, load
from omni_connector.local.settings import LocalSettings
from omni_connector.local.sources import storable_json
from omni_connector.local.store import Store, storable
from omni_connector.local.strict_json import JSON
from omni_connector.local.timestamps import to_microseconds

_TOKEN_KEYS = frozenset({"access_token", "refresh_token", "token", "token_type", "id_token"})
"""What a user must not inherit from the org-wide row."""


@frozen(kw_only=True)
class NewCredential:
    """A row to store.

    Attributes:
        user_id: whose; None is org-wide.
        expires_at: in microseconds, or None.
    """

    source_id: str
    user_id: str | None
    provider: str
    auth_type: str
    credentials: JSON
    config: JSON
    principal_email: str | None
    expires_at: int | None


@frozen
class Resolution:
    """What was found for a call: the credential to use, or why there is none."""

    credential: CredentialRow | None = None
    provider: str | None = None


class Credentials:
    """The ``credentials`` and ``connector_configs`` tables."""

    def __init__(
        self, store: Store, clock: Clock, settings: LocalSettings, refresher: TokenRefresher
    ) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._refresher = refresher

    def put(self, new: NewCredential) -> CredentialRow:
        """Add a credential, or replace the former one of the same user for the same source."""
        now = to_microseconds(self._clock.now())
        columns = {
            "provider": new.provider,
            "auth_type": new.auth_type,
            "principal_email": new.principal_email,
            "credentials": storable_json(new.credentials),
            "config": storable_json(new.config),
            "expires_at": new.expires_at,
            "updated_at": now,
        }
        assignments = ", ".join(f"{name} = excluded.{name}" for name in columns)
        with self._store.transaction() as db:
            db.execute(
                "INSERT INTO credentials (id, source_id, user_id, created_at, last_validated_at,"  # noqa: S608 - our own names.
                f" {', '.join(columns)}) VALUES (?, ?, ?, ?, NULL{', ?' * len(columns)})"
                f" ON CONFLICT (source_id, coalesce(user_id, '')) DO UPDATE SET {assignments}",
                (new_ulid(), new.source_id, new.user_id, now, *columns.values()),
            )
        stored = self._find(new.source_id, new.user_id)
        if stored is None:
            raise LocalManagerError(404, f"Source not found: {new.source_id}")
        return stored

    def remove(self, source_id: str, user_id: str | None) -> None:
        """Delete the credential of a user (None: org-wide) for a source, if there is one."""
        with self._store.transaction() as db:
            db.execute("DELETE FROM credentials WHERE source_id = ? AND user_id IS ?", (source_id, user_id))

    def owner(self, source: SourceRow) -> CredentialRow | None:
        """Return the owner's row: org-wide for sources of scope ``org``, the creator's for ``user``."""
        return self._find(source.id, source.created_by if source.scope == "user" else None)

    def fresh_owner(self, source: SourceRow) -> CredentialRow:
        """Return the owner's row with its OAuth token refreshed if need be.

        Raises ``LocalManagerError``: 404 when there is none, 500 when refreshing fails.
        """
        credential = self.owner(source)
        if credential is None:
            raise _not_found(source.id)
        return self._refreshed(credential)

    def for_action(
        self, source: SourceRow, user_id: str | None, *, admin_only: bool, has_oauth: bool
    ) -> Resolution:
        """Choose the credential of an action; raises ``LocalManagerError`` (404) when there is none."""
        org = self._find(source.id, None)
        if admin_only or user_id is None:
            return Resolution(self._refreshed(_existing(org, source.id)))
        resolution = self.for_user(source, user_id)
        if resolution.credential is not None:
            return resolution
        if org is not None and has_oauth:
            return Resolution(provider=org.provider)
        return Resolution(self._refreshed(_existing(org, source.id)))

    def for_user(self, source: SourceRow, user_id: str) -> Resolution:
        """Return the user's row merged over the org-wide one; no credential when the user has none."""
        own = self._find(source.id, user_id)
        if own is None:
            return Resolution()
        own = self._refreshed(own)
        org = self._find(source.id, None)
        return Resolution(own if org is None else _merged(org, own))

    def latest_of_provider(self, provider: str, source_types: list[str]) -> CredentialRow | None:
        """Return the per-user OAuth credential of a provider that was updated last, on a matching source."""
        with self._store.lookup() as db:
            rows = db.execute(
                "SELECT c.*, s.source_type FROM credentials c JOIN sources s ON s.id = c.source_id"
                " WHERE c.user_id IS NOT NULL AND c.auth_type = 'oauth' AND c.provider = ? AND NOT s.is_deleted"
                " ORDER BY c.updated_at DESC",
                (provider,),
            ).fetchall()
        for row in rows:
            values = dict(row)
            if values.pop("source_type") in source_types:
                return self._find(values["source_id"], values["user_id"])
        return None

    def put_config(self, provider: str, config: JSON) -> None:
        """Store a provider's configuration."""
        with self._store.transaction() as db:
            db.execute(
                "INSERT INTO connector_configs (provider, config) VALUES (?, ?)"
                " ON CONFLICT (provider) DO UPDATE SET config = excluded.config",
                (storable(provider), storable_json(config)),
            )

    def config(self, provider: str) -> JSON:
        """Return a provider's configuration; raises ``LocalManagerError`` (404) when there is none."""
        with self._store.lookup() as db:
            row = db.execute(
                "SELECT config FROM connector_configs WHERE provider = ?", (storable(provider),)
            ).fetchone()
        if row is None:
            raise LocalManagerError(404, f"Connector config not found for provider: {provider}")
        return load(row["config"])

    def _find(self, source_id: str, user_id: str | None) -> CredentialRow | None:
        with self._store.lookup() as db:
            row = db.execute(
                "SELECT * FROM credentials WHERE source_id = ? AND user_id IS ?", (source_id, user_id)
            ).fetchone()
        return None if row is None else CredentialRow.read(row)

    def _refreshed(self, credential: CredentialRow) -> CredentialRow:
        """Return the credential with a token that lasts; the caller holds no transaction."""
        now = to_microseconds(self._clock.now())
        margin = int(self._settings.oauth_refresh_margin_seconds * 1_000_000)
        if not needs_refresh(credential, now + margin):
            return credential
        try:
            config = self.config(credential.provider)
        except LocalManagerError:
            config = {}
        refreshed = self._refresher.refresh(credential, config)
        if refreshed is None:
            return credential
        tokens, lifetime_seconds = refreshed
        return self.put(
            NewCredential(
                source_id=credential.source_id,
                user_id=credential.user_id,
                provider=credential.provider,
                auth_type=credential.auth_type,
                credentials={**credential.credentials, **tokens},
                config=credential.config,
                principal_email=credential.principal_email,
                expires_at=now + int(lifetime_seconds * 1_000_000),
            )
        )


def _existing(credential: CredentialRow | None, source_id: str) -> CredentialRow:
    if credential is None:
        raise _not_found(source_id)
    return credential


def _not_found(source_id: str) -> LocalManagerError:
    return LocalManagerError(404, f"Credentials not found for source: {source_id}")


def _merged(org: CredentialRow, own: CredentialRow) -> CredentialRow:
    """Lay the user's row over the org-wide one, whose tokens are left out."""
    return attrs.evolve(
        own,
        credentials=_overlaid(org.credentials, own.credentials, without=_TOKEN_KEYS),
        config=_overlaid(org.config, own.config),
    )


def _overlaid(below: JSON, above: JSON, *, without: frozenset[str] = frozenset()) -> JSON:
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    inherited: dict[str, Any] = {key: value for key, value in below.items() if key not in without}
    return inherited | above
