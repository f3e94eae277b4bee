"""A resumed run counts on from the manager's figures."""

from __future__ import annotations

import attrs
import pytest
from support.scripted import Scripted, emit, sync_request

from omni_connector import Settings
from omni_connector.exceptions import ManagerUnreachableError
from omni_connector.runtime.service import ConnectorService
from omni_connector.sync.counters import Counters
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
