"""The application for Celery: ``OMNI_CONNECTOR=package.module:Class celery -A omni_connector.worker worker``."""

from omni_connector.exceptions import ConfigurationError
from omni_connector.server import create_worker_from_environ
from omni_connector.serving.gunicorn_server import startup_message

try:
    app = create_worker_from_environ()
except ConfigurationError as _error:
    raise SystemExit(startup_message(_error)) from None
