"""An event that is set at the worst moment."""

from __future__ import annotations

import threading


class SetTooEarly(threading.Event):
    """Set once more right before it is first cleared, as another thread would: what that one wants must be looked at after.

    Args:
        before: what the other thread does before it sets the event.
    """

    def __init__(self, before) -> None:
        super().__init__()
        self.before = before

    def clear(self) -> None:
        before, self.before = self.before, None
        if before is not None:
            before()
            self.set()
        super().clear()
