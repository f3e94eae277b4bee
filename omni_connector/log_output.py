"""Shows the log of the syncs where no logging is set up: in servers that configure only their own logs."""

import logging


def show_log() -> None:
    """Show the log of the package on standard error, unless the application has set up logging itself, now or later."""
    logger = logging.getLogger("omni_connector")
    if logging.getLogger().handlers or logger.handlers:
        return
    handler = logging.StreamHandler()
    handler.addFilter(_is_not_shown_elsewhere)
    handler.setFormatter(
        logging.Formatter("[%(asctime)s] [%(process)d] [%(levelname)s] %(name)s: %(message)s")
    )
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def _is_not_shown_elsewhere(_: logging.LogRecord) -> bool:
    """Gunicorn loads the application after the log is shown: only then does it set up logging, if it does."""
    return not logging.getLogger().handlers
