"""The directory in which the embedded manager keeps its data."""

from pathlib import Path

from omni_connector.exceptions import ConfigurationError


def prepare_data_dir(directory: Path) -> Path:
    """Make the directory when it is missing: for its owner only, because credentials are kept in it.

    Raises:
        ConfigurationError: it cannot be made.
    """
    try:
        if not directory.exists():
            directory.mkdir(mode=0o700, parents=True)
            (directory / ".gitignore").write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"--data {directory}: the directory cannot be made: {error.strerror or error}. Name another one."
        ) from error
    return directory
