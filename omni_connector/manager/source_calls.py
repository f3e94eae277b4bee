"""Asks for sources and what belongs to them, on managers of every age."""

from omni_connector.exceptions import NotFoundError, SdkClientError
from omni_connector.manager import endpoints
from omni_connector.manager.caller import Caller
from omni_connector.manager.compatibility import Feature
from omni_connector.models import ServiceCredential, SourceRow
from omni_connector.models.json_values import JsonValue
from omni_connector.models.sync import ABSENT, SyncConfig

NO_NATIVE_TYPE = "cannot be served to a native connector SDK"
"""How sync-config refuses a source whose type is not one of the built-in ones."""


class SourceCalls(Caller):
    """The calls about sources."""

    def sync_config(self, source_id: str) -> SyncConfig:
        """``GET /sdk/source/{id}/sync-config``; of the rows one by one where there is no such route, or not for this type.

        Raises:
            NotFoundError: there is no such source.
        """
        config: SyncConfig | None = None
        try:
            config = self._try(Feature.SYNC_CONFIG, endpoints.sync_config(source_id), otherwise=config)
        except SdkClientError as error:
            if NO_NATIVE_TYPE not in error.body:
                raise
        config = config or self._config_of_rows(source_id)
        if config.checkpoint is ABSENT:
            self._compatibility.note(Feature.CHECKPOINTS)
        else:
            self._compatibility.found(Feature.CHECKPOINTS)
        return config

    def source(self, source_id: str) -> SourceRow:
        """``GET /sdk/source/{id}``: the whole row, also of an inactive or deleted source.

        Raises:
            NotFoundError: there is no such source.
        """
        return self._do(endpoints.source(source_id))

    def user_email(self, source_id: str) -> str:
        """``GET /sdk/source/{id}/user-email``: the address of the user who made the source.

        Raises:
            NotFoundError: there is no such source.
        """
        return self._do(endpoints.user_email(source_id))

    def credentials(self, source_id: str) -> ServiceCredential:
        """``GET /sdk/credentials/{id}``: the owner's credential, with an OAuth token that is not about to expire.

        Raises:
            NotFoundError: there is no such source, or it has none.
        """
        return self._do(endpoints.credentials(source_id))

    def sources_by_type(self, source_type: str) -> list[SourceRow]:
        """``GET /sdk/sources/by-type/{type}``: the active sources of a type, newest first; perhaps none.

        Raises:
            UnsupportedByManagerError: the manager is older than 19 February 2026.
        """
        return self._do(endpoints.sources_by_type(source_type))

    def connector_config(self, provider: str) -> JsonValue:
        """``GET /sdk/connector-configs/{provider}``: what an administrator has set for ``provider``; empty when nothing."""
        try:
            return self._try(Feature.CONNECTOR_CONFIGS, endpoints.connector_config(provider), otherwise={})
        except NotFoundError:
            return {}

    def save_connector_state(self, source_id: str, state: JsonValue) -> None:
        """``PUT /sdk/source/{id}/connector-state``; nothing where the manager keeps its checkpoints there."""
        if self._compatibility.is_doubtful(Feature.CHECKPOINTS):
            return  # Also when the finding is old: the notes would take the place of the cursor.
        self._try(Feature.CONNECTOR_STATE, endpoints.connector_state(source_id, state), otherwise=False)

    def notify_webhook(self, source_id: str, event_type: str) -> str:
        """``POST /sdk/webhook/notify``: have the manager start an incremental sync; return the id of its run.

        The manager calls the connector's ``POST /sync`` before it answers, so that the process must be able to serve
        that meanwhile. Tried once: the sender of the webhook repeats it, and the schedule finds every change anyway.

        Args:
            source_id: the source in which something has changed.
            event_type: what has happened, for the manager's log.

        Raises:
            NotFoundError: there is no such source.
            RunConflictError: a sync of it is in progress, or a limit is reached.
        """
        return self._do(endpoints.webhook(source_id, event_type))

    def _config_of_rows(self, source_id: str) -> SyncConfig:
        """Put together what sync-config would say."""
        source = self.source(source_id)
        try:
            credentials = self.credentials(source_id).credentials
        except NotFoundError:
            credentials = {}
        return SyncConfig(
            config=source.config,
            credentials=credentials,
            connector_state=source.connector_state,
            checkpoint=source.checkpoint,
            source_type=source.source_type,
            user_filter_mode=source.user_filter_mode,
            user_whitelist=source.user_whitelist,
            user_blacklist=source.user_blacklist,
        )
