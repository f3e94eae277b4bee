"""Many syncs one after another in one process: everything is back to where it was."""

from __future__ import annotations

import gc
import sys
import threading
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest

import omni_connector
from benchmarks.scripted import Scripted, arrived, expected, script
from omni_connector.local import LocalManager
from omni_connector.testing import serve_connector

SYNCS = 30
WARM_UP = 8
KEPT_BYTES = 90_000
"""However many runs there were: measured with tracemalloc, 58 to 61 kB after 15 runs, 69 kB after 30, 72 kB after 60; on a
busy machine, where more requests are under way at once, 76 kB after 15.

No leak, but what reuse replaces after the warm-up: handles of libcurl and their sockets (about 16 kB), a buffer of the JSON
encoder (4 kB), caches; the rest of the growth is the reports below."""

KEPT_BYTES_A_RUN = 3_000
"""A report of each of the last hundred runs is kept on purpose (``runtime.run_reports.KEPT_REPORTS``), with its figures: 1.5 to 2.5 kB each (168 kB
after 50 runs, 276 kB after 120)."""

LATER = "omni-names"
"""The one thread that asks for the name of a source; it starts when a run has lasted for some seconds."""

BOTH_ENDS = 2
MOST_CONNECTIONS = 16
"""How many more may be kept open for contents than the warm-up needed: far fewer than one a sync."""

HERE = Path(omni_connector.__file__).parent
OURS = [
    tracemalloc.Filter(inclusive=True, filename_pattern=f"{HERE}/{room}/*")
    for room in ("sync", "manager", "runtime", "models", "web")
] + [tracemalloc.Filter(inclusive=True, filename_pattern=f"{HERE}/*.py")]


def descriptors() -> Counter[str]:
    """Kinds of open files, sockets among them."""
    found: Counter[str] = Counter()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found[str(entry.readlink()).split(":")[0]] += 1
        except OSError:  # The directory itself, closed by now.
            continue
    return found


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted in /proc")
@pytest.mark.slow
def test_after_many_syncs_threads_sockets_files_and_memory_are_where_they_were(tmp_path):
    steps = script(seed=1, documents=30)
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
            first = grown_bytes()
            for _ in range(SYNCS):
                sync()
            grown = grown_bytes() - first
        finally:
            tracemalloc.stop()
        after = (threads(), descriptors())
        assert not {name for name in after[0] - settled[0] if not name.startswith(("omni-wire", LATER))}
        assert len([name for name in after[0] if name.startswith("omni-wire")]) <= 64
        assert after[1]["socket"] - settled[1]["socket"] <= BOTH_ENDS * MOST_CONNECTIONS
        assert {**after[1], "socket": 0} == {**settled[1], "socket": 0}
        if sys.gettrace() is None:  # A coverage tracer keeps notes of its own about our code.
            assert grown < KEPT_BYTES + SYNCS * KEPT_BYTES_A_RUN, f"{grown} bytes are kept"
        assert arrived(manager, source) == expected(steps)
    assert (threads(), descriptors()) == before


def grown_bytes() -> int:
    """Return what code of the SDK itself has allocated and not given back since tracing began."""
    gc.collect()
    return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces(OURS).traces)
