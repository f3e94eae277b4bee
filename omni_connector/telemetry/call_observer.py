"""The interface through which metrics learn of calls to the manager."""

from typing import Protocol


class CallObserver(Protocol):
    """Learns of calls. Called from many threads, thousands of times a second: each call must be quick and raise nothing."""

    def attempted(self, endpoint: str, status: str, seconds: float, size: int) -> None:
        """A request was answered, or was not.

        Args:
            endpoint: its path, with names in place of ids.
            status: of the answer, or ``unreachable``.
            seconds: from sending to the last byte of the answer.
            size: bytes of its body.
        """

    def repeated(self, endpoint: str, reason: str) -> None:
        """A request failed and will be sent again; ``reason`` is the status, or ``unreachable``."""

    def failed(self, endpoint: str, reason: str) -> None:
        """A call has failed for good."""
