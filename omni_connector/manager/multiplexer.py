"""Many requests at once from one thread, over keep-alive connections of its own.

Sixteen threads that each wait for an answer spend more time on handing the interpreter's lock around than on the wire; one
thread that waits for all connections at once does not (``benchmarks/RESULTS.md``, "pipelined"). Each connection carries
one request at a time. What gets no answer is handed back to whoever asked for it, to be repeated by the policy elsewhere:
nothing here waits for one request alone. For plain HTTP only; TLS and proxies take the threads of the upload pool.
"""

import contextlib
import logging
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from attrs import define, field

from omni_connector.manager.answer import Answer, LaneError, LaneResponse
from omni_connector.manager.lane import LONGEST_IDLE_SECONDS, ONE_SEND_BYTES, RECEIVE_BYTES, Lane
from omni_connector.pool import WorkerPool

log = logging.getLogger(__name__)

FIRST_LIMIT = 16
CONNECTING_THREADS = 4
"""Connections are made in threads: looking a name up blocks, and so does a host that does not answer."""
LONGEST_TICK_SECONDS = 1.0
"""How often time-outs are looked for while requests are under way."""

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


@define(eq=False)
class Job:
    """A request to be sent.

    Attributes:
        path: of the endpoint.
        parts: of its body, JSON.
        stop: it is not sent once this is set.
        done: called with the answer, or with why there is none, from the multiplexer's thread: it has to be quick.
        seconds: from its sending to its answer at most.
    """

    path: str
    parts: tuple[bytes, ...]
    stop: threading.Event
    done: Callable[[LaneResponse | LaneError], None]
    seconds: float


@define(eq=False)
class _Connection:
    """One connection; touched by the multiplexer's thread only."""

    socket: socket.socket
    idle_since: float
    job: Job | None = None
    answer: Answer = field(factory=Answer)
    unsent: list[memoryview] = field(factory=list)
    waits_to_send: bool = False
    spoiled: bool = False  # Not everything could be sent.
    used: bool = False
    deadline: float = 0.0  # For the whole answer ...
    patience: float = 0.0  # ... and for the next sign of life.


class Multiplexer:
    """Sends jobs over at most ``limit`` connections at once; its thread starts with the first. ``close`` it.

    Args:
        lane: how a request looks, and how to connect.
        name: of the thread.
        connect_seconds: for a new connection.
        read_seconds: for each wait for the manager.

    Attributes:
        limit: how many requests are under way at most; may be changed at any time.
    """

    def __init__(self, lane: Lane, *, name: str, connect_seconds: float, read_seconds: float) -> None:
        self.limit = FIRST_LIMIT
        self._lane = lane
        self._name = name
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        self._lock = threading.Lock()  # Protects the beginning and the end of the thread.
        self._thread: threading.Thread | None = None
        self._closing = False
        self._asleep = False  # The thread waits, or is about to: whoever brings work wakes it.
        # Filled by any thread, emptied by the multiplexer's; appending and popping are atomic.
        self._pending: deque[Job] = deque()
        self._made: deque[socket.socket | LaneError] = deque()
        self._aborted: deque[threading.Event] = deque()
        # The thread's own. What belongs to the kernel is made with the thread: processes that are forked before
        # (``gunicorn --preload``) would share it, and wait for each other's connections.
        self._rope: socket.socket | None = (
            None  # Something written to it comes out of the bell, and wakes the thread.
        )
        self._bell: socket.socket
        self._selector: selectors.BaseSelector
        self._connectors = WorkerPool(f"{name}-connect", CONNECTING_THREADS)
        self._connecting = 0
        self._idle: list[_Connection] = []
        self._busy: set[_Connection] = set()
        self._next_look = 0.0

    @property
    def waiting(self) -> int:
        """Jobs that are not under way yet; a snapshot."""
        return len(self._pending)

    def submit(self, job: Job) -> None:
        """Send a job as soon as its turn comes.

        Raises:
            RuntimeError: the multiplexer is closed.
        """
        if self._thread is None or self._closing:
            self._start()
        self._pending.append(job)
        if self._asleep:
            self._wake()
        if self._closing:  # Meanwhile: the thread may have looked for the last time.
            self._refuse_pending()

    def abort(self, stop: threading.Event) -> None:
        """Break the requests of those whose ``stop`` this is; it has been set before."""
        self._aborted.append(stop)
        self._wake()

    def close(self) -> None:
        """Break everything, close the connections and end the thread. Repeatable."""
        with self._lock:
            self._closing = True
            thread = self._thread
        self._wake()
        if thread is not None:
            thread.join()
        self._connectors.close(timeout_seconds=0.1)

    # -- called by any thread -----------------------------------------------------------------------------------

    def _start(self) -> None:
        with self._lock:
            if self._closing:
                raise RuntimeError(f"{self._name} is closed")
            if self._thread is None:
                self._bell, self._rope = socket.socketpair()
                self._rope.setblocking(False)  # noqa: FBT003 - the socket's own signature.
                self._selector = selectors.DefaultSelector()
                self._selector.register(self._bell, READ)
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def _wake(self) -> None:
        self._asleep = False  # One ring is enough.
        if self._rope is not None:
            with contextlib.suppress(BlockingIOError, OSError):  # Rung enough already, or closed.
                self._rope.send(b"!")

    # -- the thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._carry()
        except Exception:  # Nobody else carries what waits; whoever waits for it must hear of that.
            log.exception("%s has ended; contents are uploaded by threads from now on", self._name)
            with self._lock:
                self._closing = True
        finally:
            self._end()

    def _carry(self) -> None:
        while not self._closing:
            self._welcome_connections()
            self._break_aborted()
            self._begin_jobs()
            for connection, events in self._events():
                if events & WRITE and connection.unsent:
                    self._send(connection)
                if events & READ and connection.socket.fileno() >= 0:
                    self._receive(connection)
            self._look_for_timeouts()

    def _events(self) -> Iterator[tuple[_Connection, int]]:
        """Wait for something to happen."""
        self._asleep = True
        nothing_to_do = not (self._can_begin() or self._made or self._aborted or self._closing)
        tick = min(LONGEST_TICK_SECONDS, self._read_seconds / 4)
        ready = self._selector.select((tick if self._busy else None) if nothing_to_do else 0)
        self._asleep = False
        for key, events in ready:
            if key.data is None:
                self._bell.recv(RECEIVE_BYTES)
            else:
                yield key.data, events

    def _can_begin(self) -> bool:
        free = min(self.limit - len(self._busy), len(self._pending))
        return free > 0 and (bool(self._idle) or free > self._connecting)

    def _begin_jobs(self) -> None:
        while self._pending and len(self._busy) < self.limit:
            connection = self._idle_connection()
            if connection is None:
                self._make_connections()
                return
            job = self._pending.popleft()
            if job.stop.is_set():
                self._idle.append(connection)
                self._answer(job, LaneError("not sent, because the run was stopped", sent=False))
            else:
                self._begin(connection, job)

    def _begin(self, connection: _Connection, job: Job) -> None:
        connection.job = job
        self._busy.add(connection)  # Before anything that might fail, so that the job is not lost.
        head = self._lane.head(job.path, sum(map(len, job.parts)))
        now = time.monotonic()
        connection.answer = Answer()
        connection.deadline = now + job.seconds
        connection.patience = now + self._read_seconds
        if sum(map(len, job.parts)) <= ONE_SEND_BYTES:
            connection.unsent = [memoryview(b"".join((head, *job.parts)))]
        else:
            connection.unsent = [memoryview(part) for part in (head, *job.parts)]
        self._send(connection)

    def _send(self, connection: _Connection) -> None:
        """Send as much as the connection takes, and wait for it to take the rest."""
        unsent = connection.unsent
        try:
            while unsent:
                sent = connection.socket.sendmsg(unsent)
                connection.patience = (
                    time.monotonic() + self._read_seconds
                )  # The manager takes it, however slowly.
                while unsent and sent >= len(unsent[0]):
                    sent -= len(unsent.pop(0))
                if sent:
                    unsent[0] = unsent[0][sent:]
        except BlockingIOError:
            pass
        except OSError:
            # The manager may have answered before it had read everything (413, 429): see what it said.
            unsent.clear()
            connection.spoiled = True
            self._await(connection, sending=False)
            self._receive(connection)
            return
        self._await(connection, sending=bool(unsent))

    def _await(self, connection: _Connection, *, sending: bool) -> None:
        if sending is not connection.waits_to_send:
            connection.waits_to_send = sending
            self._selector.modify(connection.socket, READ | WRITE if sending else READ, connection)

    def _receive(self, connection: _Connection) -> None:
        answer = connection.answer
        trouble, in_order = "connection closed in the middle of the answer", True
        try:
            data = connection.socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            data, trouble, in_order = b"", f"{type(error).__name__}: {error}", False
        if connection.job is None:  # Closed by the manager, as idle connections are.
            self._idle.remove(connection)
            self._drop(connection)
            return
        if data:
            connection.patience = time.monotonic() + self._read_seconds
            try:
                answer.feed(data)
            except ConnectionError as error:
                self._break(connection, LaneError(f"{type(error).__name__}: {error}", sent=True))
                return
            if answer.complete:
                self._finish(connection)
        elif answer.ends_with_connection and in_order:
            self._finish(connection)
        elif connection.used and not answer.begun:  # It was closed while it was idle: take another.
            job = self._take_job(connection)
            self._drop(connection)
            self._pending.appendleft(job)
        else:
            self._break(connection, LaneError(trouble, sent=True))

    def _finish(self, connection: _Connection) -> None:
        answer = connection.answer
        job = self._take_job(connection)
        if answer.keep_alive and not connection.unsent and not connection.spoiled:
            connection.used = True
            connection.idle_since = time.monotonic()
            self._idle.append(connection)
        else:
            self._drop(connection)
        self._begin_jobs()  # Before anything else: the manager works on the next request while this answer is taken.
        self._answer(job, answer.response())

    def _break(self, connection: _Connection, error: LaneError) -> None:
        job = self._take_job(connection)
        self._drop(connection)
        self._answer(job, error)

    def _take_job(self, connection: _Connection) -> Job:
        job = connection.job
        if job is None:
            raise RuntimeError("an idle connection has no job")
        connection.job = None
        self._busy.discard(connection)
        return job

    def _drop(self, connection: _Connection) -> None:
        self._selector.unregister(connection.socket)
        connection.socket.close()

    def _answer(self, job: Job, outcome: LaneResponse | LaneError) -> None:
        try:
            job.done(outcome)
        except Exception:  # The thread carries everybody's requests; one callback must not end it.
            log.exception("The answer to %s could not be taken", job.path)

    # -- connections --------------------------------------------------------------------------------------------

    def _idle_connection(self) -> _Connection | None:
        """Return the connection that was used last, so that the others grow old and go."""
        oldest = time.monotonic() - LONGEST_IDLE_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.idle_since > oldest:
                return connection
            self._drop(connection)
        return None

    def _make_connections(self) -> None:
        wanted = min(self.limit - len(self._busy), len(self._pending)) - self._connecting
        for _ in range(wanted):
            self._connecting += 1
            self._connectors.submit(self._connect)

    def _connect(self) -> None:
        """Make a connection, in a thread of the connectors'."""
        try:
            made: socket.socket | LaneError = self._lane.connect(time.monotonic() + self._connect_seconds)
        except LaneError as error:
            made = error
        self._made.append(made)
        self._wake()
        if self._closing:
            self._close_made()

    def _welcome_connections(self) -> None:
        while self._made:
            made = self._made.popleft()
            self._connecting -= 1
            if isinstance(made, LaneError):
                if self._pending:
                    self._answer(self._pending.popleft(), made)
                continue
            made.setblocking(False)  # noqa: FBT003 - the socket's own signature.
            connection = _Connection(made, time.monotonic())
            self._selector.register(made, READ, connection)
            self._idle.append(connection)

    # -- what goes wrong ----------------------------------------------------------------------------------------

    def _break_aborted(self) -> None:
        while self._aborted:
            stop = self._aborted.popleft()
            for connection in [one for one in self._busy if one.job is not None and one.job.stop is stop]:
                self._break(connection, LaneError("aborted", sent=True))
            for _ in range(len(self._pending)):
                job = self._pending.popleft()
                if job.stop is stop:
                    self._answer(job, LaneError("not sent, because the run was stopped", sent=False))
                else:
                    self._pending.append(job)

    def _look_for_timeouts(self) -> None:
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + min(LONGEST_TICK_SECONDS, self._read_seconds / 4)
        for connection in [one for one in self._busy if now > min(one.deadline, one.patience)]:
            self._break(connection, LaneError("TimeoutError: timed out", sent=True))

    def _end(self) -> None:
        """Close what is open and say so to who waits; the thread ends."""
        for connection in list(self._busy):
            self._break(connection, LaneError("closed", sent=True))
        for connection in self._idle:
            self._drop(connection)
        self._close_made()
        self._refuse_pending()
        self._selector.close()
        self._bell.close()
        if self._rope is not None:
            self._rope.close()

    def _refuse_pending(self) -> None:
        """Say that they will not be sent; several threads may do so at once."""
        with contextlib.suppress(IndexError):
            while True:
                self._answer(self._pending.popleft(), LaneError("closed", sent=False))

    def _close_made(self) -> None:
        """Close connections that nobody will use; the one that is made last may come after the end."""
        with contextlib.suppress(IndexError):
            while True:
                made = self._made.popleft()
                if isinstance(made, socket.socket):
                    made.close()
