"""The manager as the rest of the package sees it: every endpoint, on managers of every age."""

import copy
import threading
from collections.abc import Mapping
from typing import Any, Self

import requests

from omni_connector.config import Settings, is_http_address, manager_from_environ
from omni_connector.exceptions import ConfigurationError
from omni_connector.manager import endpoints
from omni_connector.manager.compatibility import Compatibility
from omni_connector.manager.content_calls import ContentCalls
from omni_connector.manager.event_calls import EventCalls
from omni_connector.manager.first_event import FirstEvents
from omni_connector.manager.gate import Gate, Permits
from omni_connector.manager.limit import AdaptiveLimit
from omni_connector.manager.means import Means, Owner
from omni_connector.manager.registration import Registration
from omni_connector.manager.retry import DEFAULT_POLICIES, Policies
from omni_connector.manager.run_calls import RunCalls
from omni_connector.manager.sender import Sender
from omni_connector.manager.sessions import (
    CONNECTIONS,
    close_pools,
    new_session,
    require_certificates,
    without_secrets,
)
from omni_connector.manager.source_calls import SourceCalls
from omni_connector.manager.wire import Wire
from omni_connector.manager.wires import wire_for
from omni_connector.manager_access import ManagerAccess
from omni_connector.models.json_values import JsonValue
from omni_connector.models.upstream_names import UpstreamCalls
from omni_connector.telemetry.call_observer import CallObserver
from omni_connector.telemetry.spans import CallTracer


class SdkClient(EventCalls, ContentCalls, RunCalls, SourceCalls, UpstreamCalls):
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
        parent = None if tracer is None else tracer.current()
        client._owner = Owner(stop, parent=parent)  # noqa: SLF001 - of this class.
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
            observer: is given each request with its duration and outcome; None for none.
            tracer: makes a span of each request; None for none.
        """
        self._sender.means.observer = observer
        self._sender.means.tracer = tracer

    def abort(self) -> None:
        """End the calls of this client at once, under way or waiting; to be used after its ``stop`` was set."""
        self._sender.abort(self._owner)

    def ping(self) -> None:
        """``GET /health``: return if the manager answers that it is healthy; tried once, for two seconds at most."""
        self._do(endpoints.health("probing"))

    def register(self, manifest: dict[str, JsonValue]) -> None:
        """``POST /sdk/register``; tried once, because it is repeated anyway.

        Args:
            manifest: as ``ConnectorManifest.to_wire()`` returns it.

        Raises:
            UnsupportedByManagerError: the manager takes no registrations.
        """
        Registration(self._do, self._compatibility, self.manager_url).send(manifest)
