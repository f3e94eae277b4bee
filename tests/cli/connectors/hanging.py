"""A connector whose import takes for ever."""

import sys
import time

print("importing", flush=True)  # noqa: T201 - a connector may print.
time.sleep(60)
sys.exit("nobody stopped the import")
