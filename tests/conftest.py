"""Guards: every thread and socket that a test starts is gone after it. And the order in which rooms are tested."""

from __future__ import annotations

import gc
import os
import re
import threading
import time
import warnings
from collections import Counter
from pathlib import Path

import pytest

from omni_connector.masking.register import forget_secrets

GRACE_SECONDS = 10.0

LONG_ROOMS = ["bridges", "process", "faults", "examples", "mcp", "contract", "cli"]
"""Tested first, so that in the end no worker waits for another that began a long module last."""


SPREAD = [
    "docs/test_tutorial.py", "partitions/test_partition_merger.py", "process/test_runs_on_a_full_disk.py",
    "process/test_several_workers.py", "process/test_celery_partitions.py", "process/test_servers_and_signals.py",
    "faults/test_crashes.py", "process/test_celery.py", "process/test_gunicorn.py", "test_scaffold.py",
    "examples/test_examples_are_right.py", "faults/test_hostile.py",
    "faults/test_fault_storms.py", "faults/test_fault_matrix.py",
]  # fmt: skip
"""The longest modules, whose tests share nothing that takes long to make: each goes to whichever worker is free."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Keep the tests of a module together, as ``--dist loadscope`` does, except those of ``SPREAD``."""
    from xdist.scheduler import LoadScopeScheduling

    class Spreading(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            module = nodeid.partition("::")[0]
            return nodeid if module.removeprefix("tests/") in SPREAD else super()._split_scope(nodeid)

    return Spreading(config, log) if config.getvalue("dist") == "loadscope" else None


def pytest_xdist_auto_num_workers():
    """One more than there are processors: many tests wait for a process, a lease or a time-out."""
    return (os.cpu_count() or 1) + 1


QUICK = "not slow and not types and not docs"
"""What pyproject.toml says by itself."""

NO_QUICK_TEST = re.compile(r"^pytestmark = (\[\s*)?pytest\.mark\.(slow|types|docs)\b", re.MULTILINE)


def pytest_ignore_collect(collection_path, config):
    """Import no file of which no test is wanted, unless it was named: importing all of them takes each worker ten seconds."""
    words = {"slow": ["slow", "real_system"], "docs": ["docs"], "types": ["types", "type_checkers"]}
    expression = config.getoption("markexpr")
    is_named = any(collection_path.name in argument for argument in config.args)
    if is_named or not collection_path.match("test_*.py") or expression not in {QUICK, *words}:
        return None
    text = collection_path.read_text()
    if expression == QUICK:
        return True if NO_QUICK_TEST.search(text) else None
    return None if any(word in text for word in words[expression]) else True


def pytest_configure():
    """Refuse two modules of one name, of which pytest could import only the first."""
    names = Counter(path.name for path in Path(__file__).parent.rglob("test_*.py"))
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise pytest.UsageError(f"Two test modules have the same name, rename one: {', '.join(twice)}")


def pytest_collection_modifyitems(items):
    """Put the long modules and rooms first; each keeps its own order. Refuse names that are not the same in each worker."""
    tests = Path(__file__).parent

    def rank(item):
        path = item.path.relative_to(tests)
        room, module = path.parts[0], path.as_posix()
        first = SPREAD.index(module) if module in SPREAD else len(SPREAD)
        return first, LONG_ROOMS.index(room) if room in LONG_ROOMS else len(LONG_ROOMS)

    items.sort(key=rank)
    unstable = [item.nodeid for item in items if re.search(r"0x[0-9a-f]{6,}", item.nodeid)]
    assert not unstable, (
        f"names with an address differ between the workers of xdist, give ids: {unstable[:5]}"
    )


def pytest_runtest_logreport(report):
    """Name a failure when it happens: a run that is ended from outside prints no summary."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        crash = getattr(report.longrepr, "reprcrash", None)
        reason = (crash.message if crash else report.longreprtext)[-1000:]
        print(f"\nFAILED ({report.when}) {report.nodeid}: {reason}", flush=True)  # noqa: T201


@pytest.fixture(autouse=True)
def guard_threads():
    """Fail the test that leaves a thread behind."""
    before = set(threading.enumerate())
    yield
    leaked = [thread for thread in threading.enumerate() if thread not in before]
    for thread in leaked:
        thread.join(GRACE_SECONDS)
    still = [thread.name for thread in leaked if thread.is_alive()]
    assert not still, f"threads left behind: {still}"


@pytest.fixture(autouse=True)
def guard_secrets():
    """Mask nothing in one test that was a secret of another."""
    yield
    forget_secrets()


@pytest.fixture(autouse=True)
def guard_sockets():
    """Fail the test that leaves a socket open (only looked at where the platform lists them)."""
    before = open_sockets()
    yield
    if len(open_sockets()) > len(before):
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", ResourceWarning
            )  # An abandoned socket is counted below, not warned of.
            gc.collect()
    deadline = time.monotonic() + GRACE_SECONDS
    pause = threading.Event()
    while (left := open_sockets() - before) and time.monotonic() < deadline:
        pause.wait(0.01)  # A thread that ends may be about to close it.
    assert not left, f"sockets left open: {sorted(left)}"


@pytest.fixture(scope="session", autouse=True)
def guard_temporary_folder(tmp_path_factory):
    """Keep the machine's folder for temporary files out of what is started for several tests, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("tmp")))
        yield


@pytest.fixture(autouse=True)
def guard_environment(monkeypatch, tmp_path):
    """Keep the real home directory, that for temporary files, and the real CONNECTOR_* settings out of every test."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    temporary = tmp_path / "tmp"  # For the processes that the test starts.
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    for name in list(os.environ):
        if name.startswith(("CONNECTOR_", "OMNI_")) or name == "PORT":
            monkeypatch.delenv(name)


def open_sockets() -> set[str]:
    """Return the kernel's names of this process's open sockets, empty where /proc is missing."""
    found = set()
    directory = Path("/proc/self/fd")
    if not directory.exists():
        return found
    for entry in directory.iterdir():
        try:
            target = entry.readlink().name
        except OSError:
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory, worker_id):
    """A folder of this session, the same for all workers of xdist."""
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent
