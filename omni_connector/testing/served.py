"""A connector behind a real HTTP server, registered with a manager: for tests of actions, cancellation, resuming."""

from typing import Unpack

from omni_connector.connector_base import ConnectorBase
from omni_connector.exceptions import ConfigurationError
from omni_connector.local import LocalManager
from omni_connector.local_service import LocalService
from omni_connector.manager import ManagerApi, SdkClient
from omni_connector.models.json_values import JsonValue
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.testing.actions import ActionAnswer, post_action
from omni_connector.testing.sources import SourceOptions, put_source
from omni_connector.typed.state_class import plain_state


def serve_connector(
    connector: ConnectorBase,
    manager: LocalManager,
    *,
    client: ManagerApi | None = None,
    options: RuntimeOptions | None = None,
) -> "ServedConnector":
    """Serve ``connector`` on a free port and register it with ``manager``; use it as a context manager.

        with serve_connector(Notes(), omni_manager) as served:
            answer = requests.get(f"{served.url}/manifest", timeout=5)

    Args:
        connector: the connector.
        manager: a manager that runs.
        client: how the connector calls the manager, such as ``faulty_manager.client()``; straight unless given. It is
            closed with the connector.
        options: figures of the runtime, such as the size of batches; the usual ones unless given.

    Raises:
        ConfigurationError: a manager would refuse the manifest; says all that is wrong.
        SdkClientError: the manager refuses to register the connector; the message says why.
    """
    return ServedConnector(connector, manager, client=client, options=options)


def call_action(
    connector: ConnectorBase,
    action: str,
    params: JsonValue = None,
    *,
    manager: LocalManager,
    actor_email: str | None = None,
    **source: Unpack[SourceOptions],
) -> ActionAnswer:
    """Run one action of ``connector`` through the real protocol and return what its caller gets.

        answer = call_action(Feeds(), "validate_feed", {"url": url}, manager=omni_manager)
        assert answer.result == {"entries": 2}

    Args:
        connector: the connector; served for the time of the call.
        action: the action's name.
        params: its parameters; the manager adds the source's config.
        manager: a manager that runs, such as the fixture ``omni_manager``.
        actor_email: address of the acting user; no user unless given.
        source: ``config``, ``credentials`` (the connector gets them inside a credential row), ``source_id``,
            ``source_type``; see ``SourceOptions``.
    """
    with serve_connector(connector, manager) as served:
        source_id = served.put_source(**source)
        return served.call_action(action, params, source_id=source_id, actor_email=actor_email)


class ServedConnector(LocalService):
    """A ``LocalService`` with what tests do: sources, actions, the lists of an MCP server. ``close`` it."""

    def put_source(self, **source: Unpack[SourceOptions]) -> str:
        """Add a source for the connector, or change the one that is there, and return its id."""
        return put_source(self.manager, self.connector, **source)

    def call_action(
        self,
        action: str,
        params: JsonValue = None,
        *,
        source_id: str | None = None,
        actor_email: str | None = None,
    ) -> ActionAnswer:
        """Run an action through the manager; the source is made when there is none (``put_source``).

        Args:
            action: its name.
            params: its parameters; the manager adds the source's config.
            source_id: the source, unless it is the connector's only one.
            actor_email: address of the acting user; no user unless given.
        """
        source_id = self.put_source(source_id=source_id)
        return post_action(self.manager, source_id, action, params, actor_email)

    def load_mcp_catalogue(self, credentials: JsonValue = None) -> None:
        """Have the connector ask its MCP server what it offers, and register that: its tools are then actions.

        Args:
            credentials: what the server is asked with; as a sync would be given them.

        Raises:
            McpError: the server could not be asked.
            ConfigurationError: the connector declares no server.
        """
        if self.service.mirror is None:
            raise ConfigurationError(f"{self.connector.name} declares no MCP server (mcp_server)")
        self.service.mirror.bridge.discover(plain_state(credentials))
        with SdkClient(self.manager.url) as client:
            client.register(self.service.manifest())
