"""What tests wait for at a manager in memory and at a proxy alike."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Self


class WaitsForCalls(ABC):
    """Base of what notes calls: ``_changed`` is notified at each, and protects what ``condition`` looks at."""

    __slots__ = ()

    _changed: threading.Condition

    def wait_for(self, condition: Callable[[Self], object], timeout_seconds: float = 10.0) -> None:
        """Wait until ``condition``, given this object, is true; looked at after every call.

        Args:
            condition: is given this object; its answer counts as true or false.
            timeout_seconds: for how long.

        Raises:
            TimeoutError: it was not; the message says which calls there were.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self), timeout_seconds):
                raise TimeoutError(f"not within {timeout_seconds:g} s; {self._calls_so_far()}")

    @abstractmethod
    def _calls_so_far(self) -> str:
        """Return the calls that were noted, for the message."""
