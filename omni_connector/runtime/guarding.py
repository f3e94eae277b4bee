"""Answers for what an author's hook raises, without the secrets that it was given."""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from omni_connector.exceptions import HookFailedError
from omni_connector.sync.redaction import error_text, redact, redacted_traceback, secrets_in

log = logging.getLogger(__name__)

ENDS_A_PROCESS = (SystemExit, KeyboardInterrupt)
"""Exceptions that would end the whole worker; raised by a hook they are an error of that call."""


@contextmanager
def guarded(hook: str, credentials: Any) -> Iterator[None]:
    """Turn every exception raised inside into one error for the caller, and one entry of the log.

    Args:
        hook: name of the method that is called.
        credentials: what it was given, and must not be shown.

    Raises:
        HookFailedError: instead of anything else.
    """
    try:
        yield
    except (Exception, *ENDS_A_PROCESS) as error:
        secrets = secrets_in(credentials)
        log.error("%s failed: %s", hook, redacted_traceback(error, secrets))  # noqa: TRY400 - the traceback is in it, redacted.
        raise HookFailedError(f"{hook} failed: {redact(reason_of(error), secrets)}", hook=hook) from error


def reason_of(error: BaseException) -> str:
    """Return the error's type and message; for exceptions that end a process, what has happened, in words."""
    if isinstance(error, KeyboardInterrupt):
        return "it was interrupted (KeyboardInterrupt)"
    if not isinstance(error, SystemExit):
        return error_text(error)
    if _is_gunicorn_timeout(error):
        return (
            "it took longer than gunicorn's time-out and was interrupted. Make the call shorter, raise --timeout, or use "
            "-c python:omni_connector.gunicorn_conf, where a call may take as long as it needs"
        )
    return (
        f"it tried to end the process (SystemExit: {error.code}); raise another exception to report an error"
    )


def _is_gunicorn_timeout(error: SystemExit) -> bool:
    """Say whether the exit was raised by the handler of the signal that gunicorn sends to a worker that is late."""
    return any(
        frame.f_code.co_name == "handle_abort" and frame.f_globals.get("__name__", "").startswith("gunicorn.")
        for frame, _ in traceback.walk_tb(error.__traceback__)
    )
