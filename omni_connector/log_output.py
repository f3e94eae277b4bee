"""Shows the log of the syncs where nobody has set up logging: in servers that configure their own logs only."""

import logging


def show_log() -> None:
    """Show the log of the package on standard error, unless the application has set up logging itself, now or later."""
    logger = logging.getLogger("omni_connector")
    if logging.getLogger().handlers or logger.handlers:
        return
    handler = logging.StreamHandler()
    handler.addFilter(_is_shown_by_nobody_else)
    handler.setFormatter(
        logging.Formatter("[%(asctime)s] [%(process)d] [%(levelname)s] %(name)s: %(message)s")
    )
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def _is_shown_by_nobody_else(_: logging.LogRecord) -> bool:
    """Gunicorn loads the application after the log is shown: only then does it set up logging, if it does."""
    return not logging.getLogger().handlers
