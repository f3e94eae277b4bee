"""How an endpoint of the manager is called: what the groups of endpoints share."""

import copy
import threading
from collections.abc import Callable
from typing import Any, Self, TypeVar
from urllib.parse import quote

import requests

from omni_connector.config import is_http_address
from omni_connector.exceptions import (
    ConfigurationError,
    MalformedAnswerError,
    MalformedRequestError,
    SdkClientError,
)
from omni_connector.manager.retry import DEFAULT_POLICIES, Policies, RetryPolicy
from omni_connector.manager.transport import Call, Interrupt, Transport, as_it_is
from omni_connector.models.codec import encode, structure
from omni_connector.models.plain import JsonValue

T = TypeVar("T")


class Caller:
    """Owns the way to one manager. ``close`` it, or use it as a context manager. Safe to use from many threads.

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
        self.manager_url = manager_url.rstrip("/")
        if not is_http_address(self.manager_url):
            raise ConfigurationError(
                "The address of the manager is not an http or https address; give one such as http://localhost:8090."
            )
        self._transport = Transport(self.manager_url, session, connections, policies)
        self._policies = policies
        self._interrupt = Interrupt()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the connections, if this client opened them."""
        self._transport.close()

    def interruptible(self, stop: threading.Event) -> Self:
        """Return a client of the same connections whose calls end when ``stop`` is set and ``abort`` is called."""
        client = copy.copy(self)
        client._interrupt = Interrupt(stop)  # noqa: SLF001 - of this class.
        return client

    def abort(self) -> None:
        """Break the bulk calls of this client that are under way; to be used after its ``stop`` was set."""
        self._interrupt.busy.abort()
        if self._transport.multiplexer is not None:
            self._transport.multiplexer.abort(self._interrupt.stop)

    def when_overloaded(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` whenever contents or events are answered with 429 or 503."""
        self._transport.overload_callbacks.append(callback)

    def _call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        policy: RetryPolicy,
        bulk: bool = False,
        tell: Callable[[SdkClientError], SdkClientError] = as_it_is,
    ) -> JsonValue:
        data = body if isinstance(body, (bytes, tuple)) or method == "GET" else encode(body)
        return self._transport.call(Call(method, path, data, policy, bulk, tell), self._interrupt)


def segment(text: str) -> str:
    """Return ``text`` as one segment of a path."""
    return quote(text, safe="")


def text_of(answer: JsonValue, key: str, operation: str) -> str:
    """Return the text that an answer has under ``key``.

    Raises:
        MalformedAnswerError: there is none.
    """
    text = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(text, str):
        raise MalformedAnswerError(
            f"{operation}: the manager's answer has no {key}", field=key, operation=operation
        )
    return text


def structured(cls: type[T], answer: JsonValue, operation: str) -> T:
    """Return an answer as an instance of ``cls``.

    Raises:
        MalformedAnswerError: it has another shape; ``field`` says where.
    """
    try:
        return structure(cls, answer)
    except MalformedRequestError as error:
        raise MalformedAnswerError(
            f"{operation}: the manager's answer cannot be understood: {error}",
            field=error.field,
            operation=operation,
        ) from error
