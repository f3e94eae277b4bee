"""Gunicorn's own lines, its access log included, in the form of all others."""

from typing import Any

from gunicorn.glogging import Logger

from omni_connector.config import LogSettings
from omni_connector.exceptions import ConfigurationError
from omni_connector.telemetry.logs import formatter_of


class GunicornLogger(Logger):
    """What ``logger_class`` of our gunicorn settings names."""

    def setup(self, cfg: Any) -> None:
        """Set up as gunicorn does, with our form of lines."""
        super().setup(cfg)
        show_as_ours(self)


def show_as_ours(logger: Any) -> None:
    """Give the handlers that gunicorn has made for its log files our form of lines, unless it has a ``logconfig``."""
    if logger.cfg.logconfig or logger.cfg.logconfig_dict or logger.cfg.logconfig_json:
        return
    try:
        formatter = formatter_of(LogSettings.from_environ())
    except ConfigurationError:  # Reported when the application is loaded.
        formatter = formatter_of(LogSettings())
    for each in (logger.error_log, logger.access_log):
        for handler in each.handlers:
            if getattr(handler, "_gunicorn", False):  # Not those for syslog.
                handler.setFormatter(formatter)
