"""Answers for what an author's hook raises, without the secrets that it was given."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from omni_connector.exceptions import HookFailedError
from omni_connector.sync.redaction import error_text, redact, redacted_traceback, secrets_in

log = logging.getLogger(__name__)


@contextmanager
def guarded(hook: str, credentials: Any) -> Iterator[None]:
    """Turn whatever is raised inside into one error for the caller, and one entry of the log.

    Args:
        hook: name of the method that is called.
        credentials: what it was given, and must not be told.

    Raises:
        HookFailedError: instead of anything else.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        secrets = secrets_in(credentials)
        log.error("%s failed: %s", hook, redacted_traceback(error, secrets))  # noqa: TRY400 - the traceback is in it, redacted.
        raise HookFailedError(f"{hook} failed: {redact(error_text(error), secrets)}", hook=hook) from error
