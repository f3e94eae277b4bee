"""Defaults of hooks that block, because they wait for a process or the network: an ``async def`` override awaits them."""

import functools
import sys
from typing import Any, cast

from omni_connector.awaitables import Hook, hook


def blocking_hook(default: Hook) -> Hook:
    """As ``awaitables.hook``, for a default that blocks.

    Called in a coroutine it returns an awaitable, and does its work in a thread, so that the loop goes on. Elsewhere it
    does its work and returns its value, which may be awaited as well.
    """
    quick = hook(default)

    @functools.wraps(default)
    def call(*args: Any, **kwargs: Any) -> Any:
        if "asyncio" not in sys.modules:
            return quick(*args, **kwargs)  # No coroutine can be calling.
        from omni_connector.event_loop import beside_the_loop  # noqa: PLC0415 - it loads asyncio.

        return beside_the_loop(functools.partial(quick, *args, **kwargs))

    return cast("Hook", call)
