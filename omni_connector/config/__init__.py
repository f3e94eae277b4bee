"""Settings, read from the environment, and what they are made of."""

from omni_connector.config.addresses import in_address, is_host, is_http_address
from omni_connector.config.settings import (
    LogSettings,
    Settings,
    ca_bundle_variable,
    manager_from_environ,
    passed_on_environment,
    port_from_environ,
    variable,
    wsgi_target,
)
from omni_connector.config.variables import CELERY

__all__ = [
    "CELERY", "LogSettings", "Settings", "ca_bundle_variable", "in_address", "is_host", "is_http_address",
    "manager_from_environ", "passed_on_environment", "port_from_environ", "variable", "wsgi_target",
]  # fmt: skip
