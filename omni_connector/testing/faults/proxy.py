"""An HTTP proxy in front of a manager that breaks the calls that its plan names."""

import socket
import threading
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

from attrs import evolve

from omni_connector.manager import Policies, RetryPolicy, SdkClient
from omni_connector.testing.faults.connection import Connection, ProxiedCall
from omni_connector.testing.faults.listener import Listener
from omni_connector.testing.faults.messages import Head, HttpConnection
from omni_connector.testing.faults.plan import FaultPlan, endpoint_of
from omni_connector.testing.waiting import WaitsForCalls

_PATIENT = RetryPolicy(
    attempts=40,
    first_delay_seconds=0.002,
    longest_delay_seconds=0.05,
    longest_retry_after_seconds=0.05,  # The embedded manager asks for 30 s when it is busy with extractions.
    total_seconds=20.0,
)
QUICK = Policies(
    bulk=_PATIENT,
    answering=evolve(_PATIENT, attempts=5, total_seconds=5.0),
    counters=evolve(_PATIENT, unless_sent=True),
    extraction=_PATIENT,
)
"""Policies with short waits and many attempts, so that tests of many faults take little time."""

CONNECT_SECONDS = 10.0


class HasUrl(Protocol):
    """A running manager, such as ``LocalManager``."""

    @property
    def url(self) -> str:
        """Base address without a trailing slash."""
        ...


class FaultyManager(WaitsForCalls):
    """A proxy in front of a manager. A context manager; closes quickly and leaves nothing behind.

    Args:
        manager: a running manager, or the base address of one (http only).
        plan: which calls go wrong; an empty one unless given. It may be changed at any time.
        host: address to listen on; the port is a free one.

    Attributes:
        plan: the plan.

    Raises:
        ValueError: the address is not an http one.
    """

    def __init__(
        self, manager: HasUrl | str, *, plan: FaultPlan | None = None, host: str = "127.0.0.1"
    ) -> None:
        self._closed = True  # Until everything that needs closing exists.
        target = manager if isinstance(manager, str) else manager.url
        parts = urlsplit(target.rstrip("/"))
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"{target!r} is not the http address of a manager")
        self._target = (parts.hostname, parts.port or 80)
        self._host_header = parts.netloc.encode("latin-1")
        self._prefix = parts.path.encode("latin-1")
        self._host = host
        self.plan = FaultPlan() if plan is None else plan
        self._changed = threading.Condition()  # Protects everything below.
        self._calls: list[ProxiedCall] = []
        self._connections: set[Connection] = set()
        self._released = threading.Event()  # Another one after each release.
        self._ending = threading.Event()
        self._listener = Listener(host, self._handle)
        self._closed = False

    # -- its life -----------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Listen; the address accepts when this returns."""
        self._listener.listen()
        return self

    def close(self) -> None:
        """Break every connection and end every thread. Repeatable."""
        if self._closed:
            return
        self._closed = True
        self._ending.set()
        self._listener.close()  # No connection is added from here on.
        with self._changed:
            connections = list(self._connections)
            self._released.set()
            self._changed.notify_all()
        for connection in connections:
            connection.break_off()
        for connection in connections:
            connection.thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Base address, without a trailing slash."""
        return f"http://{self._host}:{self._listener.port}"

    def client(self, policies: Policies = QUICK) -> SdkClient:
        """Return a client that calls through here, for ``create_app``, ``serve_connector`` or ``run_sync``.

        They close it.

        Args:
            policies: how it repeats calls; by default with pauses of milliseconds, so that tests are quick.
        """
        return SdkClient(self.url, policies=policies)

    # -- faults by hand ------------------------------------------------------------------------------------

    def go_away(self, seconds: float = float("inf")) -> None:
        """Break all connections and refuse new ones, until the time is over or ``come_back`` is called.

        Args:
            seconds: for how long; by default until ``come_back``.
        """
        self._listener.refuse(seconds)
        with self._changed:
            connections = list(self._connections)
        for connection in connections:
            connection.break_off()

    def come_back(self) -> None:
        """Listen again."""
        self._listener.listen()

    def refuse(self, seconds: float) -> None:
        """Refuse new connections for a while; those that stand go on.

        Args:
            seconds: for how long.
        """
        self._listener.refuse(seconds)

    def release(self) -> None:
        """Break the connections of the calls that hang; later ones hang again."""
        with self._changed:
            released, self._released = self._released, threading.Event()
        released.set()

    # -- looking ------------------------------------------------------------------------------------------------

    @property
    def calls(self) -> list[ProxiedCall]:
        """Every call so far, in the order of arrival."""
        with self._changed:
            return list(self._calls)

    def calls_of(self, endpoint: str) -> list[ProxiedCall]:
        """Return the calls of one endpoint, by its name in ``ENDPOINTS``.

        Args:
            endpoint: such as ``events``.
        """
        return [call for call in self.calls if call.endpoint == endpoint]

    def _calls_so_far(self) -> str:
        return f"{len(self._calls)} calls so far"

    # -- for the connections ------------------------------------------------------------------------------------

    def connect(self) -> HttpConnection:
        """Return a connection to the manager behind.

        Raises:
            OSError: it is not there.
        """
        connected = socket.create_connection(self._target, CONNECT_SECONDS)
        connected.settimeout(None)  # A manager may take its time; closing ends the wait.
        return HttpConnection(connected)

    def forwarded(self, head: Head) -> bytes:
        """Return a request's head as the manager behind is to see it.

        Args:
            head: as it came from the connector.
        """
        method, path, version = head.start.split(b" ", 2)
        start = b"%b %b%b %b" % (method, self._prefix, path, version)
        return head.with_start(start, host=self._host_header).to_bytes()

    def begin(self, head: Head) -> ProxiedCall:
        """Note a call and choose its fault.

        Args:
            head: of the call's request.
        """
        method, path, _ = head.start.decode("latin-1").split(" ", 2)
        with self._changed:
            fault = self.plan.choose(method, path)
            call = ProxiedCall(len(self._calls) + 1, method, path, endpoint_of(method, path), fault)
            self._calls.append(call)
            self._changed.notify_all()
        return call

    def note(self, call: ProxiedCall, **changes: Any) -> None:
        """Write down what became of a call.

        Args:
            call: that ``begin`` returned.
            **changes: new values of its attributes.
        """
        with self._changed:
            for name, value in changes.items():
                setattr(call, name, value)
            self._changed.notify_all()

    def hang(self) -> None:
        """Wait for the release of the calls that hang."""
        with self._changed:
            released = self._released
        released.wait()

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than until the end."""
        self._ending.wait(seconds)

    def forget(self, connection: Connection) -> None:
        """Drop a connection that has ended.

        Args:
            connection: that has ended.
        """
        with self._changed:
            self._connections.discard(connection)

    def _handle(self, connected: socket.socket) -> None:
        connection = Connection(self, connected)
        with self._changed:
            self._connections.add(connection)
        connection.thread.start()
