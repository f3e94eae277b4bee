"""Connects to Redis."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from omni_connector.exceptions import ConfigurationError, RunStoreError

if TYPE_CHECKING:
    import redis


def make_client(url: str, variable: str, *, seconds: float, attempts: int) -> "redis.Redis":
    """Return a client; nothing is connected yet.

    Args:
        url: of the server.
        variable: where the address comes from, for messages.
        seconds: how long a call waits.
        attempts: how often it is repeated: once at least, on a new connection, because a kept one may have died.

    Raises:
        ConfigurationError: the extra ``[redis]`` is not installed, or the address is none.
    """
    try:
        import redis  # noqa: PLC0415 - an extra.
        from redis.backoff import ExponentialBackoff, NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(
            f"{variable} names Redis, and the package for it is missing. Type: pip install 'omni-connector[redis]'"
        ) from error
    backoff = NoBackoff() if attempts == 1 else ExponentialBackoff(cap=2.0, base=0.1)
    try:
        return redis.Redis.from_url(
            url, socket_timeout=seconds, socket_connect_timeout=seconds, retry=Retry(backoff, attempts)
        )
    except ValueError as error:
        raise ConfigurationError(
            f"{variable} is not the address of a Redis. Type: export {variable}=redis://localhost:6379/0"
        ) from error


@contextlib.contextmanager
def reached(what: str, label: str) -> Iterator[None]:
    """Around a call.

    Raises:
        RunStoreError: Redis cannot be used now.
    """
    import redis  # noqa: PLC0415 - an extra.

    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise RunStoreError(f"The {what}, {label}, cannot be used now: {error}") from error
