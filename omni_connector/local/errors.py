"""What goes wrong in the embedded manager.

LocalError
├── LocalManagerError   a call is refused; ``status`` and ``message`` as the manager would answer
│   └── BroadSearchError    a search has taken too long
├── StoreBusyError    another thread is writing, which was not to be waited for
├── StoredTextError     a text cannot be stored (U+0000, or too large for an index); answered 500
└── StoreError          the data directory cannot be used; the message says what to do
"""

from __future__ import annotations


class LocalError(Exception):
    """Base of everything the embedded manager raises on purpose."""


class LocalManagerError(LocalError):
    """A call was refused.

    Attributes:
        status: HTTP status of the answer.
        message: text of its ``error`` key.
        details: further keys of the answer (only 412 has any).
        retry_after: seconds for the Retry-After header, or None.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        details: dict[str, object] | None = None,
        retry_after: int | None = None,
    ) -> None:
        self.status = status
        self.message = message
        self.details = details or {}
        self.retry_after = retry_after
        super().__init__(message)


class BroadSearchError(LocalManagerError):
    """A search was stopped because it takes too long; the message says how to narrow it."""


class StoredTextError(LocalError):
    """The real manager's database would refuse this text; the call answers 500 and stores nothing."""


class StoreBusyError(LocalError):
    """Another thread is writing, and the caller does not want to wait for it."""


class StoreError(LocalError):
    """The data directory cannot be opened; the message says why and what to do."""
