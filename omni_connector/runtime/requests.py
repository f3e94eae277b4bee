"""Requests that may take long, such as actions: their number is limited, so that other requests find a thread."""

import logging
import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Self

from attrs import frozen

from omni_connector.exceptions import ConnectorBusyError
from omni_connector.forking import begins_anew
from omni_connector.models import ActionResponse
from omni_connector.pool import WorkerPool

log = logging.getLogger(__name__)

USUAL_LIMIT = 48
"""Where the number of the server's threads is unknown: three quarters of what we recommend."""

MOST_THREADS = 1000
"""Of the pool; ``SlowRequests`` is the real limit."""


@frozen(kw_only=True)
class ServerLimits:
    """What the server of this process allows; None where it sets no limit, or none that is known.

    Attributes:
        threads: in which requests are answered.
        request_seconds: a request that takes longer ends the process.
        shutdown_seconds: the process is killed so long after it was asked to end.
    """

    threads: int | None = None
    request_seconds: float | None = None
    shutdown_seconds: float | None = None

    @property
    def slow_requests(self) -> int:
        """How many slow requests leave threads for the manager's probes."""
        return USUAL_LIMIT if self.threads is None else max(1, self.threads * 3 // 4)


class SlowRequests:
    """Counts requests that may take long; used with ``with``, or ``begin`` and ``end``. Shared by the connectors of an application.

    Attributes:
        limit: how many there may be at once.
    """

    def __init__(self, limit: int = USUAL_LIMIT) -> None:
        self.limit = limit
        begins_anew(self)
        self.after_fork()

    def after_fork(self) -> None:
        """Forget the parent's."""
        self._lock = threading.Lock()  # Protects _count.
        self._count = 0

    def begin(self) -> None:
        """Count one more.

        Raises:
            ConnectorBusyError: the limit is reached.
        """
        with self._lock:
            if self._count >= self.limit:
                raise ConnectorBusyError(self._count)
            self._count += 1

    def end(self, _: object = None) -> None:
        """Count one less."""
        with self._lock:
            self._count -= 1

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


class ActionThreads:
    """Runs actions in threads of their own, so that one that takes too long is answered with an error. ``close`` it.

    Args:
        name: of the connector.
    """

    def __init__(self, name: str) -> None:
        self._pool = WorkerPool(f"omni-action-{name}", MOST_THREADS)

    def run(self, name: str, call: Callable[[], Any], requests: SlowRequests, seconds: float) -> Any:
        """Return what ``call`` returns, or an answer that says that it takes too long.

        Its thread cannot be stopped; it counts as a slow request until it ends. ``call`` raises nothing.

        Raises:
            ConnectorBusyError: there are too many already.
        """
        requests.begin()
        try:
            future = self._pool.submit(
                call
            )  # It sees the request of the hosting framework: a pool hands the context on.
        except BaseException:
            requests.end()
            raise
        future.add_done_callback(requests.end)
        try:
            return future.result(seconds)
        except TimeoutError:
            text = (
                f"The action {name!r} did not end within {seconds:g} s (OMNI_ACTION_SECONDS). It goes on, but its result is lost. "
                "Let it begin the work and return at once, or do less in one action"
            )
            log.error("%s", text)  # noqa: TRY400 - there is no error of the action yet.
            return ActionResponse.failure(text, status_code=HTTPStatus.GATEWAY_TIMEOUT)

    def close(self) -> None:
        """Stop waiting for actions; those in progress end by themselves."""
        self._pool.close(timeout_seconds=0.0)
