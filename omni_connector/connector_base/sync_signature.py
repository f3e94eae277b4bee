"""Whether ``sync()`` can be called at all, so that a wrong signature is refused at the start and not in the first run."""

import inspect
from collections.abc import Callable
from typing import Any

from omni_connector.exceptions import ConfigurationError

WANTED = "sync(self, source_config, credentials, state, ctx)"
YIELDS = "{name}.sync contains yield, so that calling it reads nothing: call ctx.emit(document) instead."


def require_sync_signature(sync: Callable[..., Any], name: str) -> None:
    """Refuse a ``sync`` that yields, or that does not take the four arguments that it is called with.

    Args:
        sync: the bound method.
        name: of the connector's class.

    Raises:
        ConfigurationError: says what it takes and what to write.
    """
    for function in (sync, inspect.unwrap(sync)):
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise ConfigurationError(YIELDS.format(name=name))
    try:  # A decorator may add or take arguments: what counts is what is called, not what it wraps.
        signature = inspect.signature(sync, follow_wrapped=False)
    except (TypeError, ValueError):  # Some callables made in C have none.
        return
    try:
        signature.bind("source_config", "credentials", "state", "ctx")
    except TypeError as error:
        colour = "async def" if inspect.iscoroutinefunction(sync) else "def"
        raise ConfigurationError(
            f"{name}.sync takes {_takes(signature)}, but is called with four arguments by position. "
            f"Write: {colour} {WANTED}"
        ) from error


def _takes(signature: inspect.Signature) -> str:
    return f"({', '.join(str(each).partition(':')[0] for each in signature.parameters.values())})"
