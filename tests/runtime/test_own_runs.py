"""Runs that a connector opens by itself, outside of ``sync()``: what a webhook brings."""

from __future__ import annotations

import threading

import pytest
from flask import Flask
from support.scripted import WAIT, Holding, Scripted, emit, sync_request

from omni_connector import ConfigurationError, NotFoundError, RunConflictError, Settings
from omni_connector.exceptions import SyncConflictError, SyncStartError
from omni_connector.models import SyncConfig
from omni_connector.server import create_blueprint, service_of

SETTINGS = Settings(manager_url="http://manager")


def test_work_is_done_in_a_run_of_its_own(serve, manager, ended):
    manager.config = SyncConfig(checkpoint={"cursor": 1}, credentials={"token": "t"})
    connector = Scripted()
    service = serve(connector)
    seen = []

    def work(ctx):
        seen.append((ctx.sync_run_id, ctx.source_id, ctx.sync_mode, ctx.state, ctx.is_resume))
        emit(ctx, 1)

    run_id = service.start_own_run("s-1", work)
    assert ended(service, run_id).outcome == "completed"
    assert seen == [(run_id, "s-1", "incremental", {"cursor": 1}, False)]
    assert connector.syncs == []
    assert [event["sync_run_id"] for event in manager.events] == [run_id]
    assert manager.checkpoints == {run_id: {"cursor": 1}}  # Or completing would erase the source's.
    assert (manager.statuses, service.is_running(run_id)) == ({run_id: "completed"}, False)
    assert [call.args for call in manager.calls if call.operation == "create_run"] == [
        {"source_id": "s-1", "sync_mode": "incremental"}
    ]


def test_async_work_awaits_its_calls(serve, manager, ended):
    service = serve(Scripted())

    async def work(ctx):
        await emit(ctx, 1)
        await ctx.save_state({"cursor": 2})

    run_id = service.start_own_run("s-1", work, sync_mode="full")
    assert ended(service, run_id).outcome == "completed"
    assert (len(manager.events), manager.checkpoint) == (1, {"cursor": 2})


def test_work_that_raises_fails_its_run(serve, manager, ended):
    service = serve(Scripted())
    run_id = service.start_own_run("s-1", lambda ctx: 1 / 0)
    assert ended(service, run_id).outcome == "failed"
    assert manager.error.startswith("ZeroDivisionError")


def test_it_is_reported_as_running_holds_the_slot_and_can_be_cancelled(serve, manager, ended):
    service = serve(Scripted())
    begun, release = threading.Event(), threading.Event()

    def work(ctx):
        begun.set()
        ctx.sleep(3600)
        assert release.wait(WAIT)

    run_id = service.start_own_run("s-1", work)
    assert begun.wait(WAIT)
    assert service.is_running(run_id)
    with pytest.raises(SyncConflictError):
        service.start_sync(sync_request(run="other", source="s-1"))
    service.start_sync(sync_request(run=run_id, source="s-1", is_resume=True))  # A probe that came too early.
    assert service.cancel(run_id)
    release.set()
    assert ended(service, run_id).outcome == "cancelled"
    assert manager.statuses == {}


def test_the_slot_is_taken_before_the_manager_is_asked(serve, manager):
    connector = Holding()
    service = serve(connector)
    service.start_sync(sync_request(source="s-1"))
    with pytest.raises(SyncConflictError):
        service.start_own_run("s-1", lambda ctx: None)
    assert "create_run" not in manager.operations()
    connector.release.set()


@pytest.mark.parametrize("error", [RunConflictError("busy", status=409), NotFoundError("gone", status=404)])
def test_a_refusal_is_the_callers_error_and_frees_the_slot(serve, manager, ended, error):
    service = serve(Scripted())
    manager.on("create_run", error)
    with pytest.raises(type(error)):
        service.start_own_run("s-1", lambda ctx: None)
    manager.on("create_run", None)
    assert ended(service, service.start_own_run("s-1", lambda ctx: None)).outcome == "completed"


def test_a_dispatch_for_the_run_that_is_being_opened_starts_nothing(serve, manager, ended):
    connector = Scripted()
    service = serve(connector)

    def dispatch_at_once(_):
        with pytest.raises(SyncConflictError):
            service.start_sync(sync_request(run="its id", source="s-1", is_resume=True))

    manager.on("create_run", dispatch_at_once)
    ended(service, service.start_own_run("s-1", lambda ctx: None))
    assert connector.syncs == []


def test_a_service_that_shuts_down_opens_none(serve, manager):
    service = serve(Scripted())
    service.close()
    with pytest.raises(SyncStartError, match="shuts down"):
        service.start_own_run("s-1", lambda ctx: None)
    assert manager.calls == []


def test_a_service_is_found_in_its_application(manager):
    class Other(Scripted):
        name = "other"

    app = Flask("app")
    with pytest.raises(
        ConfigurationError, match=r"No connector alone is mounted in this application\. Mounted: none"
    ):
        service_of(app)
    app.register_blueprint(create_blueprint(Scripted(), settings=SETTINGS, manager=manager, register=False))
    assert service_of(app).manager is manager
    app.register_blueprint(
        create_blueprint(Other(), settings=SETTINGS, manager=manager, register=False), url_prefix="/other"
    )
    assert service_of(app, "other").connector.name == "other"
    with pytest.raises(ConfigurationError, match="Mounted: other, scripted"):
        service_of(app)
    with pytest.raises(ConfigurationError, match="named 'nobody'"):
        service_of(app, "nobody")
    for name in ("other", "scripted"):
        service_of(app, name).close()


def test_a_run_whose_service_shuts_down_meanwhile_is_left_to_the_manager(serve, manager, ended):
    service = serve(Scripted())
    manager.on("create_run", lambda _: service.close())
    worked = []
    run_id = service.start_own_run("s-1", worked.append)
    assert ended(service, run_id).outcome == "interrupted"
    assert (worked, manager.statuses) == ([], {})
