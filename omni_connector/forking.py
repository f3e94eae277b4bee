"""What happens to threads and locks in a process that was forked: the child has none of the threads, and locks as they stood.

An object that owns threads says how it begins anew in the child; nothing of the parent's is touched there.
"""

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    """Owns threads or locks."""

    def after_fork(self) -> None:
        """Begin anew; called in the child, which has one thread."""


def begins_anew(owner: Forkable) -> None:
    """Call ``after_fork`` of this object in every process that is forked from now on, as long as it lives."""
    _owners.add(owner)


def _after_fork() -> None:
    for owner in list(_owners):
        owner.after_fork()


_owners: "weakref.WeakSet[Forkable]" = weakref.WeakSet()

if hasattr(os, "register_at_fork"):  # Not on Windows, which does not fork.
    os.register_at_fork(after_in_child=_after_fork)
