"""Classes and signatures of authors as JSON: their schema, and how values are checked and converted."""

from omni_connector.typed.declared_types import DeclaredTypes
from omni_connector.typed.fields import secret, setting
from omni_connector.typed.typed_class import TypedClass

__all__ = ["DeclaredTypes", "TypedClass", "secret", "setting"]
