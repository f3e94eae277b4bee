"""What the runs of a connector share for their inventories, and the action that approves deletions."""

from typing import Any

from omni_connector.actions import declared_actions
from omni_connector.connector_base import ConnectorBase
from omni_connector.exceptions import ConnectorError
from omni_connector.inventory.approvals import APPROVE_DELETIONS, approve
from omni_connector.inventory.limits import DeletionLimits
from omni_connector.inventory.memory import MemoryInventories
from omni_connector.inventory.storage import InventoryStorage
from omni_connector.inventory.terms import InventoryTerms
from omni_connector.models import ActionResponse
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


def offers_approval(connector: ConnectorBase, action: str) -> bool:
    """Say whether this is the action that approves deletions, and not one of the connector's own of that name."""
    if action != APPROVE_DELETIONS or connector.deletion_limits is None:
        return False
    is_handmade = any(each.name == APPROVE_DELETIONS for each in connector.actions)
    return not is_handmade and APPROVE_DELETIONS not in declared_actions(type(connector)).by_name


def run_approval(storage: InventoryStorage, params: Any) -> ActionResponse:
    """Approve the deletions that a run of any process has asked for."""
    code = params.get("approval") if isinstance(params, dict) else None
    if not isinstance(code, str):
        return ActionResponse.failure("approval: give the code that the warning of a sync has named")
    try:
        return ActionResponse.success({"deletions_at_most": approve(storage, code)})
    except ConnectorError as error:
        return ActionResponse.failure(str(error))
