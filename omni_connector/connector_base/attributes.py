"""Everything that a connector says about itself, with its default."""

import datetime as dt
from abc import ABC, abstractmethod
from typing import Any

from omni_connector.connector_base.overridable import overridable
from omni_connector.inventory.limits import DeletionLimits
from omni_connector.models import ActionDefinition, SearchOperator, SkillDefinition
from omni_connector.sync.ledger import ErrorLimits


class ConnectorAttributes(ABC):
    """Attributes of a connector: properties or plain class attributes of its class."""

    @overridable
    @abstractmethod
    def name(self) -> str:
        """Name of the connector, unique at the manager; also its id there."""

    @overridable
    @abstractmethod
    def version(self) -> str:
        """Version of the connector."""

    @overridable
    def display_name(self) -> Any:
        """Name for people; the connector's name unless overridden."""
        return self.name

    @overridable
    def description(self) -> str | None:
        """What it connects, in a sentence, or None."""
        return None

    @overridable
    def sync_modes(self) -> list[str]:
        """Modes that the manager may schedule: ``full``, ``incremental``, ``realtime``. Just ``full`` by default."""
        return ["full"]

    @overridable
    def source_types(self) -> list[str]:
        """Types of sources that it reads; the connector's name unless overridden.

        A source row can only have one of the manager's built-in types (PROTOCOL, section 2).
        """
        return [self.name]

    @overridable
    def actions(self) -> list[ActionDefinition]:
        """Actions that ``execute_action`` knows; none by default. Methods with ``@action`` are added to them."""
        return []

    @overridable
    def search_operators(self) -> list[SearchOperator]:
        """Words for searches in the documents' attributes; none by default."""
        return []

    @overridable
    def read_only(self) -> bool:
        """Whether the manager refuses actions that write; False by default."""
        return False

    @overridable
    def extra_schema(self) -> dict[str, Any] | None:
        """JSON Schema of ``DocumentMetadata.extra``, or None."""
        return None

    @overridable
    def attributes_schema(self) -> dict[str, Any] | None:
        """JSON Schema of ``Document.attributes``, or None.

        A string property of ``format: email`` says that its values are people. Managers look it up by source type
        and find it under the connector's name, so that it works where the two are equal (PROTOCOL, section 19).
        """
        return None

    @overridable
    def skills(self) -> list[SkillDefinition]:
        """Instructions for a model; none by default.

        Without ``content``, they are loaded through ``load_skill``.
        """
        return []

    @overridable
    def error_limits(self) -> ErrorLimits:
        """How many documents may fail before the run does; see ``ErrorLimits`` for the defaults."""
        return ErrorLimits()

    @overridable
    def deletion_limits(self) -> DeletionLimits | None:
        """How many documents ``inventory.finish()`` may delete without approval; a ``DeletionLimits``.

        Where it is set, the connector offers the action ``approve_deletions``. None, the default, has the same limits as
        ``DeletionLimits()``, and no action (docs/how-to/deletions.md).
        """
        return None

    @overridable
    def reconcile_every(self) -> dt.timedelta | None:
        """How often a source that is asked for changes only is listed completely; see ``Inventory.reconciliation_due``.

        None, the default: only in full runs, of which the manager schedules one.
        """
        return None

    @overridable
    def secret_settings(self) -> list[str]:
        """Names of settings (keys of ``source_config`` at any depth) whose values are masked like credentials; none by default.

        Names that say so (``api_key``, ``botToken``, ``password``) need not be listed; see docs/how-to/secrets.md.
        """
        return []

    @overridable
    def partition_workers(self) -> int:
        """Partitions of one run that a process reads at once, each in a thread of its own; 4 by default."""
        return 4
