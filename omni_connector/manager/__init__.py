"""How a connector reports to the manager."""

from omni_connector.manager.api import ManagerApi
from omni_connector.manager.client import SdkClient
from omni_connector.manager.retry import Policies, RetryPolicy

__all__ = ["ManagerApi", "Policies", "RetryPolicy", "SdkClient"]
