"""The connector state of sources, for actions and other methods that have no ``ctx``: where a rotated refresh token is kept."""

from typing import Any

from omni_connector.awaitables import MayAwait
from omni_connector.blocking_hooks import blocking_hook
from omni_connector.exceptions import ConfigurationError
from omni_connector.manager.api import ManagerApi
from omni_connector.masking import register_secret, secrets_in_settings
from omni_connector.models.codec import checkpoint_of
from omni_connector.models.json_values import JsonValue


class SourceStates:
    """Reads and replaces connector states at the manager. In a coroutine each call is awaited; elsewhere it blocks.

    What they hold under a name that says so (``refresh_token``, ``password``) is masked from then on.
    """

    def __init__(self, manager: ManagerApi) -> None:
        self._manager = manager

    @blocking_hook
    def read(self, source_id: str) -> MayAwait[dict[str, Any]]:
        """Return the connector state of a source as it is now; empty when there is none.

        Raises:
            NotFoundError: there is no such source.
            SdkClientError: the manager cannot be reached, or refuses.
        """
        found = self._manager.source(source_id).connector_state
        return _masked_from_now_on(found) if isinstance(found, dict) else {}

    @blocking_hook
    def save(self, source_id: str, state: JsonValue) -> MayAwait[None]:
        """Replace the connector state of a source, in a run or outside of any; as ``ctx.save_connector_state``.

        Raises:
            InvalidValueError: it is no dict of JSON values.
            SdkClientError: the manager cannot be reached, or refuses.
        """
        notes = checkpoint_of(state, name="connector state")
        return self._manager.save_connector_state(source_id, _masked_from_now_on(notes))  # type: ignore[func-returns-value]  # None.


def _masked_from_now_on(notes: dict[str, Any]) -> dict[str, Any]:
    for secret in secrets_in_settings(notes):
        register_secret(secret)
    return notes


class KeepsStates:
    """A part of ``Connector``."""

    manager_port: ManagerApi | None = None
    """The manager; lent by the SDK while it serves the connector."""

    @property
    def source_states(self) -> SourceStates:
        """The connector states of sources, for methods that have no ``ctx``, while the connector is served.

        Raises:
            ConfigurationError: it is not served.
        """
        if self.manager_port is None:
            name = type(self).__name__
            raise ConfigurationError(
                f"{name}.source_states: there is no manager to ask; use it while the connector is served"
            )
        return SourceStates(self.manager_port)
