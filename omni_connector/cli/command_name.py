"""What to type for this command, in messages that say what to do next."""

import shlex
import shutil
import sys
from pathlib import Path

NAME = "omni-connector"


def command_name() -> str:
    """Return the command's name; its path as it was typed where the shell does not find the name."""
    typed = sys.argv[0]
    if Path(typed).name != NAME or shutil.which(NAME) is not None:
        return NAME
    return shlex.quote(typed)
