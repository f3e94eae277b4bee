"""Many syncs one after another in one process: everything is back to where it was."""

from __future__ import annotations

import gc
import sys
import threading
import tracemalloc
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

import omni_connector
from benchmarks.scripted import Scripted, arrived, expected, script
from omni_connector.local import LocalManager
from omni_connector.testing import serve_connector

WARM_UP = 8
SYNCS = 120
"""More than the hundred whose reports are kept (``runtime.run_reports.KEPT_REPORTS``)."""
MORE_SYNCS = 130

KEPT_BYTES = 150_000
"""After the first: measured with tracemalloc, 50 kB after 15 runs, 85 kB after 50, 104 kB after 120. Reports are 300 bytes
each; the rest is what reuse replaces after the warm-up: handles of libcurl, a buffer of the JSON encoder, queues, caches."""
KEPT_BYTES_MORE = 50_000
"""After the others: 91 to 118 kB in all, after 150, 200 and 250 runs. 400 bytes a run would show."""

LATER = "omni-names"
"""The one thread that asks for the name of a source; it starts when a run has lasted for some seconds."""

BOTH_ENDS = 2
MOST_CONNECTIONS = 16
"""How many more may be kept open for contents than the warm-up needed: far fewer than one a sync."""

HERE = Path(omni_connector.__file__).parent
OURS = [tracemalloc.Filter(inclusive=True, filename_pattern=f"{HERE}/*")]
NOT_ITS_OWN = [
    tracemalloc.Filter(inclusive=False, filename_pattern=f"{HERE}/{room}/*") for room in ("local", "testing")
]


def descriptors() -> Counter[str]:
    """Kinds of open files, sockets among them."""
    found: Counter[str] = Counter()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            name = str(entry.readlink()).split(":")[0]
        except OSError:  # The directory itself, closed by now.
            continue
        if not name.endswith("-wal"):  # The embedded manager has it open twice while it copies the log.
            found[name] += 1
    return found


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted in /proc")
@pytest.mark.slow
def test_after_many_syncs_threads_sockets_files_and_memory_are_where_they_were(tmp_path):
    steps = script(seed=1, documents=5)
    before = (threads(), descriptors())
    with (
        LocalManager(tmp_path / "data", schedule=False) as manager,
        serve_connector(Scripted(steps), manager) as served,
    ):
        source = served.put_source()

        def sync() -> None:
            run_id = manager.trigger(source)
            assert manager.wait_for_run(run_id).status == "completed"
            for thread in threading.enumerate():
                if thread.name.endswith(run_id):
                    thread.join()

        for _ in range(WARM_UP):  # Pools fill, modules load, connections open.
            sync()
        settled = (threads(), descriptors())
        tracemalloc.start()
        try:
            kept = [grown_bytes()]
            for syncs in (SYNCS, MORE_SYNCS):
                for _ in range(syncs):
                    sync()
                kept.append(grown_bytes())
        finally:
            tracemalloc.stop()
        after = (threads(), descriptors())
        assert not {name for name in after[0] - settled[0] if not name.startswith(("omni-wire", LATER))}
        assert len([name for name in after[0] if name.startswith("omni-wire")]) <= 64
        assert after[1]["socket"] - settled[1]["socket"] <= BOTH_ENDS * MOST_CONNECTIONS
        assert {**after[1], "socket": 0} == {**settled[1], "socket": 0}
        if sys.gettrace() is None:  # A coverage tracer keeps notes of its own about our code.
            grown = [later - earlier for earlier, later in pairwise(kept)]
            assert grown[0] < KEPT_BYTES, f"{grown[0]} bytes are kept"
            assert grown[1] < KEPT_BYTES_MORE, f"{grown[1]} bytes more are kept: it does not level off"
        assert arrived(manager, source) == expected(steps)
    assert (threads(), descriptors()) == before


def grown_bytes() -> int:
    """Return what code of the SDK itself has allocated and not given back since tracing began."""
    gc.collect()
    return sum(
        trace.size
        for trace in tracemalloc.take_snapshot().filter_traces(OURS).filter_traces(NOT_ITS_OWN).traces
    )
