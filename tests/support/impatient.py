"""The connector of ``support.ending``, in a process that waits only a moment for the rest of a body."""

from omni_connector.web import bodies
from support.ending import Ending

__all__ = ["Ending"]

bodies.SILENCE_SECONDS = 1.0
