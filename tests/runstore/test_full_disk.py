"""A SQLite file on a disk that is full: a limit on the size of files has the same effect."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import resource, sys, time
from pathlib import Path
from omni_connector.exceptions import RunStoreError
from omni_connector.runstore.keeper import LeaseKeeper
from omni_connector.runstore.leases import KeeperTimes
from omni_connector.runstore.sqlite import SqliteStore
from omni_connector.runstore.store import Claim

path = Path(sys.argv[1])
store = SqliteStore(path, "notes")
keeper = LeaseKeeper(store, KeeperTimes(renew_seconds=3600, idle_seconds=3600))
lease = keeper.take(Claim.of("run", value=b"1"))
full = path.with_name(path.name + "-wal").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
try:
    store.put("checkpoint", b"x" * 1_000_000, 60)
except RunStoreError as error:
    print("refused:", error)
keeper.renew()
print("away:", keeper.is_away, "assured:", lease.is_assured())
print("read:", store.holder("run"), store.get("checkpoint"))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
keeper.renew()
store.put("checkpoint", b"y", 60)
print("back:", not keeper.is_away, lease.is_assured(), store.holder("run"), store.get("checkpoint"))
keeper.close()
store.close()
"""


def test_a_full_disk_refuses_changes_keeps_what_is_there_and_heals(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "runs.sqlite3")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    refused, away, read, back = done.stdout.splitlines()
    assert refused.startswith(f"refused: The run store {tmp_path}/runs.sqlite3 cannot be used now: ")
    assert away == "away: True assured: True"
    assert read == "read: b'1' None"
    assert back == "back: True True b'1' b'y'"
