"""Everything that a connector does, with its default."""

from abc import abstractmethod
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import Any, ClassVar, Generic, NoReturn

from typing_extensions import TypeVar  # With defaults: Python has them from 3.13 on.

from omni_connector.awaitables import MayAwait, hook
from omni_connector.blocking_hooks import blocking_hook
from omni_connector.connector_base.attributes import ConnectorAttributes
from omni_connector.connector_base.declared_manifest import read_manifest
from omni_connector.connector_base.mcp_hooks import McpHooks
from omni_connector.connector_base.source_states import KeepsStates
from omni_connector.exceptions import ConfigurationError
from omni_connector.models import (
    ActionResponse,
    ConnectorManifest,
    CredentialReadyRequest,
    OAuthManifestConfig,
    SkillResponse,
)
from omni_connector.models.partition import Partition
from omni_connector.sync.context import SyncContext
from omni_connector.typed import DeclaredTypes

Method = TypeVar("Method", bound=Callable[..., Any])
Config = TypeVar("Config", default=Any)
Credentials = TypeVar("Credentials", default=Any)
State = TypeVar("State", default=Any)


def needed(method: Method) -> Method:
    """As ``abstractmethod``, but unknown to type checkers: a connector with ``sync_partition`` needs no ``sync``."""
    return abstractmethod(method)


def no_sync(connector: "ConnectorBase", *_: Any) -> NoReturn:
    """Stands in for the ``sync`` of a connector that reads in partitions."""
    raise ConfigurationError(f"{type(connector).__name__} has no sync(): its source is read in partitions.")


class ConnectorBase(ConnectorAttributes, McpHooks, KeepsStates, Generic[Config, Credentials, State]):
    """The base of ``omni_connector.Connector``, where its attributes and hooks are documented."""

    declared_types: ClassVar[DeclaredTypes] = DeclaredTypes()
    """The classes of its settings, credentials and states; made of ``Connector[Settings, Token]`` or of attributes."""

    reads_partitions = False
    """Whether the class has a ``sync_partition``."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.declared_types = DeclaredTypes.of(cls, ConnectorBase)
        cls.reads_partitions = cls.sync_partition is not ConnectorBase.sync_partition
        if cls.reads_partitions and getattr(cls.sync, "__isabstractmethod__", False):
            cls.sync = no_sync  # type: ignore[method-assign]

    @property
    def masked_settings(self) -> frozenset[str]:
        """``secret_settings``, and the settings that their class declares as secret."""
        return self.declared_types.secret_names.union(self.secret_settings)

    @needed
    def sync(
        self,
        source_config: Config,
        credentials: Credentials,
        state: State | None,
        ctx: SyncContext,
        /,
    ) -> Awaitable[None] | None:
        """Read the source and emit its documents.

        Called in a thread of its own, once for each run; the arguments are passed by position. Returning ends the
        run as completed (a realtime run is started again by the manager), raising ends it as failed.

        Args:
            source_config: the source's settings.
            credentials: the source's secrets, as its provider defines them; empty when it has none.
            state: the last checkpoint, or None for a fresh start. A full run of a connector that also lists
                ``incremental`` in ``sync_modes`` starts with None, unless it is resumed from a checkpoint of its own.
            ctx: the run: its mode, what to emit to, whether it is cancelled.
        """

    def partitions(
        self,
        source_config: Config,
        credentials: Credentials,
        state: dict[str, State] | None,
        ctx: SyncContext,
        /,
    ) -> Iterable[Partition] | AsyncIterable[Partition] | Awaitable[Iterable[Partition]]:
        """Return or yield the parts in which a source is read, each by ``sync_partition``.

        Called once for each run, and again when a run is resumed; ``def`` or ``async def``. The first partitions are read
        while a generator lists the others. What it leaves out is gone: its state is forgotten when the run completes.

        Args:
            source_config: the source's settings.
            credentials: the source's secrets.
            state: the partitions' saved states by key, or None where there are none and in a full run that starts from
                nothing; ``ctx.checkpoint`` has them in any case.
            ctx: the run. It takes documents, groups and people, but has no state and no end of its own here.
        """
        raise NotImplementedError

    def sync_partition(
        self,
        partition: Partition,
        source_config: Config,
        credentials: Credentials,
        state: State | None,
        ctx: SyncContext,
        /,
    ) -> Awaitable[None] | None:
        """Read one partition; in place of ``sync``, for a source that is read in partitions (docs/how-to/big-sources.md).

        Several are read at once, in threads of this process or in other ones, so that nothing may be passed on in attributes
        of the connector. Returning ends the partition; raising makes it a failed one, while the others are read.

        Args:
            partition: as ``partitions`` gave it.
            source_config: the source's settings.
            credentials: the source's secrets.
            state: this partition's last saved state, by the rules that ``sync`` has for its own.
            ctx: the run as seen by this partition: ``save_state`` saves its state, ``complete`` and ``fail`` end it.
        """
        raise NotImplementedError

    @hook
    def migrate_state(self, state: dict[str, Any], /) -> MayAwait[dict[str, Any] | None]:
        """Convert a state that the other kind of reading has saved; called once, when a run is given one.

        Not called for a full run that starts from nothing. The default refuses: without a word, everything would be read again.

        Args:
            state: where the connector now has ``sync_partition``: what its ``sync`` had saved. Where it now has ``sync``: the
                partitions' states by key.

        Returns:
            The partitions' states by key, or the state for ``sync``; None begins anew.

        Raises:
            ConfigurationError: by default.
        """
        del state
        name = type(self).__name__
        saved_by, now, wanted = ("sync()", "sync_partition()", "the partitions' states by key")
        if not self.reads_partitions:
            saved_by, now, wanted = ("sync_partition()", "sync()", "the state for sync()")
        raise ConfigurationError(
            f"The source's state was saved by {saved_by}, and {name} now has {now}. Define {name}.migrate_state(self, state) "
            f"and return {wanted}, or None to begin anew."
        )

    @hook
    def validate_sync_request(self, *_args: Any, **_kwargs: Any) -> MayAwait[None]:
        """Refuse a run before it is accepted; by default every run is accepted.

        The manager waits for the answer: look at the arguments only, and do slow checks in ``sync``. After 20 s the run is
        refused.

        An override is given those that it accepts of ``source_config``, ``credentials``, ``sync_mode``, ``source_id``,
        ``source_type``, ``checkpoint``, ``state`` (what ``sync()`` will be given), ``connector_state``, ``sync_run_id``, ``is_resume``,
        ``last_sync_at``, and ``request``, the manager's.

        Raises:
            SyncRefusedError: the configuration or the credentials are unusable; the run fails with the message.
            SyncUnavailableError: the source cannot be synced in realtime; the manager asks again later.
        """
        return None

    @hook
    def check_connection(self, config: Config, credentials: Credentials, /) -> MayAwait[str | None]:
        """Say whether the source can be reached and read with these settings and credentials.

        Called by ``omni-connector check`` and by the action ``check_connection``, which is offered where a connector overrides
        this. Read little: an action has 28 s.

        Args:
            config: the source's settings.
            credentials: the source's secrets.

        Returns:
            None when all is well, else what is wrong and what to do about it, for people. Raising says the same.
        """
        del config, credentials
        return None

    @blocking_hook
    def execute_action(
        self,
        action: str,
        params: dict[str, Any],
        credentials: dict[str, Any],
        *_args: Any,
        **_kwargs: Any,
    ) -> MayAwait[ActionResponse]:
        """Run an action and return what the manager passes on; by default, of the MCP server if it has such a tool.

        What an override does not support, ``ActionResponse.not_supported(action)``, is looked for there as well.

        An override may also take ``source`` (the source's row, a ``Source``, or None before a source exists) and
        ``actor_email`` (the acting user's address, or None); it is given those that it accepts.

        Args:
            action: its name.
            params: its parameters, with the source's config merged in by the manager: ignore what you do not know.
            credentials: the credential row, whose own ``credentials`` are the secrets; older managers send
                the secrets themselves.

        Returns:
            An ``ActionResponse``, a dict, a Flask response (a file, any status), or an object with
            ``status_code``, ``headers`` and ``body``.
        """
        port = self.mcp_port
        if port is not None and port.offers(action, credentials):
            source = _kwargs.get("source", _args[0] if _args else None)
            return port.run_tool(action, params, credentials, source)
        return ActionResponse.not_supported(action)

    @hook
    def cancel(self, sync_run_id: str) -> MayAwait[bool]:
        """Called after the SDK has cancelled a run; for work that ``ctx`` does not know of.

        Args:
            sync_run_id: the run, which may be of another process.

        Returns:
            True when the id is a run that only this method knew; the SDK answers for its own.
        """
        del sync_run_id
        return False

    @hook
    def oauth_config(self) -> MayAwait[OAuthManifestConfig | None]:
        """Return the ``OAuthManifestConfig`` by which people connect accounts of their own, or None.

        Asked for whenever the manifest is made, so that it should not wait for anything.
        """
        return None

    @hook
    def load_skill(self, skill_id: str, *_args: Any, **_kwargs: Any) -> MayAwait[str | SkillResponse | None]:
        """Return the text of a skill that has no static ``content``, or None when it is not known here.

        An override may also take ``arguments`` (a dict) and ``credentials`` (the owner's, a dict whose own
        ``credentials`` are the secrets); it is given those that it accepts.

        Args:
            skill_id: the skill's ``id`` in ``skills``.

        Returns:
            Text, a ``SkillResponse``, or None: then it is looked for among the prompts of the MCP server.
        """
        del skill_id
        return None

    @hook
    def on_credential_ready(self, *_args: Any, **kwargs: Any) -> MayAwait[bool | ConnectorManifest | None]:
        """Called when an account was connected; refresh what depends on it.

        An override is given those that it accepts of ``source_id``, ``user_id`` (None for the source's own account),
        ``provider``, ``flow`` (``user_read`` or ``user_write``), ``credentials`` (a dict whose own ``credentials`` are
        the secrets), and ``request``, which is all of it.

        Returns:
            True or a manifest when the manifest has changed; the SDK also compares the manifests.
        """
        return self.oauth_credential_ready(kwargs["request"]) if "request" in kwargs else None

    @hook
    def oauth_credential_ready(self, request: CredentialReadyRequest) -> MayAwait[bool]:
        """The same under the name that existing connectors override; ``on_credential_ready`` calls it by default.

        Args:
            request: what happened.

        Returns:
            True when the manifest has changed.
        """
        del request
        return False

    @hook
    def get_manifest(self, connector_url: str = "") -> MayAwait[ConnectorManifest]:
        """Return what the connector announces about itself.

        Args:
            connector_url: where the manager reaches it; empty when unknown.

        Raises:
            ConfigurationError: properties have wrong types or contradict each other; lists everything.
        """
        return read_manifest(self, base=ConnectorBase, connector_url=connector_url)
