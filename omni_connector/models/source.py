"""Rows that the manager keeps: a source, and the credential of its owner (manager.openapi.yaml)."""

import datetime as dt
from typing import Any

from attrs import field, frozen

from omni_connector.models.model import Model
from omni_connector.models.sync import ABSENT, UserFilterMode, to_filter_mode


@frozen(kw_only=True)
class SourceRow(Model):
    """A configured source, as ``GET /sdk/source/{id}`` has it. Keys that an older manager leaves out have their defaults.

    Attributes:
        source_type: such as ``web``.
        integration_type: ``connector`` or ``remote_mcp``.
        config: its settings, as its connector defines them.
        is_active: syncs are dispatched for it.
        is_deleted: it is about to vanish, with its documents.
        scope: ``org``, or ``user`` for a personal one.
        user_filter_mode: ``all``, ``whitelist`` or ``blacklist``; both lists are of addresses.
        connector_state: durable notes, or None.
        checkpoint: the published checkpoint; ``ABSENT`` from managers before 8 June 2026.
        sync_interval_seconds: None is never.
        created_at: in UTC, as all times here.
        created_by: id of the user who made it.
    """

    id: str
    name: str = ""
    source_type: str
    integration_type: str = "connector"
    config: Any = None
    is_active: bool = True
    is_deleted: bool = False
    scope: str = "org"
    user_filter_mode: str = field(default=UserFilterMode.ALL, converter=to_filter_mode)
    user_whitelist: list[Any] | None = None
    user_blacklist: list[Any] | None = None
    connector_state: Any = None
    checkpoint: Any = ABSENT
    sync_interval_seconds: int | None = None
    created_at: dt.datetime | None = None
    updated_at: dt.datetime | None = None
    created_by: str | None = None


@frozen(kw_only=True)
class ServiceCredential(Model):
    """The credential of a source's owner, as ``GET /sdk/credentials/{id}`` has it; OAuth tokens are fresh.

    Attributes:
        user_id: whose it is; None is the organisation's.
        provider: such as ``google``.
        auth_type: such as ``api_key`` or ``oauth``.
        principal_email: the account that it acts as, or None.
        credentials: the secrets, as their provider defines them; never logged, not part of ``repr``.
        config: what belongs to them and is no secret.
        expires_at: in UTC, as all times here, or None.
        last_validated_at: when they were last found to work, or None.
    """

    id: str = ""
    source_id: str = ""
    user_id: str | None = None
    provider: str = ""
    auth_type: str = ""
    principal_email: str | None = None
    credentials: Any = field(default=None, repr=False)
    config: Any = None
    expires_at: dt.datetime | None = None
    last_validated_at: dt.datetime | None = None
    created_at: dt.datetime | None = None
    updated_at: dt.datetime | None = None
