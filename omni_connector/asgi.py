"""The application for an ASGI server: ``OMNI_CONNECTOR=package.module:Class uvicorn omni_connector.asgi:app``."""

from omni_connector.exceptions import ConfigurationError
from omni_connector.server import as_asgi, create_app_from_environ
from omni_connector.serving.gunicorn_server import startup_error

try:
    app = as_asgi(create_app_from_environ())
except ConfigurationError as _error:
    raise startup_error(_error) from None
