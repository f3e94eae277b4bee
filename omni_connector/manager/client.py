"""The manager as the rest of the package sees it: every endpoint, on managers of every age."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import BinaryIO, NoReturn

import requests

from omni_connector.config import manager_url_from_environ
from omni_connector.exceptions import (
    ExtractionError,
    NotFoundError,
    SdkClientError,
    UnsupportedByManagerError,
)
from omni_connector.manager.compatibility import Compatibility, Feature
from omni_connector.manager.retry import DEFAULT_POLICIES, Policies
from omni_connector.manager.run_calls import RunCalls
from omni_connector.manager.source_calls import SourceCalls
from omni_connector.manager.transport import without_secrets
from omni_connector.models.manifest import BUILT_IN_SOURCE_TYPES
from omni_connector.models.plain import JsonValue
from omni_connector.models.sync import ABSENT, SyncConfig
from omni_connector.models.upstream_names import UpstreamCalls

NO_NATIVE_TYPE = "cannot be served to a native connector SDK"
"""How sync-config refuses a source whose type is not one of the built-in ones."""

NO_REGISTRATION = (
    "{operation}: this manager is older than 23 March 2026 and takes no registrations. Tell it this connector's address "
    "(CONNECTOR_GOOGLE_URL, CONNECTOR_WEB_URL, ...); it reads GET /manifest by itself"
)
NOT_A_MANAGER = (
    "what answers at {url} is not the connector-manager ({found}). Set CONNECTOR_MANAGER_URL to the manager's address, "
    "such as http://connector-manager:8090"
)
NO_MANAGER = "404 to POST /sdk/register, and GET /health does not answer as a manager does"
NO_EXTRACTION = (
    "{operation}: this manager is older than {since} and extracts no text from files: extract it in the connector, and "
    "give it as Document(content=...)"
)


class SdkClient(UpstreamCalls, RunCalls, SourceCalls):
    """Calls to one connector-manager: one method for each endpoint under ``/sdk``.

    Safe to use from many threads, inside a run and outside of any. It owns a ``requests.Session`` unless one is handed
    in; ``close`` it, or use it as a context manager. What a manager is too old for is done the old way, or left out, and
    the log says so once; see ``compatibility``.

    Every method raises:

    - ``ManagerUnreachableError`` when no answer came, ``ServiceOverloadedError`` for 429 and 503, however often it was
      tried;
    - ``UnsupportedByManagerError`` where the manager is too old and nothing can be done instead;
    - ``MalformedAnswerError`` when the answer is not what the protocol says;
    - another ``SdkClientError`` for every other refusal.

    Args:
        manager_url: base address, such as ``http://localhost:8090``.
        session: a session to use instead of an own one (headers, CA bundle, proxies are honoured).
        connections: how many connections are kept open.
        policies: when calls are repeated, and how long answers are waited for.

    Raises:
        ConfigurationError: ``manager_url`` is not an http or https address.
    """

    def __init__(
        self,
        manager_url: str,
        *,
        session: requests.Session | None = None,
        connections: int = 32,
        policies: Policies = DEFAULT_POLICIES,
    ) -> None:
        super().__init__(manager_url, session=session, connections=connections, policies=policies)
        self._compatibility = Compatibility()

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> "SdkClient":
        """Return a client of the manager that ``CONNECTOR_MANAGER_URL`` names.

        Args:
            environ: the process's own environment unless given.

        Raises:
            ConfigurationError: the variable is missing or no address.
        """
        return cls(manager_url_from_environ(environ))

    from_env = from_environ

    def register(self, manifest: dict[str, JsonValue]) -> None:
        """``POST /sdk/register``; tried once, because it is repeated anyway.

        Raises:
            UnsupportedByManagerError: the manager takes no registrations.
        """
        try:
            super().register(self._registrable(manifest))
        except SdkClientError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                raise self._not_registered(error) from error
            known = self._compatibility.lacks(Feature.SOURCE_TYPES)
            found = self._compatibility.note_unknown(error)
            if known or found is not Feature.SOURCE_TYPES:
                raise
            super().register(self._registrable(manifest))
            return
        self._compatibility.forget()

    def _not_registered(self, error: SdkClientError) -> SdkClientError:
        """Tell an old manager from an address at which there is no manager: both answer 404."""
        try:
            answer = self._call("GET", "/health", policy=self._policies.once)
        except SdkClientError:
            answer = None
        if answer == {"status": "healthy"}:
            return _retold(
                UnsupportedByManagerError, error, NO_REGISTRATION.format(operation=error.operation)
            )
        found = NO_MANAGER
        if isinstance(answer, dict) and answer.get("status") == "healthy" and "service" in answer:
            found = f"it is the connector {answer['service']!r}"
        url = without_secrets(self._transport.manager_url)
        return _retold(NotFoundError, error, NOT_A_MANAGER.format(url=url, found=found))

    def sync_config(self, source_id: str) -> SyncConfig:
        """``GET /sdk/source/{id}/sync-config``; of the rows one by one where there is no such route, or not for this type.

        Raises:
            NotFoundError: there is no such source.
        """
        fetch = super().sync_config
        try:
            config = self._compatibility.attempt(
                Feature.SYNC_CONFIG, lambda: fetch(source_id), lambda: self._config_of_rows(source_id)
            )
        except SdkClientError as error:
            if NO_NATIVE_TYPE not in error.body:
                raise
            config = self._config_of_rows(source_id)
        if config.checkpoint is ABSENT:
            self._compatibility.note(Feature.CHECKPOINTS)
        else:
            self._compatibility.found(Feature.CHECKPOINTS)
        return config

    def send_events(
        self, sync_run_id: str, source_id: str, events: Sequence[bytes], *, patient: bool = True
    ) -> Sequence[int]:
        """``POST /sdk/events/batch``, or one by one; events of kinds that the manager does not know are left out.

        Returns:
            The positions of those.

        Raises:
            SyncRunEndedError: the run is not running, or the source is gone.
        """
        batch, single = super().send_events, super().send_event

        def one_by_one(known: Sequence[bytes]) -> Sequence[int]:
            for event in known:
                single(sync_run_id, source_id, event, patient=patient)
            if not known:  # Asked to find out whether the manager is well.
                self.heartbeat(sync_run_id)
            return ()

        return self._known_only(
            events,
            lambda known: self._compatibility.attempt(
                Feature.BATCHES,
                lambda: batch(sync_run_id, source_id, known, patient=patient),
                lambda: one_by_one(known),
            ),
        )

    def send_event(
        self, sync_run_id: str, source_id: str, event: bytes, *, patient: bool = True
    ) -> Sequence[int]:
        """``POST /sdk/events``: as ``send_events`` with one."""
        single = super().send_event

        def send(known: Sequence[bytes]) -> Sequence[int]:
            return single(sync_run_id, source_id, known[0], patient=patient) if known else ()

        return self._known_only([event], send)

    def extract_content(
        self, sync_run_id: str, file: BinaryIO, *, mime_type: str, filename: str | None = None
    ) -> str:
        """``POST /sdk/extract-content``: store the text of a file, return its content id; see ``RunCalls``.

        Raises:
            ExtractionError: the file is damaged or too large, or the manager extracts nothing.
        """
        extract = super().extract_content
        return self._compatibility.attempt(
            Feature.EXTRACT_CONTENT,
            lambda: extract(sync_run_id, file, mime_type=mime_type, filename=filename),
            lambda: _extracts_nothing("POST /sdk/extract-content", Feature.EXTRACT_CONTENT),
        )

    def extract_text(
        self, sync_run_id: str, file: BinaryIO, *, mime_type: str, filename: str | None = None
    ) -> str:
        """``POST /sdk/extract-text``: return the text of a file; see ``RunCalls``.

        Raises:
            ExtractionError: the file is damaged or too large, or the manager extracts nothing.
        """
        extract = super().extract_text
        return self._compatibility.attempt(
            Feature.EXTRACT_TEXT,
            lambda: extract(sync_run_id, file, mime_type=mime_type, filename=filename),
            lambda: _extracts_nothing("POST /sdk/extract-text", Feature.EXTRACT_TEXT),
        )

    def add_updated(self, sync_run_id: str, count: int) -> None:
        """``POST /sdk/sync/{id}/updated``; left out where the manager counts no updates."""
        add = super().add_updated
        self._compatibility.attempt(Feature.UPDATED, lambda: add(sync_run_id, count), _nothing)

    def save_checkpoint(self, sync_run_id: str, checkpoint: JsonValue, *, source_id: str) -> None:
        """``PUT /sdk/sync/{id}/checkpoint``, else as the source's connector state, else only a heartbeat.

        In the last case nothing can be saved during a run: ``complete`` hands the checkpoint over.
        """
        save_checkpoint, save_state = super().save_checkpoint, super().save_connector_state
        self._compatibility.attempt(
            Feature.CHECKPOINTS,
            lambda: save_checkpoint(sync_run_id, checkpoint, source_id=source_id),
            lambda: self._compatibility.attempt(
                Feature.CONNECTOR_STATE,
                lambda: save_state(source_id, checkpoint),
                lambda: self.heartbeat(sync_run_id),
            ),
        )

    def save_connector_state(self, source_id: str, state: JsonValue) -> None:
        """``PUT /sdk/source/{id}/connector-state``; nothing where the manager keeps its checkpoints there."""
        if self._compatibility.is_doubtful(Feature.CHECKPOINTS):
            return  # Also when the finding is old: the notes would take the place of the cursor.
        save = super().save_connector_state
        self._compatibility.attempt(Feature.CONNECTOR_STATE, lambda: save(source_id, state), _nothing)

    def connector_config(self, provider: str) -> JsonValue:
        """``GET /sdk/connector-configs/{provider}``: what an administrator has set for a provider; empty when nothing."""
        fetch = super().connector_config
        return self._compatibility.attempt(Feature.CONNECTOR_CONFIGS, lambda: fetch(provider), dict)

    # -- the old ways -------------------------------------------------------------------------------------------

    def _known_only(
        self, events: Sequence[bytes], send: Callable[[Sequence[bytes]], Sequence[int]]
    ) -> Sequence[int]:
        """Send without the events whose kind the manager does not know; return their positions."""
        while True:
            left_out = self._compatibility.unknown_events(events)
            known = (
                [event for place, event in enumerate(events) if place not in left_out] if left_out else events
            )
            if left_out and not known:
                return left_out
            try:
                send(known)
            except SdkClientError as error:
                if self._compatibility.note_unknown(error) is None:
                    raise
                if self._compatibility.unknown_events(known) == []:
                    raise  # It names a kind that is none of these events'.
            else:
                self._compatibility.found_events(known)
                return left_out

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

    def _registrable(self, manifest: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """Leave out the source types that the manager does not know, unless none would remain."""
        if not self._compatibility.lacks(Feature.SOURCE_TYPES):
            return manifest
        known = [name for name in manifest.get("source_types") or () if name in BUILT_IN_SOURCE_TYPES]
        return {**manifest, "source_types": known} if known else manifest


def _extracts_nothing(operation: str, feature: Feature) -> NoReturn:
    raise ExtractionError(
        NO_EXTRACTION.format(operation=operation, since=feature.since), operation=operation, status=404
    )


def _retold(kind: type[SdkClientError], error: SdkClientError, message: str) -> SdkClientError:
    return kind(
        message,
        operation=error.operation,
        status=error.status,
        body=error.body,
        attempts=error.attempts,
    )


def _nothing() -> None:
    """There is no old way."""
