"""The wire over libcurl: all requests of a process from one thread.

A handle belongs to the thread that performs it, and libcurl's objects must not be touched in a forked child. So all of them
live in a ``_Life``, from the first request until there have been none for a while; a child begins its own. Within
libcurl's callbacks nothing of libcurl may be called: they append to lists and answer from memory.
"""

import contextlib
import logging
import socket
import threading
import time
from collections import deque
from typing import Self

import pycurl
import requests

from omni_connector.forking import begins_anew
from omni_connector.manager.curl_exchange import Carrier, Exchange, Job
from omni_connector.manager.curl_options import LONGEST_IDLE_SECONDS, CurlOptions
from omni_connector.manager.curl_sockets import Sockets
from omni_connector.manager.wire import WireAbortedError, WireAnswer, WireError, WireRequest
from omni_connector.rounds import one_round

log = logging.getLogger(__name__)

MOST_AT_ONCE = 128
"""Requests under way; others wait here. In libcurl they would wait in no order, and their time would run."""
SMALLEST_VERSION = (7, 49)
CLOSED = "the connection to the manager was closed"
CLOSE_SECONDS = 2.0
"""libcurl's end waits for a look-up of a name that hangs. By then all requests are answered."""
_OF_THE_PARENT: list[object] = []
"""In a forked child: handles of the parent, which must not even be freed."""


class CurlWire:
    """A wire over libcurl. Its thread starts with the first request and ends when there are none. ``close`` it.

    Args:
        options: of every connection.
        name: of the thread.
    """

    def __init__(self, options: CurlOptions, *, name: str = "omni-wire-curl") -> None:
        self._options = options
        self._name = name
        self._lock = threading.Lock()  # Protects all below, and the moment in which a life ends.
        self._life: _Life | None = None
        self._closed = False
        self._carriers: deque[Carrier] = deque()  # Those that wait for a request, the last used one last ...
        self._carrying: set[Carrier] = set()  # ... and those that have one.
        begins_anew(self)

    @classmethod
    def for_session(
        cls, manager_url: str, session: requests.Session, *, connect_seconds: float
    ) -> Self | None:
        """Return a wire configured like ``session``, or None where only the session itself will do."""
        version = tuple(int(part) for part in pycurl.version.split()[0].split("/")[1].split(".")[:2])
        if version < SMALLEST_VERSION:
            return None
        options = CurlOptions.for_session(manager_url, session, connect_seconds=connect_seconds)
        return None if options is None else cls(options)

    def submit(self, request: WireRequest) -> Job:
        """Send a request as soon as a place is free; see ``Wire``. From a callback, no other thread is involved."""
        job = Job(request)
        try:
            with self._lock:
                life = self._life
                if life is None or self._closed:
                    life = self._new_life()
                life.incoming.append(job)
                if life.asleep:
                    life.wake()
        except WireError as error:
            job.answer(error)
        return job

    def carry(self, request: WireRequest) -> WireAnswer:
        """Send a request from the calling thread, unless others are under way; see ``Wire``.

        Several threads would wait for the interpreter's lock at each step of libcurl: one thread for all is quicker then.
        """
        if self._carrying or (self._life is not None and self._life.is_busy):
            return self.submit(request).result()
        job = Job(request)
        with self._lock:
            if self._closed:
                raise WireAbortedError(f"not sent: {CLOSED}", was_sent=False)
            carrier = self._carriers.pop() if self._carriers else None
        try:
            carrier = carrier or Carrier(self._options)
            carrier.job = job
            self._carrying.add(carrier)
            if self._closed or (request.stop is not None and request.stop.is_set()):
                raise WireAbortedError("not sent: aborted", was_sent=False)
            return carrier.perform(job)
        except (ValueError, pycurl.error, MemoryError) as error:
            raise WireError(f"not sent: {error}", was_sent=carrier is not None and carrier.was_sent) from None
        finally:
            if carrier is not None:
                self._give_back(carrier)

    def abort(self, owner: object) -> None:
        """End every request of ``owner`` with ``WireAbortedError``."""
        for carrier in list(self._carrying):
            if carrier.job.request.owner is owner:
                carrier.break_off()
        with self._lock:
            if self._life is not None:
                self._life.aborted.append(owner)
                self._life.wake()

    def close(self) -> None:
        """End every request, close the connections and end the thread. Repeatable."""
        with self._lock:
            self._closed = True
            life = self._life
            if life is not None:
                life.closing = True
                life.wake()
            while self._carriers:
                self._carriers.pop().close()
        for carrier in list(self._carrying):
            carrier.break_off()  # Its own thread closes it.
        if life is not None and threading.current_thread() is not life.thread:
            life.thread.join(CLOSE_SECONDS)

    def retire(self, life: "_Life") -> bool:
        """Let a life end; False when a request has come meanwhile. Called by its thread."""
        with self._lock:
            if life.incoming and not life.closing:
                return False
            if self._life is life:
                self._life = None
            return True

    def after_fork(self) -> None:
        """Begin again in a forked child. What the parent has under way stays the parent's."""
        self._lock = threading.Lock()
        self._life = None
        _OF_THE_PARENT.append((self._carriers, self._carrying))
        self._carriers, self._carrying = deque(), set()

    def _give_back(self, carrier: Carrier) -> None:
        """Keep a connection for the next request, and close those that were not needed for long."""
        now = carrier.used_at = time.monotonic()
        unused = []
        with self._lock:
            self._carrying.discard(carrier)
            if carrier.is_aborted or self._closed:
                unused.append(carrier)
            else:
                self._carriers.append(carrier)
            while self._carriers and self._carriers[0].used_at < now - LONGEST_IDLE_SECONDS:
                unused.append(self._carriers.popleft())
        for one in unused:
            one.close()

    def _new_life(self) -> "_Life":
        if self._closed:
            raise WireAbortedError(f"not sent: {CLOSED}", was_sent=False)
        try:
            life = _Life(self, self._options)
            life.start(self._name)
        except (RuntimeError, OSError, pycurl.error) as error:  # No thread or no socket can be had now.
            raise WireError(f"not sent: {error}", was_sent=False) from None
        self._life = life
        return life


class _Life:
    """One thread with its multi handle.

    Attributes:
        incoming: requests that wait; any thread may append.
        aborted: owners whose requests end; any thread may append.
        asleep: the thread waits, or is about to.
        closing: everything ends.
    """

    def __init__(self, wire: CurlWire, options: CurlOptions) -> None:
        self.incoming: deque[Job] = deque()
        self.aborted: deque[object] = deque()
        self.asleep = False
        self.closing = False
        self._wire = wire
        self._options = options
        self._sockets = Sockets()
        # A byte that is sent to the receiver wakes the thread.
        self._wake_receiver, self._wake_sender = socket.socketpair()
        self._wake_sender.setblocking(False)  # noqa: FBT003 - the socket's own signature.
        self._sockets.add(self._wake_receiver.fileno())
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._sockets.watch)
        self._multi.setopt(pycurl.M_MAXCONNECTS, MOST_AT_ONCE)
        self._idle: list[Exchange] = []
        self._busy: dict[pycurl.Curl, Exchange] = {}

    @property
    def is_busy(self) -> bool:
        """Whether requests are under way or wait; a snapshot."""
        return bool(self._busy or self.incoming)

    def start(self, name: str) -> None:
        """Start the thread."""
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        try:
            self.thread.start()
        except BaseException:
            self._release()
            raise

    def wake(self) -> None:
        """Wake the thread."""
        self.asleep = False
        with contextlib.suppress(OSError):  # Full, so that it wakes anyway; or closed.
            self._wake_sender.send(b"!")

    def _run(self) -> None:
        try:
            while not self.closing:
                self._begin_waiting()
                if not self._wait() and self._wire.retire(self):
                    break
                self._abort()
        except Exception:  # The end of a thread: what waits is answered, and the next request begins another.
            log.exception("The connection to the manager broke down; the next request begins it anew")
        finally:
            self._end()

    def _begin_waiting(self) -> None:
        while self.incoming and len(self._busy) < MOST_AT_ONCE:
            self._begin(self.incoming.popleft())
        if self._multi.timeout() == 0:
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
            self._collect()

    def _begin(self, job: Job) -> None:
        if job.request.stop is not None and job.request.stop.is_set():
            job.answer(WireAbortedError("not sent: aborted", was_sent=False))
            return
        exchange = None
        try:
            exchange = self._idle.pop() if self._idle else Exchange(self._options, self._sockets)
            exchange.prepare(job)
            self._multi.add_handle(exchange.curl)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this request's end and no other's.
            if exchange is not None:
                exchange.close()
            job.answer(WireError(f"not sent: {error}", was_sent=False))
        else:
            self._busy[exchange.curl] = exchange

    def _wait(self) -> bool:
        """Wait for something to happen. Return False when nothing did for long and nothing is under way."""
        self.asleep = True
        if self.aborted or self.closing or (self.incoming and len(self._busy) < MOST_AT_ONCE):
            seconds = 0.0
        elif not self._busy:
            seconds = LONGEST_IDLE_SECONDS
        else:
            milliseconds = self._multi.timeout()
            seconds = 1.0 if milliseconds < 0 else milliseconds / 1000
        ready = self._sockets.wait(seconds)
        self.asleep = False
        for fd, bits in ready:
            if fd == self._wake_receiver.fileno():
                self._wake_receiver.recv(4096)
            else:
                self._multi.socket_action(fd, bits)
        if ready:
            with one_round():
                self._collect()
        return bool(ready or self._busy or self.incoming or self.aborted)

    def _collect(self) -> None:
        """Answer what has ended."""
        queued = 1
        while queued:
            queued, done, failed = self._multi.info_read()
            for curl in done:
                self._finish(self._take(curl), 0, "")
            for curl, code, text in failed:
                self._finish(self._take(curl), code, text)

    def _finish(self, exchange: Exchange, code: int, text: str) -> None:
        job = exchange.job
        try:
            outcome = exchange.outcome(code, text)
            if outcome is None:  # Not sent, because its connection turned out not to be usable.
                self._multi.add_handle(exchange.curl)
                self._busy[exchange.curl] = exchange
                return
        except Exception as error:  # noqa: BLE001 - as above.
            outcome = WireError(str(error), was_sent=exchange.was_sent)
        self._idle.append(exchange)
        job.answer(outcome)

    def _take(self, curl: pycurl.Curl) -> Exchange:
        self._multi.remove_handle(curl)
        return self._busy.pop(curl)

    def _abort(self) -> None:
        while self.aborted:
            owner = self.aborted.popleft()
            for job in [one for one in list(self.incoming) if one.request.owner is owner]:
                self.incoming.remove(job)
                job.answer(WireAbortedError("not sent: aborted", was_sent=False))
            for exchange in [one for one in self._busy.values() if one.job.request.owner is owner]:
                self._break(exchange, "aborted")

    def _break(self, exchange: Exchange, reason: str) -> None:
        self._take(exchange.curl)  # Closes the connection, too.
        exchange.close()
        exchange.job.answer(WireAbortedError(reason, was_sent=exchange.was_sent))

    def _end(self) -> None:
        self.closing = True
        self._wire.retire(self)  # From now on no request is appended here.
        try:
            for exchange in list(self._busy.values()):
                self._break(exchange, CLOSED)
        finally:
            for exchange in self._busy.values():  # None is left, unless libcurl itself is in trouble.
                exchange.job.answer(WireAbortedError(CLOSED, was_sent=True))
            while self.incoming:
                self.incoming.popleft().answer(WireAbortedError(f"not sent: {CLOSED}", was_sent=False))
            self._release()

    def _release(self) -> None:
        for exchange in self._idle:
            exchange.close()
        self._multi.close()
        self._wake_receiver.close()
        self._wake_sender.close()
