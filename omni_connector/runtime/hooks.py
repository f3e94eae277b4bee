"""Calls an author's hooks, blocking or async, and describes the errors that they raise."""

import inspect
import logging
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from attrs import frozen

from omni_connector.awaitables import MayBeAwaited, plain
from omni_connector.connector_base import ConnectorBase
from omni_connector.event_loop import EventLoop, OnStop
from omni_connector.exceptions import HookFailedError
from omni_connector.masking import error_text, mask, owning, secrets_in
from omni_connector.runtime.arguments import fitted
from omni_connector.runtime.failure_text import failure_text

log = logging.getLogger(__name__)

ENDS_A_PROCESS = (SystemExit, KeyboardInterrupt)
"""Exceptions that would end the whole worker; raised by a hook they are an error of that call."""


@frozen
class HookCaller:
    """Calls the methods of one connector.

    Attributes:
        connector: the author's connector.
        loop: where what is ``async def`` runs.
    """

    connector: ConnectorBase
    loop: EventLoop

    def call(
        self, hook: Callable[..., Any], required: Mapping[str, Any], optional: Mapping[str, Any] | None = None
    ) -> Any:
        """Call ``hook`` with those arguments that it takes (see ``fitted``) and return its plain value."""
        args, kwargs = fitted(hook, required, optional)
        return self.value_of(hook(*args, **kwargs))

    def value_of(self, returned: Any, *, on_stop: OnStop | None = None, grace_seconds: float = 10.0) -> Any:
        """Return what a hook returned as a plain value; a coroutine is run on the loop (see ``EventLoop.run``) first."""
        if must_be_awaited(returned):
            returned = self.loop.run(returned, on_stop=on_stop, grace_seconds=grace_seconds)
        return plain(returned)


def must_be_awaited(value: Any) -> bool:
    """Say whether ``value`` has to be awaited to be had; see ``awaitables`` for those that only may be."""
    return inspect.isawaitable(value) and not isinstance(value, MayBeAwaited)


def is_async_hook(hook: Callable[..., Any]) -> bool:
    """Say whether ``hook`` is an ``async def``, also behind decorators that say what they wrap."""
    return inspect.iscoroutinefunction(hook) or inspect.iscoroutinefunction(inspect.unwrap(hook))


@contextmanager
def guarded(hook: str, credentials: Any) -> Iterator[None]:
    """Turn every exception raised inside into one error for the caller and one entry of the log, without the secrets.

    Raises:
        HookFailedError: instead of anything else.
    """
    with owning(secrets_in(credentials)):
        try:
            yield
        except (Exception, *ENDS_A_PROCESS) as error:
            log.error("%s failed: %s", hook, failure_text(error))  # noqa: TRY400 - the traceback is in it, masked.
            raise HookFailedError(f"{hook} failed: {reason_of(error)}", hook=hook) from error


def reason_of(error: BaseException) -> str:
    """Return the error's type and message, masked; exceptions that end a process are described."""
    if isinstance(error, KeyboardInterrupt):
        return "it was interrupted (KeyboardInterrupt)"
    if not isinstance(error, SystemExit):
        return error_text(error)
    if _is_gunicorn_timeout(error):
        return (
            "it took longer than gunicorn's time-out and was interrupted. Make the call shorter, raise --timeout, or use "
            "-c python:omni_connector.gunicorn_conf, where a call may take as long as it needs"
        )
    return f"it tried to end the process ({mask(f'SystemExit: {error.code}')}); raise another exception to report an error"


def _is_gunicorn_timeout(error: SystemExit) -> bool:
    """Say whether the exit was raised by the handler of the signal that gunicorn sends to a worker that is late."""
    return any(
        frame.f_code.co_name == "handle_abort" and frame.f_globals.get("__name__", "").startswith("gunicorn.")
        for frame, _ in traceback.walk_tb(error.__traceback__)
    )
