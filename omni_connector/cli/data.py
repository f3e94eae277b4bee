"""The directory in which the embedded manager keeps its data."""

from pathlib import Path

from omni_connector.exceptions import ConfigurationError
from omni_connector.private_files import make_private_file, make_private_folder


def prepare_data_dir(directory: Path) -> Path:
    """Make the directory when it is missing: for its owner only, because credentials are kept in it.

    Raises:
        ConfigurationError: it cannot be made.
    """
    try:
        if not directory.exists():
            make_private_folder(directory)
            make_private_file(directory / ".gitignore")
            (directory / ".gitignore").write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"--data {directory}: the directory cannot be made: {error.strerror or error}. Name another one."
        ) from error
    return directory
