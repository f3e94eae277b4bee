"""The gunicorn settings that we recommend: ``gunicorn -c python:omni_connector.gunicorn_conf omni_connector.wsgi:app``.

The only thing taken from the environment is ``PORT``; everything else, with its reasons, is in ``serving/gunicorn_settings.py``.
"""

from omni_connector.config import port_from_environ
from omni_connector.exceptions import ConfigurationError
from omni_connector.serving.gunicorn_settings import *  # noqa: F403 - gunicorn reads the names of this module.

try:
    bind = f"0.0.0.0:{port_from_environ()}"
except ConfigurationError as _error:  # Gunicorn would show a traceback.
    raise SystemExit(str(_error)) from None
