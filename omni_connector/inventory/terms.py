"""What the runs of one connector have in common for their inventories."""

from attrs import field, frozen

from omni_connector.inventory.limits import DeletionLimits
from omni_connector.inventory.memory import MemoryInventories
from omni_connector.inventory.storage import InventoryStorage


@frozen(kw_only=True)
class InventoryTerms:
    """Handed to each run.

    Attributes:
        storage: where inventories are kept.
        limits: how many documents may be deleted without approval.
        reconcile_seconds: how often a source is listed completely; None: only in full runs.
        has_action: approvals can be given by an action.
    """

    storage: InventoryStorage = field(factory=MemoryInventories)
    limits: DeletionLimits = field(factory=DeletionLimits)
    reconcile_seconds: float | None = None
    has_action: bool = False
