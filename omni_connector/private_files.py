"""Files and folders that only this account can read, from the moment they exist and whatever the umask is."""

import contextlib
import os
from pathlib import Path

OWNER_ONLY = 0o077
"""The bits of a mode that other accounts must not have."""


def make_private_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, each for its owner only; one that exists stays as it is.

    ``Path.mkdir(mode, parents=True)`` would give the mode to the last one only.

    Raises:
        OSError: it cannot be made, or a file is in its place.
    """
    if not folder.is_dir():
        if folder.parent != folder:
            make_private_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def make_private_file(path: Path) -> None:
    """Make an empty file for its owner only; one that exists stays as it is, and is not opened.

    To open and close a SQLite database beside SQLite would drop the locks that this process has on it. The files that SQLite
    puts beside a database get the mode of the database.

    Raises:
        OSError: it cannot be made.
    """
    with contextlib.suppress(FileExistsError):  # A symbolic link exists, too, wherever it leads.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
