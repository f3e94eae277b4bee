"""One run of ``run --watch``, in a process of its own: ``python -m omni_connector.cli.watched_run NUMBER run TARGET ...``.

NUMBER is that of an inherited file, into which the paths of the connector's own files are written.
"""

import os
import sys
from pathlib import Path

from omni_connector.cli.main import cli
from omni_connector.code_location import is_of_author


def main() -> None:
    """Run the command, and report the files whatever comes of it."""
    number, arguments = int(sys.argv[1]), sys.argv[2:]
    os.set_inheritable(number, False)  # noqa: FBT003 - the function's own signature.
    try:
        cli(args=arguments, prog_name="omni-connector")
    finally:
        with os.fdopen(number, "w", encoding="utf-8", errors="surrogateescape") as report:
            report.write("\n".join(author_files()))


def author_files() -> list[str]:
    """Return the files of all modules that are the author's."""
    files = {getattr(module, "__file__", None) or "" for module in list(sys.modules.values())}
    return sorted(str(Path(each).resolve()) for each in files if each and is_of_author(each))


if __name__ == "__main__":
    main()
