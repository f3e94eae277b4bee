"""One client's connection through the faulty manager: forwards calls, or breaks them."""

import socket
import threading
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Protocol

from attrs import define, frozen

from omni_connector.testing.faults.kinds import (
    Answer,
    Delay,
    Do,
    Fault,
    GoAway,
    Hang,
    LostAnswer,
    NotJson,
    Refuse,
    Reset,
    Truncated,
)
from omni_connector.testing.faults.messages import Head, HttpConnection


@define(eq=False)
class ProxiedCall:
    """One call that came.

    Attributes:
        number: from 1, in the order of arrival.
        method: such as ``POST``.
        path: as it was called.
        endpoint: its name in ``ENDPOINTS``, or method and path.
        fault: what happens to it, None for nothing.
        done: the manager was given it and has answered.
        status: what the caller is answered; None while, or because, there is no answer.
    """

    number: int
    method: str
    path: str
    endpoint: str
    fault: Fault | None
    done: bool = False
    status: int | None = None


class Proxy(Protocol):
    """What a connection needs of ``FaultyManager``."""

    def connect(self) -> HttpConnection:
        """Return a connection to the manager behind."""
        ...

    def forwarded(self, head: Head) -> bytes:
        """Return a request's head as the manager behind is to see it."""
        ...

    def begin(self, head: Head) -> ProxiedCall:
        """Note a call and choose its fault."""
        ...

    def note(self, call: ProxiedCall, **changes: Any) -> None:
        """Write down what became of a call."""

    def go_away(self, seconds: float) -> None:
        """Break all connections and refuse new ones for a while."""

    def refuse(self, seconds: float) -> None:
        """Refuse new connections for a while."""

    def hang(self) -> None:
        """Wait for the release of the calls that hang."""

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than until the proxy closes."""

    def forget(self, connection: "Connection") -> None:
        """Drop a connection that has ended."""


@frozen
class _Reply:
    """What the manager behind answers; the body in pieces, as they come."""

    head: Head
    pieces: Iterator[bytes]

    @property
    def status(self) -> int:
        return int(self.head.start.split(b" ", 2)[1])


class _BreakError(Exception):
    """The connection ends here: with a reset, or in order."""

    def __init__(self, *, reset: bool = True) -> None:
        super().__init__()
        self.reset = reset


class Connection:
    """One connection of a client, and one of its own to the manager behind; lives in a thread.

    Args:
        proxy: whose connection it is.
        connected: the client's socket.
    """

    def __init__(self, proxy: Proxy, connected: socket.socket) -> None:
        self._proxy = proxy
        self._client = HttpConnection(connected)
        self._lock = threading.Lock()  # Protects the opening, closing and breaking of both sides.
        self._manager: HttpConnection | None = None
        self._broken = False
        self.thread = threading.Thread(target=self._run, name="faulty-manager-connection", daemon=True)

    def break_off(self) -> None:
        """End it from outside: its thread is woken and closes both sides."""
        with self._lock:
            self._broken = True
            self._client.shut()
            if self._manager is not None:
                self._manager.shut()

    def _run(self) -> None:
        """Pass on call after call, until the client, the manager or a fault ends it."""
        reset = False
        try:
            while self._exchange():
                pass
        except _BreakError as error:
            reset = error.reset
        except (OSError, ValueError):  # One of the two went away, or sends what is not HTTP.
            reset = True
        finally:
            with self._lock:
                self._client.close(reset=reset or self._broken)
                if self._manager is not None:
                    self._manager.close()
            self._proxy.forget(self)

    def _exchange(self) -> bool:
        """Forward one call, or break it; return whether the connection can carry another."""
        head = self._client.read_head()
        if head is None:
            return False
        call = self._proxy.begin(head)
        acting = call.fault if isinstance(call.fault, Do) else None
        fault = acting.then if acting else call.fault
        if acting and not acting.done:
            acting.action()
        self._before_reading(fault)
        body = b"".join(self._client.read_body(head))
        self._before_doing(fault)
        if isinstance(fault, Answer):
            self._answer(call, fault)
            return head.keeps_connection
        reply = self._do(head, body)
        if acting and acting.done:
            acting.action()
        if isinstance(fault, Hang | Reset | LostAnswer | Truncated | NotJson):
            self._break_answer(call, fault, reply)
            return head.keeps_connection
        if isinstance(fault, Delay) and fault.done:
            self._proxy.pause(fault.seconds)
        self._pass_on(call, reply)
        return head.keeps_connection and reply.head.keeps_connection and reply.head.is_delimited

    def _before_reading(self, fault: Fault | None) -> None:
        if isinstance(fault, Refuse):
            self._proxy.refuse(fault.seconds)
            raise _BreakError
        if isinstance(fault, GoAway):
            self._proxy.go_away(fault.seconds)
            raise _BreakError
        if fault == Reset("unread"):
            raise _BreakError

    def _before_doing(self, fault: Fault | None) -> None:
        if fault == Reset("undone"):
            raise _BreakError
        if isinstance(fault, Hang) and not fault.done:
            self._proxy.hang()
            raise _BreakError
        if isinstance(fault, Delay) and not fault.done:
            self._proxy.pause(fault.seconds)

    def _do(self, head: Head, body: bytes) -> _Reply:
        """Have the manager behind carry the call out."""
        if self._manager is None:
            manager = self._proxy.connect()
            with self._lock:
                self._manager = manager
                broken = self._broken
            if broken:
                raise _BreakError
        manager = self._manager
        manager.send(self._proxy.forwarded(head) + body)
        reply = manager.read_head()
        if reply is None:
            raise _BreakError
        return _Reply(reply, manager.read_body(reply))

    def _break_answer(self, call: ProxiedCall, fault: Fault, reply: _Reply) -> None:
        """The call is done; give the client something else than its answer."""
        body = b"".join(reply.pieces)
        self._proxy.note(call, done=True)
        if isinstance(fault, Hang):
            self._proxy.hang()
            raise _BreakError
        if isinstance(fault, Reset | Truncated):
            self._client.send(reply.head.to_bytes() + body[: len(body) // 2])
            raise _BreakError(reset=isinstance(fault, Reset))
        if isinstance(fault, NotJson):
            self._answer(call, Answer(HTTPStatus.OK, fault.body, {"content-type": "text/html"}))
        elif isinstance(fault, LostAnswer) and fault.instead is not None:
            self._answer(call, fault.instead)
        else:
            raise _BreakError

    def _answer(self, call: ProxiedCall, answer: Answer) -> None:
        self._proxy.note(call, status=answer.status)
        self._client.send(answer.to_bytes())

    def _pass_on(self, call: ProxiedCall, reply: _Reply) -> None:
        # First, so that the caller finds it once it is answered.
        self._proxy.note(call, done=True, status=reply.status)
        head = reply.head.to_bytes()
        for piece in reply.pieces:
            self._client.send(head + piece)
            head = b""
        if head:
            self._client.send(head)
