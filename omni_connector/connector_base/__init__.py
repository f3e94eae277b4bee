"""What a connector is to the runtime; authors subclass ``omni_connector.Connector``, which adds ``serve()``."""

from omni_connector.connector_base.base import ConnectorBase

__all__ = ["ConnectorBase"]
