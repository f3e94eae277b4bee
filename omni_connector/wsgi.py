"""The application for a WSGI server: ``OMNI_CONNECTOR=package.module:Class gunicorn omni_connector.wsgi:app``."""

from omni_connector.exceptions import ConfigurationError
from omni_connector.server import create_app_from_environ
from omni_connector.serving.gunicorn_server import startup_error

try:
    app = create_app_from_environ()
except ConfigurationError as _error:
    raise startup_error(_error) from None
