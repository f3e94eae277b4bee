"""The manager as the rest of the package sees it: every endpoint, on managers of every age."""

import copy
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO, Self, TypeVar

import requests

from omni_connector.config import Settings, is_http_address, manager_from_environ
from omni_connector.exceptions import (
    ConfigurationError,
    NotFoundError,
    SdkClientError,
    UnsupportedByManagerError,
)
from omni_connector.manager import endpoints
from omni_connector.manager.calls import Call
from omni_connector.manager.compatibility import Compatibility, Feature
from omni_connector.manager.extraction import Extraction
from omni_connector.manager.first_event import FirstEvents
from omni_connector.manager.gate import Gate, Permits
from omni_connector.manager.limit import AdaptiveLimit
from omni_connector.manager.means import Means, Owner
from omni_connector.manager.multipart import KeptOpen
from omni_connector.manager.pending import Pending
from omni_connector.manager.registration import Registration
from omni_connector.manager.retry import DEFAULT_POLICIES, Policies
from omni_connector.manager.sender import Sender
from omni_connector.manager.sessions import (
    CONNECTIONS,
    close_pools,
    new_session,
    require_certificates,
    without_secrets,
)
from omni_connector.manager.wire import Wire
from omni_connector.manager.wires import wire_for
from omni_connector.manager_access import ManagerAccess
from omni_connector.models import RunProgress, ServiceCredential, SourceRow
from omni_connector.models.codec import encode_text
from omni_connector.models.json_values import JsonValue
from omni_connector.models.sync import ABSENT, SyncConfig
from omni_connector.models.upstream_names import UpstreamCalls
from omni_connector.telemetry.call_observer import CallObserver
from omni_connector.telemetry.spans import CallTracer

T = TypeVar("T")

NO_NATIVE_TYPE = "cannot be served to a native connector SDK"
"""How sync-config refuses a source whose type is not one of the built-in ones."""


class SdkClient(UpstreamCalls):
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
        connections: how many connections an own session keeps open.
        policies: when calls are repeated, and how long answers are waited for.
        parallel_uploads: fixes the number of contents that are uploaded at once; left out, it adapts.
        wire: carries the requests, and is closed with the client; chosen by what is installed unless given.

    Raises:
        ConfigurationError: ``manager_url`` is not an http or https address, or a file with certificates cannot be read.
    """

    def __init__(
        self,
        manager_url: str,
        *,
        session: requests.Session | None = None,
        connections: int = CONNECTIONS,
        policies: Policies = DEFAULT_POLICIES,
        parallel_uploads: int | None = None,
        wire: Wire | None = None,
    ) -> None:
        self.manager_url = manager_url.rstrip("/")
        if not is_http_address(self.manager_url):
            raise ConfigurationError(
                "The address of the manager is not an http or https address; give one such as http://localhost:8090."
            )
        self._own_session = (
            new_session(self.manager_url, connections=connections) if session is None else None
        )
        session = session or self._own_session or requests.Session()
        require_certificates(self.manager_url, session)
        seconds = policies.connect_seconds
        means = Means(
            wire or wire_for(self.manager_url, session, connect_seconds=seconds),
            FirstEvents(self.manager_url, session, connect_seconds=seconds),
            without_secrets(self.manager_url),
            policies,
            Gate(AdaptiveLimit(parallel_uploads)),
        )
        self._sender = Sender(means)
        self._owner = Owner()
        self._compatibility = Compatibility()

    @property
    def parallel_uploads(self) -> int:
        """How many contents are being uploaded now."""
        return self._sender.means.uploads.inside

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> "SdkClient":
        """Return a client of the manager that ``CONNECTOR_MANAGER_URL`` names.

        Args:
            environ: the process's own environment unless given.

        Raises:
            ConfigurationError: the variable is missing or no address.
        """
        return cls._with(*manager_from_environ(environ))

    @classmethod
    def of(cls, settings: Settings) -> "SdkClient":
        """Return a client of the manager that the settings name, as patient as they say."""
        policies = Policies.patient_for(settings.retry_seconds)
        uploads = settings.parallel_uploads
        return cls._with(settings.manager_url, settings.access, policies=policies, parallel_uploads=uploads)

    @classmethod
    def _with(cls, manager_url: str, access: ManagerAccess, **arguments: Any) -> "SdkClient":
        """Return a client whose own session has what the settings say."""
        session = new_session(manager_url.rstrip("/"), access=access)
        client = cls(manager_url, session=session, **arguments)
        client._own_session = session
        return client

    from_env = from_environ

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every call that is under way, and release the connections, if this client opened them."""
        self._sender.close()
        if self._own_session is not None:
            close_pools(self._own_session)

    def for_run(self, stop: threading.Event) -> Self:
        """Return a client over the same connections whose calls ``abort`` ends; nothing is sent once ``stop`` is set."""
        client = copy.copy(self)
        tracer = self._sender.means.tracer
        span = None if tracer is None else tracer.current()
        client._owner = Owner(stop, span=span)  # noqa: SLF001 - of this class.
        return client

    def share_extractions(self, permits: Permits) -> None:
        """Have files extracted only with a permit, of which all processes of a connector have two.

        Args:
            permits: the permits, which are shared through the run store.
        """
        self._sender.share_extractions(permits)

    def observe(self, observer: CallObserver | None, tracer: CallTracer | None = None) -> None:
        """Let an observer and a tracer learn of every request, those for runs included.

        Args:
            observer: is given each request with its duration and outcome; None for nobody.
            tracer: makes a span of each request; None for none.
        """
        self._sender.means.observer = observer
        self._sender.means.tracer = tracer

    def abort(self) -> None:
        """End the calls of this client at once, under way or waiting; to be used after its ``stop`` was set."""
        self._sender.abort(self._owner)

    # -- documents ----------------------------------------------------------------------------------------------

    def send_events(
        self,
        sync_run_id: str,
        source_id: str,
        events: Sequence[bytes],
        *,
        patient: bool = True,
        insistent: bool = False,
    ) -> Sequence[int]:
        """``POST /sdk/events/batch``, or one by one: all or none. Without ``patient`` a refusal is reported at once.

        Args:
            sync_run_id: the run.
            source_id: its source.
            events: encoded ones, as of ``models.events``; each names the same run and source.
            patient: repeat the call while the manager is in trouble; a 500 only briefly, since one event may be to blame.
            insistent: repeat it for all the time after a 500, too.

        Returns:
            The positions of events that were left out, because the manager does not know their kind.

        Raises:
            SyncRunEndedError: the run is not running, or the source is gone.
        """
        while True:
            left_out = self._compatibility.unknown_events(events)
            known = [one for place, one in enumerate(events) if place not in left_out] if left_out else events
            if left_out and not known:
                return left_out
            try:
                if self._compatibility.lacks(Feature.BATCHES):
                    self._one_by_one(sync_run_id, source_id, known, patient=patient, insistent=insistent)
                else:
                    call = endpoints.events(
                        sync_run_id, source_id, known, patient=patient, insistent=insistent
                    )
                    self._sender.call(call, self._owner)
                    self._compatibility.found(Feature.BATCHES)
            except UnsupportedByManagerError:
                if not self._compatibility.missed(Feature.BATCHES):
                    raise
            except SdkClientError as error:
                if self._compatibility.note_unknown(error) is None:
                    raise
                if self._compatibility.unknown_events(known) == []:
                    raise  # It names a kind that is none of these events'.
            else:
                self._compatibility.found_events(known)
                return left_out

    def send_event(
        self, sync_run_id: str, source_id: str, event: bytes, *, patient: bool = True
    ) -> Sequence[int]:
        """``POST /sdk/events``: as ``send_events`` with one."""
        if self._compatibility.unknown_events([event]):
            return [0]
        try:
            self._do(endpoints.event(sync_run_id, source_id, event, patient=patient, insistent=True))
        except SdkClientError as error:
            if self._compatibility.note_unknown(error) is None or not self._compatibility.unknown_events(
                [event]
            ):
                raise
            return [0]
        self._compatibility.found_events([event])
        return ()

    def upload_text(self, sync_run_id: str, encoded: bytes, content_type: str | None = None) -> Pending[str]:
        """``POST /sdk/content`` with a text that is a JSON string already (``models.codec.encode_text``).

        Never blocks: it waits for its turn in the background, and is repeated there.

        Returns:
            Its content id to come. ContentTooLargeError comes through it when this manager takes no text of that size.
        """
        body = endpoints.content_body(sync_run_id, encoded, content_type)
        return self._sender.send(endpoints.CONTENT, self._owner, body)

    def store_text(self, sync_run_id: str, encoded: bytes, content_type: str | None = None) -> str:
        """``POST /sdk/content``, as ``upload_text``, in this thread; return the content id."""
        body = endpoints.content_body(sync_run_id, encoded, content_type)
        return self._sender.call(endpoints.CONTENT, self._owner, body)

    def upload_file(
        self, sync_run_id: str, open_file: Callable[[], BinaryIO], mime_type: str, filename: str | None
    ) -> Pending[str]:
        """``POST /sdk/extract-content``, as ``upload_text``: have the manager store the text of a file.

        Args:
            sync_run_id: the run.
            open_file: opens the file, which is seekable, for each attempt; closed after it.
            mime_type: its media type, without parameters.
            filename: its name, whose extension decides with ``application/octet-stream``.

        Returns:
            Its content id to come. ExtractionError comes through it when the file is damaged or too large, or the manager
            extracts nothing; OSError when it cannot be opened.
        """
        call = endpoints.extraction("/sdk/extract-content", sync_run_id, open_file, mime_type, filename)
        return self._extract(call, Feature.EXTRACT_CONTENT)

    def store_content(self, sync_run_id: str, content: str, content_type: str | None = None) -> str:
        """``POST /sdk/content``: store text, return its content id.

        Raises:
            ContentTooLargeError: this manager takes no text of that size.
        """
        return self.store_text(sync_run_id, encode_text(content), content_type)

    def extract_content(
        self, sync_run_id: str, file: BinaryIO, *, mime_type: str, filename: str | None = None
    ) -> str:
        """``POST /sdk/extract-content``: store the text of a file, return its content id.

        Args:
            sync_run_id: the run.
            file: seekable; it is streamed, and read again for another attempt.
            mime_type: its media type, without parameters.
            filename: its name, whose extension decides with ``application/octet-stream``.

        Raises:
            ExtractionError: the file is damaged or too large, or the manager extracts nothing.
        """
        return self.upload_file(sync_run_id, KeptOpen(file), mime_type, filename).result()

    def extract_text(
        self, sync_run_id: str, file: BinaryIO, *, mime_type: str, filename: str | None = None
    ) -> str:
        """``POST /sdk/extract-text``: return the text of a file; all else as for ``extract_content``."""
        call = endpoints.extraction("/sdk/extract-text", sync_run_id, KeptOpen(file), mime_type, filename)
        return self._extract(call, Feature.EXTRACT_TEXT).result()

    # -- runs ---------------------------------------------------------------------------------------------------

    def heartbeat(self, sync_run_id: str) -> None:
        """``POST /sdk/sync/{id}/heartbeat``: the run is alive; tried once."""
        self._do(endpoints.heartbeat(sync_run_id))

    def add_scanned(self, sync_run_id: str, count: int) -> None:
        """``POST /sdk/sync/{id}/scanned``; not repeated when it may have arrived."""
        self._do(endpoints.count("scanned", sync_run_id, count))

    def add_updated(self, sync_run_id: str, count: int) -> None:
        """``POST /sdk/sync/{id}/updated``; not repeated when it may have arrived, left out where none are counted."""
        self._try(Feature.UPDATED, endpoints.count("updated", sync_run_id, count), otherwise=False)

    def progress(self, sync_run_id: str) -> RunProgress | None:
        """``GET /sync/{id}/progress``: the first of its server-sent events; None for an unknown run."""
        return self._do(endpoints.progress(sync_run_id))

    def save_checkpoint(self, sync_run_id: str, checkpoint: JsonValue, *, source_id: str) -> None:
        """``PUT /sdk/sync/{id}/checkpoint``, else as the source's connector state, else only a heartbeat.

        In the last case nothing can be saved during a run: ``complete`` hands the checkpoint over.
        """
        for feature, call in (
            (Feature.CHECKPOINTS, endpoints.checkpoint(sync_run_id, checkpoint)),
            (Feature.CONNECTOR_STATE, endpoints.connector_state(source_id, checkpoint)),
        ):
            if self._try(feature, call, otherwise=False):
                return
        self.heartbeat(sync_run_id)

    def complete(self, sync_run_id: str, *, scanned: int, updated: int, new_state: JsonValue) -> None:
        """``POST /sdk/sync/{id}/complete``; the arguments are read by managers before 26 April 2026."""
        self._do(endpoints.complete(sync_run_id, scanned=scanned, updated=updated, new_state=new_state))

    def fail(self, sync_run_id: str, error: str) -> None:
        """``POST /sdk/sync/{id}/fail``."""
        self._do(endpoints.fail(sync_run_id, error))

    def create_run(self, source_id: str, sync_mode: str = "incremental") -> str:
        """``POST /sdk/sync/create``: open a run that the connector drives by itself; return its id.

        The manager asks the connector about it like about any other run, and takes it for lost when ``GET /sync/{id}``
        does not say that it is running: ``ConnectorService.own_run`` sees to that.

        Raises:
            NotFoundError: there is no such source.
            RunConflictError: its slot is taken, or a limit is reached.
        """
        return self._do(endpoints.create_run(source_id, sync_mode))

    def cancel_run(self, sync_run_id: str) -> None:
        """``POST /sdk/sync/cancel``: mark a run cancelled, without notifying the connector."""
        self._do(endpoints.cancel_run(sync_run_id))

    # -- sources, and the connector -----------------------------------------------------------------------------

    def ping(self) -> None:
        """``GET /health``: return if the manager answers that it is healthy; tried once, for two seconds at most."""
        self._do(endpoints.health("probing"))

    def register(self, manifest: dict[str, JsonValue]) -> None:
        """``POST /sdk/register``; tried once, because it is repeated anyway.

        Raises:
            UnsupportedByManagerError: the manager takes no registrations.
        """
        Registration(self._do, self._compatibility, self.manager_url).send(manifest)

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
        """``GET /sdk/connector-configs/{provider}``: what an administrator has set for a provider; empty when nothing."""
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

    # -- inside -------------------------------------------------------------------------------------------------

    def _do(self, call: Call[T]) -> T:
        return self._sender.call(call, self._owner)

    def _try(self, feature: Feature, call: Call[T], *, otherwise: T | None) -> T | None:
        """Return what the call does, or something else where the manager has no such route."""
        if not self._compatibility.lacks(feature):
            try:
                value = self._do(call)
            except UnsupportedByManagerError:
                if not self._compatibility.missed(feature):
                    raise
            else:
                self._compatibility.found(feature)
                return value
        return otherwise

    def _one_by_one(
        self, sync_run_id: str, source_id: str, events: Sequence[bytes], *, patient: bool, insistent: bool
    ) -> None:
        for event in events:
            call = endpoints.event(sync_run_id, source_id, event, patient=patient, insistent=insistent)
            self._do(call)
        if not events:  # Asked to find out whether the manager is well.
            self.heartbeat(sync_run_id)

    def _extract(self, call: Call[str], feature: Feature) -> Pending[str]:
        return Extraction(self._compatibility, feature).begin(self._sender, call, self._owner)

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
