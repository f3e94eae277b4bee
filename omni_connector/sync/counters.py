"""The counts of a run, reported in sums."""

import logging
import threading
import time

from omni_connector.exceptions import ManagerUnreachableError, SdkClientError, ServiceOverloadedError
from omni_connector.manager.api import ManagerApi

log = logging.getLogger(__name__)


class Counters:
    """Documents looked at (``scanned``) and documents accepted (``updated``), who counts being the SDK.

    The manager never counts either itself (PROTOCOL, section 10). A count that may have arrived is not sent
    again: the figures are for people, and one too low is better than one too high.
    """

    def __init__(self, sync_run_id: str, manager: ManagerApi) -> None:
        self._sync_run_id = sync_run_id
        self._manager = manager
        self._lock = threading.Lock()  # Protects the four numbers.
        self._unreported = {"scanned": 0, "updated": 0}
        self._total = {"scanned": 0, "updated": 0}
        self._since: float | None = None

    @property
    def total_scanned(self) -> int:
        """Documents counted so far."""
        return self._total["scanned"]

    @property
    def total_updated(self) -> int:
        """Documents accepted by the manager so far."""
        return self._total["updated"]

    def scanned(self, count: int) -> None:
        """Add documents looked at."""
        self._add("scanned", count)

    def updated(self, count: int) -> None:
        """Add documents accepted."""
        self._add("updated", count)

    def age_seconds(self) -> float | None:
        """Return how long a count has waited to be reported, or None when none waits."""
        since = self._since
        return None if since is None else time.monotonic() - since

    def due(self, after_seconds: float) -> bool:
        """Say whether a count has waited that long."""
        age = self.age_seconds()
        return age is not None and age >= after_seconds

    def report(self) -> None:
        """Send what has not been sent; a failure is logged and costs nothing but the figure."""
        with self._lock:
            unreported, self._unreported = self._unreported, {"scanned": 0, "updated": 0}
            self._since = None
        for name, call in (("scanned", self._manager.add_scanned), ("updated", self._manager.add_updated)):
            count = unreported[name]
            if not count:
                continue
            try:
                call(self._sync_run_id, count)
            except (ManagerUnreachableError, ServiceOverloadedError) as error:
                self._keep(name, count)
                self._say(name, count, error, "they are reported later")
            except SdkClientError as error:
                self._say(name, count, error, "they may be missing from the figures")

    def _add(self, name: str, count: int) -> None:
        if not count:
            return
        with self._lock:
            self._unreported[name] += count
            self._total[name] += count
            if self._since is None:
                self._since = time.monotonic()

    def _keep(self, name: str, count: int) -> None:
        with self._lock:
            self._unreported[name] += count
            if self._since is None:
                self._since = time.monotonic()

    def _say(self, name: str, count: int, error: SdkClientError, consequence: str) -> None:
        log.warning(
            "Could not report %d %s documents, %s: %s",
            count,
            name,
            consequence,
            error,
            extra={"sync_run_id": self._sync_run_id},
        )
