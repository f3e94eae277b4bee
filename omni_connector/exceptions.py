"""Every error the package raises, in one family.

    ConnectorError
    ├── ConfigurationError          stop: the set-up is wrong; ``problems`` lists everything at once
    ├── InvalidValueError           skip: one value is unusable; ``model``, ``field``, ``value``, ``remedy``
    │   └── InvalidDocumentError    skip: one document is unusable; also ``document_id``
    ├── MalformedRequestError       answer 4xx: what was sent to an endpoint is unusable; ``field``, ``status``
    ├── SyncConflictError           answer 409: the source's slot is taken; ``source_id``
    ├── SyncStartError              answer 4xx or 5xx: a run could not be started; ``status``
    │   ├── SyncRefusedError        answer 400: the source's configuration or credentials are unusable
    │   └── SyncUnavailableError    answer 404: the source cannot be synced in this mode; for realtime
    ├── ConnectorBusyError          answer 503: as many slow requests are in progress as may be; ``retry_after``
    ├── UnknownSkillError           answer 404: there is no such skill; ``skill_id``
    ├── McpDisabledError            answer 404: the connector has no MCP server
    ├── HookFailedError             answer 500: a method of the connector failed; ``hook``
    ├── SyncCancelledError          stop: the run was cancelled, or is over at the manager; ``sync_run_id``
    │   └── SyncInterruptedError    stop: this process shuts down; the manager resumes the run
    ├── TooManyErrorsError          stop: more documents failed than the connector allows; ``count``
    ├── PartitionsFailedError       stop: partitions of the source could not be read; ``failures``
    ├── SyncFinishedError           a bug in the connector: the run was used after its end; ``sync_run_id``
    ├── RunStoreError               retry later: the store that knows which process runs what cannot be used now
    ├── RunQueueError               retry later: the broker that carries runs to Celery workers cannot be used now
    ├── McpError                    a call to the connector's MCP server failed; ``server``
    │   ├── McpUnavailableError     retry later: it could not be started or reached, or it went away
    │   ├── McpTimeoutError         retry later: it did not answer in time; ``seconds``
    │   └── McpRefusedError         stop: it refused the request, or its tool failed; ``code``
    └── SdkClientError              the manager refused or did not answer; ``operation``, ``status``, ``body``
        ├── ManagerUnreachableError retry later: no answer came at all (``status`` is None)
        ├── ServiceOverloadedError  retry later: 429 or 503; ``retry_after`` in seconds, or None
        ├── ExtractionError         skip: the manager cannot extract the text of one file; the others can be
        ├── ContentTooLargeError    cut: an older manager takes no text of that size; ``limit_bytes``
        ├── NotFoundError           stop: the manager does not know the source, the credentials or the run
        ├── RunConflictError        later: the source's slot is taken, or the manager runs as many syncs as it may
        ├── UnsupportedByManagerError  do without: the manager is older than what was asked of it
        ├── MalformedAnswerError    the manager answered something else than the protocol says; ``field``
        └── SyncRunEndedError       stop: the manager says that the run is over (400 on events)

Grouped by what the caller will do. Facts are attributes, so that no message has to be parsed.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any


class ConnectorError(Exception):
    """Base of everything this package raises on purpose."""


class ConfigurationError(ConnectorError):
    """The process cannot start as it is configured; ``problems`` has a sentence for each fault, remedy included."""

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems: tuple[str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class InvalidValueError(ConnectorError, ValueError):
    """A value given to a model is unusable.

    ``model`` and ``field`` are names, such as ``Document`` and ``external_id``; ``remedy`` says what to give instead of
    ``value``.
    """

    def __init__(self, *, model: str, field: str, value: object, remedy: str) -> None:
        self.model = model
        self.field = field
        self.value = value
        self.remedy = remedy
        super().__init__(f"{model}.{field}: {shown(value)} cannot be used; {remedy}")


class InvalidDocumentError(InvalidValueError):
    """A document cannot be sent as it is; the others can. ``document_id`` is its id in its source."""

    def __init__(self, *, document_id: str, field: str, value: object, remedy: str) -> None:
        self.document_id = document_id
        super().__init__(model="Document", field=field, value=value, remedy=remedy)
        self.args = (f"Document {document_id[:200]!r}, {field}: {shown(value)} cannot be used; {remedy}",)


class MalformedRequestError(ConnectorError):
    """What was sent to one of the connector's endpoints cannot be understood.

    ``field`` is the path of the offending field, such as ``sync_run_id``, or ``body`` for the whole.
    """

    def __init__(self, message: str, *, field: str, status: int = 400) -> None:
        super().__init__(message)
        self.field = field
        self.status = status


class SyncConflictError(ConnectorError):
    """Another run of the same slot class is in progress for the source."""

    status = 409

    def __init__(self, source_id: str) -> None:
        super().__init__("Sync already in progress for this source")
        self.source_id = source_id


class RunStoreError(ConnectorError):
    """The run store (``OMNI_RUN_STORE``) cannot be used now: it is stopped, locked, or its disk is full."""


class RunQueueError(ConnectorError):
    """The broker (``OMNI_BROKER_URL``) cannot be used now."""


class SyncStartError(ConnectorError):
    """A run could not be started; ``status`` is that of the answer to ``POST /sync`` (400, 404 or 500)."""

    def __init__(self, message: str, *, status: int = 500) -> None:
        super().__init__(message)
        self.status = status


class ConnectorBusyError(ConnectorError):
    """Too many actions and other slow requests are in progress; threads are kept free for the manager's probes.

    Attributes:
        status: of the answer.
        retry_after: seconds after which to try again.
    """

    status = 503
    retry_after = 5

    def __init__(self, count: int) -> None:
        super().__init__(
            f"{count} actions or other slow requests are in progress, and as many may be. Try again later, or give the "
            "server more threads (OMNI_MAX_CONCURRENT_ACTIONS follows them)"
        )


class SyncRefusedError(SyncStartError):
    """The source cannot be synced as it is configured; raised by ``validate_sync_request``.

    The manager fails the run with the message.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, status=400)


class SyncUnavailableError(SyncStartError):
    """The source cannot be synced in the mode that is asked for; raised by ``validate_sync_request``.

    The polite refusal of a realtime run: the manager cancels it and asks again later, at longer and longer intervals. A
    run of another mode fails with the message.
    """

    def __init__(self, message: str = "Realtime sync is not available for this source") -> None:
        super().__init__(message, status=404)


class UnknownSkillError(ConnectorError):
    """The connector has no such skill."""

    def __init__(self, skill_id: str) -> None:
        super().__init__(f"Unknown skill: {skill_id}")
        self.skill_id = skill_id


class McpDisabledError(ConnectorError):
    """The connector mirrors no MCP server."""

    def __init__(self) -> None:
        super().__init__("MCP not enabled for this connector")


class HookFailedError(ConnectorError):
    """A method of the author's, ``hook``, failed; the message has no secrets, the log has the traceback."""

    status = 500

    def __init__(self, message: str, *, hook: str) -> None:
        super().__init__(message)
        self.hook = hook


class SyncCancelledError(ConnectorError):
    """The run was cancelled; stop, and make no further call."""

    def __init__(self, sync_run_id: str, reason: str = "cancelled by the manager") -> None:
        super().__init__(f"Sync run {sync_run_id} is over: {reason}")
        self.sync_run_id = sync_run_id
        self.reason = reason


class SyncInterruptedError(SyncCancelledError):
    """This process shuts down; stop. The manager resumes the run from its last checkpoint."""

    def __init__(self, sync_run_id: str) -> None:
        super().__init__(sync_run_id, "this process shuts down")


class TooManyErrorsError(ConnectorError):
    """So many documents failed (``count``) that something must be wrong with all of them."""

    def __init__(self, count: int, which: str) -> None:
        super().__init__(
            f"Too many documents failed: {which}. The log and ctx.errors name them; "
            "the connector's error_limits say how many are allowed."
        )
        self.count = count


class PartitionsFailedError(ConnectorError):
    """Partitions of the source could not be read; the others were.

    Attributes:
        failures: why, by key.
        of: partitions that there are.
    """

    shown = 10

    def __init__(self, failures: Mapping[str, str], *, of: int) -> None:
        self.failures = dict(failures)
        self.of = of
        named = [f"{key!r} ({reason})" for key, reason in list(self.failures.items())[: self.shown]]
        if len(self.failures) > self.shown:
            named.append(f"and {len(self.failures) - self.shown} more, which the log names")
        super().__init__(f"{len(self.failures)} of {of} partitions failed: {', '.join(named)}")


class SyncFinishedError(ConnectorError):
    """The run was used after ``complete`` or ``fail``."""

    def __init__(self, sync_run_id: str, outcome: str) -> None:
        super().__init__(
            f"Sync run {sync_run_id} has already ended ({outcome}); nothing can be sent for it any more. "
            "Call complete() or fail() last."
        )
        self.sync_run_id = sync_run_id


class McpError(ConnectorError):
    """A call to the MCP server that the connector mirrors failed; ``server`` is its name in messages, such as ``npx``."""

    def __init__(self, message: str, *, server: str) -> None:
        super().__init__(message)
        self.server = server


class McpUnavailableError(McpError):
    """The server could not be started or reached, or it went away during the call."""


class McpTimeoutError(McpError):
    """The server did not answer within ``seconds``."""

    def __init__(self, message: str, *, server: str, seconds: float) -> None:
        super().__init__(message, server=server)
        self.seconds = seconds


class McpRefusedError(McpError):
    """The server refused the request, or the tool that was called reports an error.

    ``code`` is that of the JSON-RPC error, such as -32602 for unknown names and wrong arguments; None for a tool's own error.
    """

    def __init__(self, message: str, *, server: str, code: int | None = None) -> None:
        super().__init__(message, server=server)
        self.code = code


class SdkClientError(ConnectorError):
    """A call to the manager failed.

    Attributes:
        operation: what was attempted, such as ``POST /sdk/events/batch``.
        status: HTTP status of the last answer, or None when there was none.
        body: beginning of the last answer's body.
        attempts: how many times it was tried.
    """

    def __init__(
        self,
        message: str,
        *,
        operation: str = "",
        status: int | None = None,
        body: str = "",
        attempts: int = 1,
    ) -> None:
        super().__init__(message)
        self.operation = operation
        self.status = status
        self.body = body
        self.attempts = attempts


class ManagerUnreachableError(SdkClientError):
    """No answer came: refused, reset, or timed out."""


class ServiceOverloadedError(SdkClientError):
    """The manager is overloaded (429 or 503) and asks to wait ``retry_after`` seconds, or does not say how long (None)."""

    def __init__(self, message: str, *, retry_after: float | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.retry_after = retry_after


class ExtractionError(SdkClientError):
    """The manager cannot extract the text of this file: it is damaged, too large, or the manager extracts nothing."""


class ContentTooLargeError(SdkClientError):
    """This manager takes no text of that size; those before 3 June 2026 take 2 MiB, as JSON."""

    limit_bytes = 2 * 1024 * 1024 - 1024


class NotFoundError(SdkClientError):
    """The manager does not know what was named: a source, its credentials, a run."""


class RunConflictError(SdkClientError):
    """No run was started: one of the same slot class is in progress, or a limit of the manager is reached."""


class UnsupportedByManagerError(SdkClientError):
    """The manager is older than what was asked of it: it has no such endpoint."""


class MalformedAnswerError(SdkClientError):
    """The manager answered something else than the protocol says; ``field`` as in ``MalformedRequestError``."""

    def __init__(
        self, message: str, *, field: str, operation: str, status: int = 200, body: str = ""
    ) -> None:
        super().__init__(message, operation=operation, status=status, body=body)
        self.field = field


class SyncRunEndedError(SdkClientError):
    """The manager takes no more events for the run (PROTOCOL, section 9)."""


def shown(value: object) -> str:
    """Return a value for a message, shortened to the width of a terminal."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - nested without end, or broken: the error must be reported nevertheless.
        text = f"a {type(value).__name__}"
    from omni_connector.masking import mask  # noqa: PLC0415 - only for errors; importing the package is quick.

    text = mask(text)
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 - one line of a terminal


EXTRAS = {"dlt": "dlt", "inscriptis": "sources", "mcp": "mcp", "oauthlib": "sources"}
"""Extras by the modules that authors import for them."""


def missing_module(where: str, module: str) -> str:
    """Say that an import failed; the package to install may have another name (``yaml`` comes with PyYAML)."""
    extra = EXTRAS.get(module.partition(".")[0])
    install = f'pip install "omni-connector[{extra}]"' if extra else "Install the package that provides it."
    return f"{where} needs the module {module}, which is not installed for {sys.executable}. {install}"
