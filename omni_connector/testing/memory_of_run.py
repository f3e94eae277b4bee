"""A manager in memory as a run sees it."""

import functools
import threading
from typing import Any

from omni_connector.exceptions import SdkClientError
from omni_connector.manager.api import ManagerApi

NOT_SENT = frozenset({"for_run", "abort", "close"})
"""Methods of ``ManagerApi`` that are no calls to a manager."""


class Interruptible:
    """A memory manager whose calls are refused once a run was stopped, as ``SdkClient`` refuses them."""

    def __init__(self, manager: object, stop: threading.Event) -> None:
        self._manager = manager
        self._stop = stop

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._manager, name)
        if name in NOT_SENT or not callable(getattr(ManagerApi, name, None)):
            return member

        @functools.wraps(member)
        def call(*args: Any, **kwargs: Any) -> Any:
            if self._stop.is_set():
                raise SdkClientError(f"{name}: not sent, because the run was stopped", operation=name)
            return member(*args, **kwargs)

        return call
