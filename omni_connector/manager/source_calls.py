"""What is asked about sources, each endpoint in a few lines; registration and webhooks with it."""

from omni_connector.exceptions import MalformedAnswerError, NotFoundError
from omni_connector.manager import refusals
from omni_connector.manager.calling import Caller, segment, structured, text_of
from omni_connector.models.codec import encode
from omni_connector.models.plain import JsonValue
from omni_connector.models.source import ServiceCredential, SourceRow
from omni_connector.models.sync import SyncConfig


class SourceCalls(Caller):
    """The endpoints of sources and connectors, none of which needs a run."""

    def register(self, manifest: dict[str, JsonValue]) -> None:
        """``POST /sdk/register``; tried once, because it is repeated anyway."""
        self._call("POST", "/sdk/register", manifest, policy=self._policies.once)

    def source(self, source_id: str) -> SourceRow:
        """``GET /sdk/source/{id}``: the whole row, also of an inactive or deleted source.

        Raises:
            NotFoundError: there is no such source.
        """
        path = f"/sdk/source/{segment(source_id)}"
        return structured(SourceRow, self._get(path), f"GET {path}")

    def sync_config(self, source_id: str) -> SyncConfig:
        """``GET /sdk/source/{id}/sync-config``: what one run needs. OAuth tokens may have expired; see ``credentials``.

        Raises:
            NotFoundError: there is no such source.
        """
        path = f"/sdk/source/{segment(source_id)}/sync-config"
        answer = self._call("GET", path, policy=self._policies.answering, bulk=True)
        return structured(SyncConfig, answer, f"GET {path}")

    def save_connector_state(self, source_id: str, state: JsonValue) -> None:
        """``PUT /sdk/source/{id}/connector-state``: replace the durable notes of a source."""
        path = f"/sdk/source/{segment(source_id)}/connector-state"
        self._call("PUT", path, encode(state), policy=self._policies.bulk, bulk=True)

    def user_email(self, source_id: str) -> str:
        """``GET /sdk/source/{id}/user-email``: the address of the user who made the source.

        Raises:
            NotFoundError: there is no such source.
        """
        path = f"/sdk/source/{segment(source_id)}/user-email"
        answer = self._call("GET", path, policy=self._policies.answering, tell=refusals.of_owner)
        return text_of(answer, "email", f"GET {path}")

    def credentials(self, source_id: str) -> ServiceCredential:
        """``GET /sdk/credentials/{id}``: the owner's credential, with an OAuth token that is not about to expire.

        Raises:
            NotFoundError: there is no such source, or it has none.
        """
        path = f"/sdk/credentials/{segment(source_id)}"
        return structured(ServiceCredential, self._get(path), f"GET {path}")

    def sources_by_type(self, source_type: str) -> list[SourceRow]:
        """``GET /sdk/sources/by-type/{type}``: the active sources of a type, newest first; perhaps none.

        Raises:
            UnsupportedByManagerError: the manager is older than 19 February 2026.
        """
        path = f"/sdk/sources/by-type/{segment(source_type)}"
        rows = self._get(path)
        if not isinstance(rows, list):
            raise MalformedAnswerError(
                f"GET {path}: the manager's answer is no list", field="body", operation=f"GET {path}"
            )
        return [structured(SourceRow, row, f"GET {path}") for row in rows]

    def connector_config(self, provider: str) -> JsonValue:
        """``GET /sdk/connector-configs/{provider}``: what an administrator has set for a provider; empty when nothing."""
        try:
            return self._get(f"/sdk/connector-configs/{segment(provider)}")
        except NotFoundError:
            return {}

    def notify_webhook(self, source_id: str, event_type: str) -> str:
        """``POST /sdk/webhook/notify``: have the manager start an incremental sync; return the id of its run.

        The manager calls the connector's ``POST /sync`` before it answers, so that the process must be able to serve
        that meanwhile. Tried once: whoever sent the webhook repeats it, and the schedule finds every change anyway.

        Args:
            source_id: the source in which something has changed.
            event_type: what has happened, for the manager's log.

        Raises:
            NotFoundError: there is no such source.
            RunConflictError: a sync of it is in progress, or a limit is reached.
        """
        body = {"source_id": source_id, "event_type": event_type}
        answer = self._call(
            "POST", "/sdk/webhook/notify", body, policy=self._policies.once, tell=refusals.of_webhook
        )
        return text_of(answer, "sync_run_id", "POST /sdk/webhook/notify")

    def _get(self, path: str) -> JsonValue:
        return self._call("GET", path, policy=self._policies.answering)
