"""What the command's exit status says."""

from typing import Final

OK: Final = 0
RUN_FAILED: Final = 1
USAGE: Final = 2
CONFIGURATION: Final = 3
COMPLETED_WITH_ERRORS: Final = 4
BUG: Final = 70
SIGNALLED: Final = 128
"""Plus the signal's number, as shells do: 130 after Ctrl-C, 143 after SIGTERM."""

EXPLAINED = """\b
Exit status:
    0  done; a search that finds nothing is done too
    1  the sync run failed, timed out, or was cancelled by somebody else
    2  the command line cannot be understood
    3  something that it names cannot be used: target, file, data, address
    4  the sync run completed, but with errors: some documents did not arrive,
       or deletions await approval
   70  a bug in omni-connector
  130  cancelled with Ctrl-C (143: with SIGTERM)
"""

OF_DATA = f"""\b
Exit status:
    {OK}  done; that there is nothing to show is done too
    {USAGE}  the command line cannot be understood
    {CONFIGURATION}  something that it names cannot be used: data, source, document
   {BUG}  a bug in omni-connector
"""
"""Of commands that look into the data directory."""
