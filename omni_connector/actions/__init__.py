"""Actions as typed methods: ``@action``, and what is made of the methods that carry it."""

from omni_connector.actions.collection import DeclaredAction, DeclaredActions, declared_actions
from omni_connector.actions.decorator import action

__all__ = ["DeclaredAction", "DeclaredActions", "action", "declared_actions"]
