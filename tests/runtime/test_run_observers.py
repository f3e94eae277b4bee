"""What observers learn of runs, and that a run notices nothing of them."""

from __future__ import annotations

import threading

from support.scripted import WAIT, Holding, Scripted, emit, sync_request

from omni_connector.models import SyncConfig
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.runtime.watch import WatchTimes
from omni_connector.telemetry.figures import Stage
from omni_connector.telemetry.log_context import current_run


class Noting:
    """Keeps what it is given."""

    def __init__(self):
        self.started = []
        self.moves = []
        self.ended = []
        self.moved = threading.Event()

    def run_started(self, run):
        assert current_run() is run
        self.started.append(run)

    def run_moved(self, run, figures):
        self.moves.append((run, figures))
        self.moved.set()

    def run_ended(self, run, figures, end):
        self.ended.append((run, figures, end))


class Broken:
    def __getattr__(self, name):
        def fail(*_):
            raise RuntimeError("an observer's own mistake")

        return fail


def observed(*observers):
    return RuntimeOptions(observers=observers, watch=WatchTimes(look_seconds=0.01))


def test_an_observer_learns_of_the_beginning_the_middle_and_the_end(serve, ended):
    noting = Noting()
    connector = Holding()
    service = serve(connector, options=observed(noting))
    service.start_sync(sync_request())
    connector.meet()
    emit(connector.ctx, 1)
    noting.moved.wait(WAIT)
    connector.release.set()
    ended(service)
    (run,) = noting.started
    assert (run.connector, run.source_id, run.sync_run_id, run.sync_mode) == (
        "scripted",
        "source-1",
        "run-1",
        "full",
    )
    assert noting.moves[0][0] is run
    ((last, figures, end),) = noting.ended
    assert last is run
    assert (end.outcome, end.error) == ("completed", None)
    assert (figures.documents.emitted, figures.documents.updated, figures.batches) == (1, 1, 1)
    assert figures.buffered_documents == 0
    assert figures.bytes_delivered > len("text 1")
    assert sum(figures.stages[each] for each in (Stage.READING, Stage.WAITING_MANAGER)) > 0


def test_the_end_says_why_a_run_failed_without_its_secrets(serve, manager, ended):
    manager.config = SyncConfig(credentials={"token": "very-secret-token"})

    def fail(ctx):
        raise RuntimeError("refused: very-secret-token")

    noting = Noting()
    service = serve(Scripted(fail), options=observed(noting))
    service.start_sync(sync_request())
    ended(service)
    ((_, _, end),) = noting.ended
    assert end.outcome == "failed"
    assert end.error.startswith("RuntimeError: refused: ")
    assert "very-secret-token" not in end.error


def test_a_broken_observer_costs_a_line_in_the_log(serve, ended, caplog):
    noting = Noting()
    service = serve(Scripted(), options=observed(Broken(), noting))
    service.start_sync(sync_request())
    assert ended(service).outcome == "completed"
    assert len(noting.ended) == 1
    assert "An observer of runs failed" in caplog.text
