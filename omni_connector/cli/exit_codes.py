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

UNREAD: Final = SIGNALLED + 13
"""What SIGPIPE would end with."""

STATUSES: Final = {
    OK: "done; a search that finds nothing is done too",
    RUN_FAILED: "the sync run failed, timed out, or was cancelled elsewhere",
    USAGE: "the command line cannot be understood",
    CONFIGURATION: "something that it names cannot be used: target, file, data, address",
    COMPLETED_WITH_ERRORS: "the sync run completed, but some documents did not arrive or deletions await approval",
    BUG: "a bug in omni-connector",
    SIGNALLED + 2: "cancelled with Ctrl-C",
    UNREAD: "what reads its output has ended before it, such as head",
    SIGNALLED + 15: "cancelled with SIGTERM",
}

EXPLAINED: Final = "\b\nExit status:\n" + "\n".join(
    f"  {status:3}  {meaning}" for status, meaning in STATUSES.items()
)

OF_DATA = f"""\b
Exit status:
    {OK}  done; that there is nothing to show is done too
    {USAGE}  the command line cannot be understood
    {CONFIGURATION}  something that it names cannot be used: data, source, document
   {BUG}  a bug in omni-connector
  {UNREAD}  {STATUSES[UNREAD]}
"""
"""Of commands that look into the data directory."""
