"""Whether a source can be read at all, so that a wrong signature is refused at the start and not in the first run."""

import inspect
from collections.abc import Callable
from typing import Any

from omni_connector.connector_base.base import ConnectorBase, no_sync
from omni_connector.exceptions import ConfigurationError

READS = ("source_config", "credentials", "state", "ctx")
NUMBERS = {4: "four", 5: "five"}


YIELDS = "{name} contains yield, so that calling it reads nothing: call ctx.emit(document) instead."


def require_reader(connector: ConnectorBase) -> None:
    """Refuse a connector whose ``sync``, or ``partitions`` and ``sync_partition``, cannot be called.

    Raises:
        ConfigurationError: says what is missing, or what to write.
    """
    kind = type(connector)
    name = kind.__name__
    connector.declared_types.require_usable()
    if not connector.reads_partitions:
        if kind.partitions is not ConnectorBase.partitions:
            raise ConfigurationError(
                f"{name} has partitions() without sync_partition(): add the method that reads one of them."
            )
        require_signature(connector.sync, f"{name}.sync", *READS)
        require_no_generator(connector.sync, f"{name}.sync")
        return
    if kind.sync is not no_sync:
        raise ConfigurationError(
            f"{name} has both sync() and sync_partition(): remove one, since a source is read by one of them."
        )
    if kind.partitions is ConnectorBase.partitions:
        raise ConfigurationError(
            f"{name} has sync_partition() without partitions(): add the method that lists them."
        )
    require_signature(connector.partitions, f"{name}.partitions", *READS)
    require_signature(connector.sync_partition, f"{name}.sync_partition", "partition", *READS)
    require_no_generator(connector.sync_partition, f"{name}.sync_partition")
    workers: object = connector.partition_workers
    if type(workers) is not int or workers < 1:
        raise ConfigurationError(f"{name}.partition_workers is {workers!r}: give a whole number from 1 on.")


def require_signature(method: Callable[..., Any], name: str, *arguments: str) -> None:
    """Refuse a bound method that does not take these arguments, which are named as they should be written.

    Raises:
        ConfigurationError: says what it takes and what to write.
    """
    try:  # A decorator may add or take arguments: what counts is what is called, not what it wraps.
        signature = inspect.signature(method, follow_wrapped=False)
    except (TypeError, ValueError):  # Some callables made in C have none.
        return
    try:
        signature.bind(*arguments)
    except TypeError as error:
        colour = "async def" if inspect.iscoroutinefunction(method) else "def"
        wanted = f"{name.rpartition('.')[2]}({', '.join(('self', *arguments))})"
        raise ConfigurationError(
            f"{name} takes {_takes(signature)}, but is called with {NUMBERS[len(arguments)]} arguments by position. "
            f"Write: {colour} {wanted}"
        ) from error


def require_no_generator(method: Callable[..., Any], name: str) -> None:
    """Refuse a method that reads the source and yields.

    Raises:
        ConfigurationError: it is a generator function.
    """
    for function in (method, inspect.unwrap(method)):
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise ConfigurationError(YIELDS.format(name=name))


def _takes(signature: inspect.Signature) -> str:
    return f"({', '.join(str(each).partition(':')[0] for each in signature.parameters.values())})"
