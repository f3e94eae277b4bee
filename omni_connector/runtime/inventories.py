"""What the runs of a connector have in common for their inventories."""

from omni_connector.connector_base import ConnectorBase
from omni_connector.inventory.limits import DeletionLimits
from omni_connector.inventory.memory import MemoryInventories
from omni_connector.inventory.of_run import InventoryTerms
from omni_connector.runtime.options import RuntimeOptions


def inventory_terms(connector: ConnectorBase, options: RuntimeOptions) -> InventoryTerms:
    """Return what the connector says of its inventories, and where they are kept."""
    every = connector.reconcile_every
    return InventoryTerms(
        storage=options.inventory or MemoryInventories(),
        limits=connector.deletion_limits or DeletionLimits(),
        reconcile_seconds=None if every is None else every.total_seconds(),
        has_action=connector.deletion_limits is not None,
    )
