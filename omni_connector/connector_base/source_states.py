"""The connector state of sources, for actions and other methods that have no ``ctx``: where a rotated refresh token is kept."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from omni_connector.awaitables import MayAwait
from omni_connector.blocking_hooks import blocking_hook
from omni_connector.exceptions import ConfigurationError
from omni_connector.manager.api import ManagerApi
from omni_connector.masking import register_secret, secrets_in, secrets_in_settings
from omni_connector.models.codec import checkpoint_of
from omni_connector.models.json_values import JsonValue
from omni_connector.sources.source_run import NoRun, SharedSources

if TYPE_CHECKING:
    from omni_connector.sources.session import HttpSession
    from omni_connector.sources.session_options import HttpOptions

T = TypeVar("T")


class SourceStates:
    """Reads and replaces connector states at the manager. In a coroutine each call is awaited; elsewhere it blocks.

    What they hold under a name that says so (``refresh_token``, ``password``) is masked from then on.
    """

    def __init__(self, manager: ManagerApi, sources: SharedSources) -> None:
        self._manager = manager
        self._sources = sources

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
        with self._sources.beside_tokens(source_id, _masked_from_now_on(notes)) as whole:
            return self._manager.save_connector_state(source_id, whole)  # type: ignore[func-returns-value]  # None.


def _masked_from_now_on(notes: dict[str, Any]) -> dict[str, Any]:
    for secret in secrets_in_settings(notes):
        register_secret(secret)
    return notes


class KeepsStates:
    """A part of ``Connector``."""

    manager_port: ManagerApi | None = None
    """The manager; lent by the SDK while it serves the connector."""

    sources_port: SharedSources | None = None
    """What all readers of a source share; lent by the SDK as well."""

    def http(self, source_id: str, base_url: str = "", **options: "Unpack[HttpOptions]") -> "HttpSession":
        """Return a session that reads a source outside of a run, in an action or a webhook; use it in a ``with`` statement.

        It shares tokens, the rate and rate limits with the runs of that source. In a coroutine its calls are awaited.

        Args:
            source_id: id of the source; empty where there is none yet.
            base_url: as for ``ctx.http``, and so are the others.
            options: the same; but as somebody waits, ``retries`` is 2 and ``timeout_seconds`` 30 unless they are given.
        """
        from omni_connector.sources import http_session  # noqa: PLC0415 - loads requests.

        manager = self.manager_port
        call = _Call(
            source_id,
            shared=self.sources_port,
            credentials=partial(_credentials, manager, source_id) if manager and source_id else None,
        )
        chosen: HttpOptions = {"retries": 2, "timeout_seconds": 30, **options}
        return http_session(call, base_url=base_url, **chosen)

    @property
    def source_states(self) -> SourceStates:
        """The connector states of sources, for methods that have no ``ctx``, while the connector is served.

        Raises:
            ConfigurationError: it is not served.
        """
        if self.manager_port is None or self.sources_port is None:
            name = type(self).__name__
            raise ConfigurationError(
                f"{name}.source_states: there is no manager to ask; use it while the connector is served"
            )
        return SourceStates(self.manager_port, self.sources_port)


class _Call(NoRun):
    """An action or a webhook."""

    @blocking_hook
    def do(self, work: Callable[[], T]) -> T:
        """Do it here and now; called in a coroutine, in a thread, with an awaitable in place of its value."""
        return work()


def _credentials(manager: ManagerApi, source_id: str) -> dict[str, Any]:
    found: dict[str, Any] = manager.credentials(source_id).credentials or {}
    for secret in secrets_in(found):
        register_secret(secret)
    return found
