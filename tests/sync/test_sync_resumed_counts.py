"""A resumed run counts on from the manager's figures."""

from __future__ import annotations

import contextlib
import functools

import attrs
import pytest
from support.scripted import Scripted, emit, sync_request

from omni_connector import Settings
from omni_connector.exceptions import ManagerUnreachableError, SyncCancelledError, SyncFinishedError
from omni_connector.runtime.service import ConnectorService
from omni_connector.sync.counters import Counters
from omni_connector.sync.covered import CoveredCounts
from omni_connector.sync.run_info import RunInfo

RUN = RunInfo(sync_run_id="run-1", source_id="source-1", is_resume=True, has_own_checkpoint=True)
OWN = {"checkpoint": {"cursor": 1}}
"""What a run has saved before it was lost; the source's is absent."""


@pytest.fixture
def resumed(manager, closing):
    def start(script, **request):
        connector = Scripted(script)
        service = closing(ConnectorService(connector, Settings(manager_url="http://manager"), manager))
        service.start_sync(sync_request(**request))
        manager.wait_for(lambda one: one.statuses)
        return connector.ctx

    return start


def work(ctx):
    ctx.increment_scanned(2)
    emit(ctx, 1)
    ctx.save_state({"seen": [ctx.documents_scanned, ctx.documents_emitted]})


def test_a_resumed_run_goes_on_from_the_managers_figures(manager, resumed):
    manager.scanned, manager.updated = 70, 30
    ctx = resumed(work, is_resume=True, **OWN)
    assert manager.checkpoint == {"seen": [72, 31]}
    assert (ctx.documents_scanned, ctx.documents_emitted) == (72, 31)
    assert (manager.scanned, manager.updated) == (72, 31)
    (complete,) = [call.args for call in manager.calls if call.operation == "complete"]
    assert (complete["scanned"], complete["updated"]) == (72, 31)


def test_figures_in_the_dispatch_save_the_question(manager, resumed):
    manager.scanned, manager.updated = 70, 30
    ctx = resumed(work, is_resume=True, documents_scanned=70, documents_updated=30, **OWN)
    assert (ctx.documents_scanned, ctx.documents_emitted) == (72, 31)
    assert "progress" not in manager.operations()


def test_a_run_that_begins_again_starts_at_zero(manager, resumed):
    manager.scanned = 70
    ctx = resumed(work)
    assert (ctx.documents_scanned, ctx.documents_emitted) == (2, 1)


def test_where_the_manager_cannot_be_asked_at_first_it_is_before_the_first_report(manager):
    manager.scanned, manager.updated = 70, 30
    counters = Counters(attrs.evolve(RUN), manager)
    manager.on("progress", ManagerUnreachableError("gone"))
    counters.carry_over()
    counters.scanned(2)
    assert counters.total_scanned == 2
    manager.on("progress", None)
    counters.release_all()
    counters.report()
    assert (counters.total_scanned, counters.total_updated, manager.scanned) == (72, 30, 72)


def test_a_run_that_is_resumed_without_a_checkpoint_of_its_own_takes_its_figures_back(manager, resumed):
    """It emits everything again."""
    manager.scanned, manager.updated = 70, 30
    ctx = resumed(work, is_resume=True)
    assert (ctx.documents_scanned, ctx.documents_emitted) == (2, 1)
    assert (manager.scanned, manager.updated) == (2, 1)


def test_what_lies_behind_the_last_checkpoint_is_counted_with_the_next_or_at_the_end(manager, resumed):
    seen = []

    def script(ctx):
        for number in range(3):
            ctx.increment_scanned()
            emit(ctx, number)
            ctx.flush()
            seen.append((manager.scanned, manager.updated))
            if number < 2:
                ctx.save_state({"number": number})
                seen.append((manager.scanned, manager.updated))

    resumed(script)
    assert seen == [(1, 1), (1, 1), (1, 1), (2, 2), (2, 2)]
    assert (manager.scanned, manager.updated) == (3, 3)


def test_a_run_that_fails_counts_what_it_has_done(manager, resumed):
    def script(ctx):
        ctx.save_state({"number": 0})
        ctx.increment_scanned(2)
        emit(ctx, 1)
        ctx.fail("enough")

    resumed(script)
    assert (manager.scanned, manager.updated) == (2, 1)


DOCUMENTS = 7
CALLS = ("send_events", "save_checkpoint", "add_scanned", "add_updated", "progress", "complete", "fail")


class Note:
    """What outlives the processes of a run: a note in the run store."""

    value = None

    def put(self, value):
        self.value = value

    def get(self):
        return self.value


class Mortal:
    """The manager as a process sees it that is killed right before one of its calls: nothing more of it arrives."""

    def __init__(self, manager, kill_at):
        self._manager = manager
        self._left = kill_at

    def for_run(self, stop):
        return self

    def __getattr__(self, name):
        call = getattr(self._manager, name)
        return functools.partial(self._call, call) if name in CALLS else call

    def _call(self, call, *args, **kwargs):
        self._left -= 1
        if self._left < 0:
            raise SyncCancelledError("run-1", "killed")
        return call(*args, **kwargs)


def read(rig, end):
    """What the connector does: read from its checkpoint to the end, saving its place after every second document."""
    ctx = rig.ctx
    rig.sync.checkpoints.begin()
    first = (rig.sync.checkpoints.resume_point or {}).get("next", 0)
    for number in range(first, DOCUMENTS):
        ctx.increment_scanned()
        emit(ctx, number)
        if number % 2:
            ctx.save_state({"next": number + 1})
    getattr(rig.sync, end)(*(["enough"] if end == "fail" else []))


@pytest.mark.parametrize("end", ["complete", "fail"])
@pytest.mark.parametrize("second", [0, 1, 2, 3, 5, 100])
@pytest.mark.parametrize("first", range(16))
def test_counts_are_exact_wherever_processes_are_killed(manager, make_context, first, second, end):
    note = Note()
    for number, kill_at in enumerate((first, second, 1000)):
        saved = manager.checkpoints.get("run-1")
        rig = make_context(
            over=Mortal(manager, kill_at),
            covered=CoveredCounts(note),
            is_resume=number > 0,
            may_have_begun=number > 0,
            checkpoint=saved,
            has_own_checkpoint=saved is not None,
        )
        with contextlib.suppress(SyncCancelledError, SyncFinishedError):
            read(rig, end)
        rig.sync.close()
        if manager.statuses:
            break
    assert manager.statuses
    assert (manager.scanned, manager.updated) == (DOCUMENTS, DOCUMENTS)


def test_a_checkpoint_that_was_saved_twice_leaves_the_managers_figures(manager, make_context):
    """It cannot be known whether the second was saved before the process was killed."""
    note = Note()
    for counts in (3, 5):
        covered = CoveredCounts(note)
        covered.saving({"page": 1}, {"scanned": 3, "updated": 3})
        covered.saved()
        covered.saving({"page": 1}, {"scanned": counts, "updated": counts})
    assert CoveredCounts(note).of({"page": 1}) is None
    assert CoveredCounts(Note()).of({"page": 1}) is None
