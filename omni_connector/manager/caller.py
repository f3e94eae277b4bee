"""Makes the calls of ``SdkClient``, and takes the old way where a manager lacks a route."""

from typing import TypeVar

from omni_connector.exceptions import UnsupportedByManagerError
from omni_connector.manager.calls import Call
from omni_connector.manager.compatibility import Compatibility, Feature
from omni_connector.manager.means import Owner
from omni_connector.manager.sender import Sender

T = TypeVar("T")


class Caller:
    """Base of the groups of calls."""

    _sender: Sender
    _owner: Owner
    _compatibility: Compatibility

    def _do(self, call: Call[T]) -> T:
        return self._sender.call(call, self._owner)

    def _try(self, feature: Feature, call: Call[T], *, otherwise: T | None) -> T | None:
        """Return what the call does, or something else where the manager has no such route."""
        if not self._compatibility.lacks(feature):
            try:
                value = self._do(call)
            except UnsupportedByManagerError:
                if not self._compatibility.missed(feature):
                    raise
            else:
                self._compatibility.found(feature)
                return value
        return otherwise
