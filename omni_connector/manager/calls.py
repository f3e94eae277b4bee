"""What a call to the manager is, and what its answer says."""

import functools
import re
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Generic, TypeVar

from attrs import define, frozen

from omni_connector.exceptions import (
    MalformedAnswerError,
    MalformedRequestError,
    SdkClientError,
    ServiceOverloadedError,
)
from omni_connector.manager.multipart import MultipartForm
from omni_connector.manager.refusals import meaning_of
from omni_connector.manager.retry import retry_after_seconds
from omni_connector.manager.wire import WireAnswer
from omni_connector.masking import mask
from omni_connector.models.codec import decode, structure
from omni_connector.models.json_values import JsonValue

T = TypeVar("T")

OVERLOADED = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
OK = int(HTTPStatus.OK)
SHOWN_BODY_LENGTH = 500
READ_BODY_LENGTH = 20_000


def unchanged(error: SdkClientError) -> SdkClientError:
    """Return the error: most calls have no refusals of their own."""
    return error


# Not frozen: there are thousands a second, and that costs three times as much.
@define(kw_only=True, eq=False)
class Call(Generic[T]):
    """What to send, and how to read the answer; never changed.

    Attributes:
        method: HTTP method.
        path: after the manager's address.
        read: makes the result of the decoded answer, given the call; raises MalformedAnswerError.
        body: JSON in parts, or what opens a form, anew for each attempt.
        policy: which of the ``Policies`` says when it is repeated.
        explain: makes the error that says what a refusal of this call means.
        gate: of which calls only so many are under way at once: ``uploads``, ``extractions``, or empty.
        is_divisible: a 500 may be about a part of what is sent, so it is repeated briefly only.
        is_stream: the answer is a stream of server-sent events, of which the first is read.
    """

    method: str
    path: str
    read: "Callable[[JsonValue, Call[Any]], T]"
    body: tuple[bytes, ...] | Callable[[], MultipartForm] | None = None
    policy: str = "bulk"
    explain: Callable[[SdkClientError], SdkClientError] = unchanged
    gate: str = ""
    is_divisible: bool = False
    is_stream: bool = False

    @property
    def operation(self) -> str:
        """For messages."""
        return f"{self.method} {self.path}"

    @property
    def endpoint(self) -> str:
        """The path with ``{id}`` in place of what differs from call to call, for metrics and traces."""
        return _endpoint(self.path)

    def result_of(self, answer: WireAnswer) -> T:
        """Return what an answer says.

        Raises:
            SdkClientError: of the kind that says what to do. Success is 200 with what the protocol promises, nothing else.
        """
        if answer.status == OK:
            try:
                value = decode(answer.body)
            except ValueError as error:
                raise _no_json(answer, self, error) from error
            return self.read(value, self)
        if answer.status < HTTPStatus.MULTIPLE_CHOICES:
            raise NoSuccessError(
                f"{self.operation}: the manager answered {answer.status}, which the protocol does not know as success",
                field="status",
                operation=self.operation,
                status=answer.status,
                body=_shown(answer),
            )
        raise self.explain(_refused(self, answer))


_ID = re.compile(r"/(sync|source|credentials|by-type|connector-configs)/(?!create$|cancel$)[^/]+")


# A few: most requests of a run go to the same three paths, and those of other runs never come again.
@functools.lru_cache(maxsize=64)
def _endpoint(path: str) -> str:
    return _ID.sub(r"/\1/{id}", path)


class NoSuccessError(MalformedAnswerError):
    """A good status without what the protocol promises: a gateway answers in the manager's place. It may pass."""


# -- readers of answers -----------------------------------------------------------------------------------------


def done(answer: JsonValue, call: Call[Any]) -> bool:
    """Read ``{"status": "ok"}``."""
    if isinstance(answer, dict) and answer.get("status") == "ok":
        return True
    raise _no_success(call, "status", answer)


def cancelled(answer: JsonValue, call: Call[Any]) -> bool:
    """Read ``{"success": true}``."""
    if isinstance(answer, dict) and answer.get("success") is True:
        return True
    raise _no_success(call, "success", answer)


def any_json(answer: JsonValue, _call: Call[Any]) -> JsonValue:
    """Read any JSON."""
    return answer


def content_id(answer: JsonValue, call: Call[Any]) -> str:
    """Read ``{"content_id": ...}``."""
    if type(answer) is dict and type(found := answer.get("content_id")) is str and found:
        return found
    raise _no_success(call, "content_id", answer)


@frozen
class TextUnder:
    """Reads the text under a key."""

    key: str

    def __call__(self, answer: JsonValue, call: Call[Any]) -> str:
        """Return it."""
        text = answer.get(self.key) if isinstance(answer, dict) else None
        if not isinstance(text, str):
            raise _no_success(call, self.key, answer)
        return text


@frozen
class Structured(Generic[T]):
    """Reads an instance of a model."""

    cls: type[T]

    def __call__(self, answer: JsonValue, call: Call[Any]) -> T:
        """Return it."""
        try:
            return structure(self.cls, answer)
        except MalformedRequestError as error:
            raise unreadable(call, error.field, f"cannot be understood: {error}") from error


def _no_success(call: Call[Any], field: str, answer: JsonValue) -> NoSuccessError:
    message = f"{call.operation}: the manager's answer has no {field} as the protocol wants it: {mask(str(answer))[:100]}"
    return NoSuccessError(message, field=field, operation=call.operation)


def unreadable(call: Call[Any], field: str, what: str) -> MalformedAnswerError:
    """Return the error for an answer with 200 that is not what the protocol says."""
    message = f"{call.operation}: the manager's answer {what}"
    return MalformedAnswerError(message, field=field, operation=call.operation)


# -- refusals ---------------------------------------------------------------------------------------------------


def _no_json(answer: WireAnswer, call: Call[Any], error: ValueError) -> NoSuccessError:
    return NoSuccessError(
        f"{call.operation}: the manager answered {answer.status} with something that is not JSON ({error}); "
        "is CONNECTOR_MANAGER_URL the connector-manager?",
        field="body",
        operation=call.operation,
        status=answer.status,
        body=_shown(answer),
    )


def _refused(call: Call[Any], answer: WireAnswer) -> SdkClientError:
    body = _shown(answer)
    message = f"{call.operation}: the manager answered {answer.status}: {body or '(empty body)'}"
    if answer.status in OVERLOADED:
        after = retry_after_seconds(answer.headers.get("retry-after"), now=time.time())
        return ServiceOverloadedError(
            message, retry_after=after, operation=call.operation, status=answer.status, body=body
        )
    if answer.status < HTTPStatus.BAD_REQUEST:
        where = answer.headers.get("location") or "an address that it does not name"
        message = (
            f"{call.operation}: redirected ({answer.status}) to {where}, which calls to the manager do not follow: "
            "set CONNECTOR_MANAGER_URL to the manager's own address"
        )
    refused = SdkClientError(message, operation=call.operation, status=answer.status, body=body)
    return meaning_of(refused, is_empty=not answer.body and "content-type" not in answer.headers)


def _shown(answer: WireAnswer) -> str:
    return mask(answer.body[:READ_BODY_LENGTH].decode(errors="replace"))[:SHOWN_BODY_LENGTH]
