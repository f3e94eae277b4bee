"""The tick: realtime supervision, due sources, disabled sources, stale runs, deleted sources."""

import pytest
from attrs import evolve
from support.local_manager import QUICK

from omni_connector.local import LocalManager
from omni_connector.local.cleanup import Cleanup
from omni_connector.local.groups import Surroundings, Tables


@pytest.fixture
def settings(request):
    return evolve(QUICK, **getattr(request, "param", {}))


def statuses(manager, source):
    return [(run.sync_type, run.status) for run in manager.runs(source.id)]


def scheduled(manager, **fields):
    return manager.add_source(source_type="web", sync_interval_seconds=3600, **fields)


def complete(api, run):
    api.post(f"/sdk/sync/{run.id}/complete")


def fail(api, run):
    api.post(f"/sdk/sync/{run.id}/fail", {"error": "x"})


def test_a_due_source_is_started_once_and_again_after_its_interval(api, manager, register, clock):
    source = scheduled(manager)
    register()
    manager.tick()
    manager.tick()
    (run,) = manager.runs(source.id)
    assert (run.sync_type, run.trigger_type) == ("full", "scheduled")
    complete(api, run)
    clock.advance(seconds=3599)
    register()
    manager.tick()
    assert len(manager.runs(source.id)) == 1
    clock.advance(seconds=1)
    manager.tick()
    assert statuses(manager, source) == [("full", "completed"), ("incremental", "running")]


@pytest.mark.parametrize(("modes", "expected"), [(["full"], "full"), (["realtime"], "full")])
def test_without_incremental_the_manifest_gets_full_syncs(manager, connector, register, modes, expected):
    connector.answers["/sync"] = lambda body: (
        ({"status": "error"}, 404) if body["sync_mode"] == "realtime" else {"status": "started"}
    )
    source = scheduled(manager)
    register(sync_modes=modes)
    manager.tick()
    assert (expected, "running") in statuses(manager, source)


def test_sources_without_interval_or_inactive_or_deleted_are_not_started(manager, register):
    register()
    sources = [manager.add_source(source_type="web"), scheduled(manager), scheduled(manager)]
    manager.set_source(sources[1].id, is_active=False)
    manager.set_source(sources[2].id, is_deleted=True)
    manager.tick()
    assert [manager.runs(source.id) for source in sources] == [[], [], []]


def test_failures_double_the_wait(api, manager, register, clock):
    source = scheduled(manager)
    register()
    for wait in (30, 60, 120):
        manager.tick()
        fail(api, manager.runs(source.id)[-1])
        count = len(manager.runs(source.id))
        clock.advance(seconds=wait - 1)
        register()
        manager.tick()
        assert len(manager.runs(source.id)) == count
        clock.advance(seconds=1)
    manager.tick()
    assert len(manager.runs(source.id)) == 4


@pytest.mark.parametrize("settings", [{"sync_max_consecutive_failures": 2}], indirect=True)
def test_the_breaker_stops_scheduling_until_a_manual_success(api, manager, register, clock, settings):
    source = scheduled(manager)
    register()
    for _ in range(2):
        manager.tick()
        fail(api, manager.runs(source.id)[-1])
        clock.advance(hours=2)
        register()
    manager.tick()
    assert len(manager.runs(source.id)) == 2
    assert api.get(f"/sources/{source.id}").json()["health"] == "unhealthy"
    manual = manager.run(manager.trigger(source.id))
    fail(api, manual)
    manager.tick()
    assert len(manager.runs(source.id)) == 3
    complete(api, manager.run(manager.trigger(source.id)))
    assert api.get(f"/sources/{source.id}").json()["health"] == "healthy"
    clock.advance(hours=1)
    register()
    manager.tick()
    assert len(manager.runs(source.id)) == 5


def test_a_failed_start_waits_too(manager, connector, register, clock):
    source = scheduled(manager)
    manager.tick()
    assert manager.runs(source.id) == []
    register()
    manager.tick()
    assert manager.runs(source.id) == []
    clock.advance(seconds=30)
    manager.tick()
    assert len(manager.runs(source.id)) == 1


@pytest.mark.parametrize("settings", [{"max_due_sources_per_tick": 2}], indirect=True)
def test_a_tick_starts_a_limited_number_of_due_sources(manager, register, settings):
    sources = [scheduled(manager) for _ in range(3)]
    register()
    manager.tick()
    assert sum(len(manager.runs(source.id)) for source in sources) == 2


@pytest.mark.parametrize("settings", [{"scheduler_phase_limit_seconds": -1.0}], indirect=True)
def test_a_phase_whose_time_is_over_starts_nothing_new(manager, register, settings):
    source = scheduled(manager)
    register()
    manager.tick()
    assert manager.runs(source.id) == []


def test_realtime_is_kept_running_beside_scheduled_runs(api, manager, register):
    source = scheduled(manager)
    register(sync_modes=["full", "realtime"])
    manager.tick()
    assert sorted(statuses(manager, source)) == [("full", "running"), ("realtime", "running")]
    realtime = next(run for run in manager.runs(source.id) if run.sync_type == "realtime")
    fail(api, realtime)
    manager.tick()
    assert statuses(manager, source).count(("realtime", "running")) == 1


def test_a_polite_refusal_of_realtime_is_asked_again_after_a_growing_wait(
    manager, connector, register, clock, source
):
    connector.answers["/sync"] = ({"status": "error"}, 404)
    register(sync_modes=["realtime"])
    for wait in (30, 60):
        manager.tick()
        count = len(connector.bodies("/sync"))
        clock.advance(seconds=wait - 1)
        manager.tick()
        assert len(connector.bodies("/sync")) == count
        clock.advance(seconds=1)
    connector.answers["/sync"] = {"status": "started"}
    manager.tick()
    assert statuses(manager, source)[-1] == ("realtime", "running")


def test_another_failure_to_start_realtime_is_tried_at_the_next_tick(manager, connector, register, source):
    connector.answers["/sync"] = ({"status": "error"}, 500)
    register(sync_modes=["realtime"])
    manager.tick()
    manager.tick()
    assert statuses(manager, source) == [("realtime", "failed")] * 2


def test_runs_of_a_disabled_source_are_cancelled(manager, connector, register, source):
    register()
    run_id = manager.trigger(source.id)
    manager.set_source(source.id, is_active=False)
    manager.tick()
    run = manager.run(run_id)
    assert (run.status, run.error_message) == ("cancelled", "Source was disabled")
    assert connector.bodies("/cancel") == [{"sync_run_id": run_id}]


def test_a_run_without_activity_for_too_long_is_failed(*, api, manager, connector, register, source, clock):
    register()
    run_id = manager.trigger(source.id)
    clock.advance(minutes=40)
    api.post(f"/sdk/sync/{run_id}/heartbeat")
    clock.advance(minutes=60)
    register()
    manager.tick()
    assert manager.run(run_id).is_running
    clock.advance(seconds=1)
    manager.tick()
    run = manager.run(run_id)
    assert (run.status, run.error_message) == ("failed", "Sync timed out (no activity detected)")
    assert connector.bodies("/cancel") == [{"sync_run_id": run_id}]


@pytest.mark.parametrize("settings", [{"deleted_documents_per_tick": 2}], indirect=True)
def test_a_deleted_source_is_removed_bit_by_bit(*, api, manager, emitter, source, run_id, settings):
    emitter.emit(
        *(emitter.event(document_id=f"d{n}", text=f"word {n}") for n in range(3)),
        emitter.event("person_sync", person={"external_id": "E1", "email": "ada@example.com"}),
        emitter.event("group_membership_sync", group_email="eng", member_emails=[]),
    )
    manager.set_source(source.id, is_deleted=True)
    manager.tick()
    assert manager.run(run_id).error_message == "Source was disabled"
    assert len(list(manager.documents())) == 1
    manager.tick()
    assert list(manager.documents()) == []
    assert (manager.people(), manager.groups(), manager.events(), manager.search("word")) == ([], [], [], [])
    assert manager.sources() == []
    assert api.get(f"/sdk/source/{source.id}").status_code == 404


def test_a_run_left_over_when_its_source_is_removed_is_stopped_too(manager, connector, register, source):
    register()
    run_id = manager.trigger(source.id)
    manager.set_source(source.id, is_deleted=True)
    services = manager._services
    surroundings = Surroundings(clock=services.clock, settings=services.settings, stopping=services.stopping)
    tables = Tables(
        store=services.store,
        users=services.users,
        sources=services.sources,
        credentials=services.credentials,
        runs=services.runs,
        contents=services.contents,
    )
    Cleanup(tables, services.canceller, surroundings).run()
    assert connector.bodies("/cancel") == [{"sync_run_id": run_id}]
    assert manager.sources() == []


def test_a_phase_that_breaks_does_not_stop_the_others(manager, register, caplog, monkeypatch):
    source = scheduled(manager)
    register()
    monkeypatch.setattr(manager._services.dispatcher, "trigger", lambda *_: 1 / 0)
    manager.set_source(source.id, is_active=True)
    run_source = manager.add_source(source_type="web")
    manager.app.test_client().post("/sdk/sync/create", json={"source_id": run_source.id, "sync_type": "full"})
    manager.set_source(run_source.id, is_active=False)
    manager.tick()
    assert "A phase of the scheduler failed" in caplog.text
    assert statuses(manager, run_source) == [("full", "cancelled")]


def test_the_thread_ticks_at_start_and_at_every_interval(tmp_path, connector):
    settings = evolve(QUICK, scheduler_interval_seconds=0.05)
    with LocalManager(tmp_path / "other", settings=settings) as manager:
        from support.local_manager import Api, manifest

        source = manager.add_source(source_type="web", sync_interval_seconds=0)
        api = Api(manager.url)
        api.post("/sdk/register", manifest(connector.url))
        manager._services.scheduler._start_backoff.clear(source.id)
        runs = manager._services.runs
        with runs._changed:
            while not manager.runs(source.id):
                assert runs._changed.wait(60)
        api.close()
