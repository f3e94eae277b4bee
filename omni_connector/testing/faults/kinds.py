"""What can go wrong with one call, as immutable values.

"Done" means that the manager behind the proxy has executed the call. A client cannot tell a call that was done but not
answered from one that was not done: most of these faults are about that.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from attrs import field, frozen

from omni_connector.models.codec import encode


@frozen
class Refuse:
    """The call's connection is reset before it is read, and for a while connections are refused; other calls go on.

    An open connection cannot be refused any more; those of the attempts that follow are.

    Attributes:
        seconds: how long connections are refused.
    """

    seconds: float = 0.05


@frozen
class GoAway:
    """The manager goes away and comes back: all connections break, and for a while new ones are refused.

    Attributes:
        seconds: how long connections are refused.
    """

    seconds: float = 0.05


@frozen
class Reset:
    """The connection is reset.

    Attributes:
        when: ``unread`` after the head of the request, ``undone`` after the whole of it; neither is done.
            ``midway`` in the middle of the answer: it is done.
    """

    when: Literal["unread", "undone", "midway"] = "undone"


@frozen
class Delay:
    """The call takes long.

    When the client gives up meanwhile and repeats the call, the first one is still done, perhaps after newer ones: no
    client can prevent that. Keep the delay below the client's time-out unless that is the point.

    Attributes:
        seconds: how long.
        done: the call is done at once and its answer delayed; else it is done after the delay.
    """

    seconds: float
    done: bool = False


@frozen
class Hang:
    """No answer ever comes: not before ``FaultyManager.release`` or ``close``, which break the connection.

    Attributes:
        done: the call is done nevertheless.
    """

    done: bool = False


@frozen
class Answer:
    """Something else is answered; nothing is done.

    Attributes:
        status: HTTP status.
        body: bytes as they stand, text, or JSON.
        headers: more headers, such as ``{"Retry-After": "1"}``; they replace those that are made here.
    """

    status: int
    body: Any = field(default=b"")
    headers: Mapping[str, str] = field(factory=dict)

    def to_bytes(self) -> bytes:
        """Return the whole answer as it travels."""
        if isinstance(self.body, bytes):
            body = self.body
        else:
            body = self.body.encode() if isinstance(self.body, str) else encode(self.body)
        kind = "text/plain" if isinstance(self.body, bytes | str) else "application/json"
        headers = {"content-length": str(len(body))} | ({"content-type": kind} if body else {})
        headers |= {name.lower(): value for name, value in self.headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"HTTP/1.1 {self.status} Fault\r\n{lines}\r\n".encode("latin-1") + body


@frozen
class LostAnswer:
    """The call is done, but the answer gets lost.

    Attributes:
        instead: what is answered in its place; None resets the connection.
    """

    instead: Answer | None = None


@frozen
class Truncated:
    """The call is done; half of the answer's body comes, then the connection closes in order."""


@frozen
class NotJson:
    """The call is done; the answer is 200 with a page for people, as from a gateway.

    Attributes:
        body: the page.
    """

    body: bytes = b"<html><body>Just a moment...</body></html>"


@frozen
class Do:
    """Calls a function of the test at this moment, such as killing the connector's process.

    Attributes:
        action: called without arguments, from the thread of the call.
        then: how the call goes on: a fault, or None to go on as if nothing had happened.
        done: the action comes after the call is done, before it is answered; else before it is read.
    """

    action: Callable[[], object]
    then: "Fault | None" = None
    done: bool = False


Fault = Refuse | GoAway | Reset | Delay | Hang | Answer | LostAnswer | Truncated | NotJson | Do
