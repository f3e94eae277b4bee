"""How an exception of a run is logged: once, with its causes in the same line."""

from collections.abc import Iterator

from omni_connector.exceptions import ConfigurationError, PartitionsFailedError, SdkClientError
from omni_connector.masking import error_text, masked_traceback
from omni_connector.sources.errors import SourceUnreachableError

SPEAKS_FOR_ITSELF = (SdkClientError, PartitionsFailedError, ConfigurationError)
"""Errors that say what happened and what to do; their traceback adds nothing."""

NAMES_ITS_CAUSE = SourceUnreachableError
"""Says in short what ``requests`` and ``urllib3`` say in three nested forms."""

SHOWN_CAUSES = 5


def failure_text(error: BaseException) -> str:
    """Return the error with its causes in one line, and below it the traceback where that says more; masked."""
    line = reason_with_causes(error)
    return line if isinstance(error, SPEAKS_FOR_ITSELF) else f"{line}\n{masked_traceback(error).rstrip()}"


def reason_with_causes(error: BaseException) -> str:
    """Return ``RuntimeError: page 7 cannot be read (caused by HTTPError: 503)``."""
    reason, *causes = [error_text(each) for each in _chain(error)]
    return f"{reason} (caused by {', by '.join(causes)})" if causes else reason


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error, its cause, the cause of that."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen and len(seen) < SHOWN_CAUSES:
        yield each
        if isinstance(each, NAMES_ITS_CAUSE):
            return
        seen.add(id(each))
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
