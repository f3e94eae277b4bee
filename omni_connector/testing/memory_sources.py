"""What a manager in memory answers about sources: settings, credentials, owners and new runs."""

from http import HTTPStatus

import attrs
from attrs import define, field

from omni_connector.exceptions import NotFoundError
from omni_connector.models import ServiceCredential, SourceRow, SyncConfig
from omni_connector.models.codec import decode, encode
from omni_connector.models.json_values import JsonValue
from omni_connector.testing.call_log import CallLog


@define(eq=False)
class MemorySources(CallLog):
    """The calls of ``ManagerApi`` that are about sources. All of them may be used from several threads.

    Attributes:
        config: what ``sync_config`` answers; completed runs and saved connector states change it.
        owner_email: what ``user_email`` answers.
        sources: what ``source`` and ``sources_by_type`` answer, by id; one that is not there is made of ``config``.
        connector_configs: what ``connector_config`` answers, by provider.
    """

    config: SyncConfig = field(factory=SyncConfig)
    owner_email: str = "owner@example.com"
    sources: dict[str, SourceRow] = field(factory=dict)
    connector_configs: dict[str, JsonValue] = field(factory=dict)

    def sync_config(self, source_id: str) -> SyncConfig:
        """Return ``config``, whatever the source."""
        self._receive("sync_config", source_id=source_id)
        with self._changed:
            return self.config

    def user_email(self, source_id: str) -> str:
        """Return ``owner_email``, whatever the source."""
        self._receive("user_email", source_id=source_id)
        return self.owner_email

    def source(self, source_id: str) -> SourceRow:
        """Return the source, or one made of ``config``."""
        self._receive("source", source_id=source_id)
        with self._changed:
            return self.sources.get(source_id) or SourceRow(
                id=source_id,
                source_type=self.config.source_type or "web",
                config=self.config.config,
                connector_state=self.config.connector_state,
                checkpoint=self.config.checkpoint,
            )

    def credentials(self, source_id: str) -> ServiceCredential:
        """Return the credentials of ``config`` as a row.

        Raises:
            NotFoundError: it has none.
        """
        self._receive("credentials", source_id=source_id)
        with self._changed:
            if not self.config.credentials:
                raise NotFoundError(
                    f"Credentials not found for source: {source_id}", status=HTTPStatus.NOT_FOUND
                )
            return ServiceCredential(source_id=source_id, credentials=self.config.credentials)

    def sources_by_type(self, source_type: str) -> list[SourceRow]:
        """Return the active ones of ``sources``, the last added first."""
        self._receive("sources_by_type", source_type=source_type)
        with self._changed:
            found = [one for one in self.sources.values() if one.source_type == source_type]
        return [one for one in reversed(found) if one.is_active and not one.is_deleted]

    def connector_config(self, provider: str) -> JsonValue:
        """Return what ``connector_configs`` has, empty when nothing."""
        self._receive("connector_config", provider=provider)
        with self._changed:
            return self.connector_configs.get(provider, {})

    def notify_webhook(self, source_id: str, event_type: str) -> str:
        """Return the id of a run that is not dispatched."""
        self._receive("notify_webhook", source_id=source_id, event_type=event_type)
        return self._new_run_id()

    def create_run(self, source_id: str, sync_mode: str = "incremental") -> str:
        """Return the id of a new run."""
        self._receive("create_run", source_id=source_id, sync_mode=sync_mode)
        return self._new_run_id()

    def save_connector_state(self, source_id: str, state: JsonValue) -> None:
        """Replace the connector state in ``config``."""
        self._receive("save_connector_state", source_id=source_id, state=state)
        with self._changing():
            self.config = attrs.evolve(self.config, connector_state=decode(encode(state)))

    def _new_run_id(self) -> str:
        with self._changed:
            return f"run-of-call-{len(self.calls)}"
