"""Says once that the manager is away, and once that it is back."""

import logging
import threading
import time
from collections.abc import Callable
from http import HTTPStatus

from omni_connector.exceptions import ManagerUnreachableError, SdkClientError
from omni_connector.forking import begins_anew

log = logging.getLogger(__name__)

AWAY_SECONDS = 1.0
"""Nothing is said of trouble that is shorter."""
IN_TROUBLE = frozenset(
    {
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


class Presence:
    """Whether calls to the manager at ``address`` are answered."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._lock = threading.Lock()  # Protects the following.
        self._since: float | None = None  # The first failure after the last answer.
        self._is_away = False  # It was said.
        self._failures = 0
        begins_anew(self)

    def after_fork(self) -> None:
        """Renew the lock, which may have been held."""
        self._lock = threading.Lock()

    @property
    def is_in_doubt(self) -> bool:
        """A call has failed since one was last answered."""
        return self._since is not None

    def failed(self, error: SdkClientError) -> None:
        """Learn of a failed attempt."""
        if not isinstance(error, ManagerUnreachableError) and error.status not in IN_TROUBLE:
            return
        with self._lock:
            now = time.monotonic()
            self._since = now if self._since is None else self._since
            self._failures += 1
            if self._is_away or now - self._since < AWAY_SECONDS:
                return
            self._is_away = True
        what = "does not answer" if error.status is None else f"answers {error.status}"
        log.warning(
            "The manager at %s %s; calls are repeated: %s",
            self._address,
            what,
            error,
            extra={"event": "manager_away"},
        )

    def answered(self, waiting: Callable[[], str]) -> bool:
        """Learn that a call succeeded; return whether the manager was away. ``waiting`` says which calls waited."""
        with self._lock:
            was_away, since, failures = self._is_away, self._since, self._failures
            self._since, self._is_away, self._failures = None, False, 0
        if was_away and since is not None:
            log.warning(
                "The manager at %s answers again after %.0f s and %d failed attempts; what waited for it: %s",
                self._address,
                time.monotonic() - since,
                failures,
                waiting(),
                extra={"event": "manager_back", "seconds": round(time.monotonic() - since, 1)},
            )
        return was_away
