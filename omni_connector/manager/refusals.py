"""What a refusal by the manager means: the error that says what to do (PROTOCOL, sections 9, 13, 18 and 19)."""

from http import HTTPStatus

from omni_connector.exceptions import (
    ContentTooLargeError,
    ExtractionError,
    NotFoundError,
    RunConflictError,
    SdkClientError,
    SyncRunEndedError,
    UnsupportedByManagerError,
)
from omni_connector.models.codec import decode

LASTING = (ContentTooLargeError, ExtractionError, NotFoundError, RunConflictError)
"""Refusals that another attempt will not change, whatever their status is."""

_EXTRACTION_FAILED = "Content extraction failed"
_NO_ROWS = "no rows returned"
_NOT_FOUND = "Source not found"
_CONFLICTS = ("Sync already running", "Concurrency limit reached")


def meaning_of(error: SdkClientError, *, is_empty: bool) -> SdkClientError:
    """Return what a status means wherever it comes.

    Args:
        error: the refusal.
        is_empty: the answer had neither body nor content type: the sign of a route that the manager does not have.
    """
    if error.status == HTTPStatus.NOT_FOUND and is_empty:
        message = f"{error.operation}: this manager is older than the endpoint (404 without a body)"
        return as_kind(UnsupportedByManagerError, error, message)
    if error.status == HTTPStatus.NOT_FOUND and _is_object(error.body):  # A page of a proxy says nothing.
        return as_kind(NotFoundError, error)
    if error.status == HTTPStatus.CONFLICT:
        return as_kind(RunConflictError, error)
    return error


def of_events(error: SdkClientError) -> SdkClientError:
    """Tell the end of the run (400 in JSON) from events that cannot be read (400 in plain text)."""
    if error.status == HTTPStatus.BAD_REQUEST and _is_object(error.body):
        return as_kind(SyncRunEndedError, error)
    return error


def of_content(error: SdkClientError) -> SdkClientError:
    """Name a text that is too long for a manager with a limit."""
    too_large = error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return as_kind(ContentTooLargeError, error) if too_large else error


def of_extraction(error: SdkClientError) -> SdkClientError:
    """Tell a file that will never be extracted, however often it is sent, from a manager in trouble."""
    too_large = error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    damaged = error.status == HTTPStatus.INTERNAL_SERVER_ERROR and _EXTRACTION_FAILED in error.body
    return as_kind(ExtractionError, error) if too_large or damaged else error


def of_owner(error: SdkClientError) -> SdkClientError:
    """Name an unknown source: the address of its owner is asked for with a 500."""
    return as_kind(NotFoundError, error) if _NO_ROWS in error.body else error


def of_webhook(error: SdkClientError) -> SdkClientError:
    """Name the reasons not to start a run, which all come as a 500."""
    if _NOT_FOUND in error.body:
        return as_kind(NotFoundError, error)
    if any(text in error.body for text in _CONFLICTS):
        return as_kind(RunConflictError, error)
    return error


def as_kind(kind: type[SdkClientError], error: SdkClientError, message: str | None = None) -> SdkClientError:
    """Return an error of another kind with the same facts."""
    return kind(
        message or str(error),
        operation=error.operation,
        status=error.status,
        body=error.body,
        attempts=error.attempts,
    )


def _is_object(body: str) -> bool:
    try:
        return isinstance(decode(body), dict)
    except ValueError:
        return False
