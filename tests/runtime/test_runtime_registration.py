"""Registering again and again, quietly; and the watch over the runs."""

from __future__ import annotations

import logging
import threading

import pytest
from support.scripted import WAIT, Holding, Scripted, sync_request

from omni_connector import ManagerUnreachableError, SdkClientError, Settings
from omni_connector.models.sync import Slot
from omni_connector.runstore.keeper import LeaseKeeper
from omni_connector.runstore.memory import MemoryStore
from omni_connector.runstore.turns import Turn
from omni_connector.runtime import registrar as registrar_module
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.runtime.registrar import Registrar
from omni_connector.runtime.runs import RunRegistry
from omni_connector.runtime.watch import Watch, WatchTimes
from omni_connector.sync.pulse import Pulse
from omni_connector.sync.run_info import RunInfo
from omni_connector.telemetry.figures import RunFigures

QUICK = 0.001
MANIFEST = {"name": "notes", "connector_url": "http://me:8000"}
GONE = ManagerUnreachableError("POST /sdk/register: no answer")


@pytest.fixture
def register(manager, monkeypatch):
    """Register again and again, almost without waiting; stop after the test."""
    monkeypatch.setattr(registrar_module, "FIRST_RETRY_SECONDS", QUICK)
    made = []

    def start(manifest=lambda: MANIFEST, interval_seconds=QUICK, **options):
        made.append(Registrar(manager, manifest, interval_seconds, **options))
        made[-1].start()
        return made[-1]

    yield start
    for one in made:
        one.close()


def said(caplog, level=logging.INFO):
    return [record.getMessage() for record in caplog.records if record.levelno >= level]


def attempts(manager, count):
    manager.wait_for(lambda manager: [call.operation for call in manager.calls].count("register") >= count)


def test_it_registers_again_and_again(register, manager):
    register()
    manager.wait_for(lambda manager: len(manager.registrations) >= 3)
    assert manager.registrations[:3] == [MANIFEST] * 3


def test_the_manifest_is_made_anew_each_time(register, manager):
    numbers = iter(range(10**9))
    register(lambda: {"number": next(numbers)})
    manager.wait_for(lambda manager: len(manager.registrations) >= 2)
    assert manager.registrations[:2] == [{"number": 0}, {"number": 1}]


def test_once_registered_it_waits_for_the_interval(register, manager):
    register(interval_seconds=3600)
    attempts(manager, 1)
    manager.wait_for(lambda manager: manager.registrations)
    with pytest.raises(TimeoutError):
        manager.wait_for(lambda manager: len(manager.registrations) > 1, 0.05)


def test_a_changed_manifest_is_not_kept_waiting(register, manager):
    registrar = register(interval_seconds=3600)
    manager.wait_for(lambda manager: manager.registrations)
    registrar.again()
    manager.wait_for(lambda manager: len(manager.registrations) == 2)
    with pytest.raises(TimeoutError):
        manager.wait_for(lambda manager: len(manager.registrations) > 2, 0.05)


def test_a_manifest_that_changes_while_it_is_registered_is_registered_once_more(register, manager):
    made = []

    def change_meanwhile(_):
        if len(manager.registrations) == 0:
            made[0].again()

    manager.on("register", change_meanwhile)
    made.append(Registrar(manager, lambda: {"name": "notes"}, 3600))
    made[0].start()
    try:
        manager.wait_for(lambda manager: len(manager.registrations) == 2)
        with pytest.raises(TimeoutError):
            manager.wait_for(lambda manager: len(manager.registrations) > 2, 0.05)
    finally:
        made[0].close()


def test_a_manager_that_is_down_is_said_once_and_so_is_its_return(register, manager, caplog):
    caplog.set_level(logging.INFO)
    manager.on("register", GONE)
    register()
    attempts(manager, 4)
    manager.on("register", None)
    manager.wait_for(lambda manager: len(manager.registrations) >= 2)
    messages = said(caplog)
    assert messages[:2] == [
        "Not registered with the manager; registration is repeated: POST /sdk/register: no answer",
        "Registered at the manager as notes, reached at http://me:8000",
    ]
    assert len(messages) == 2
    manager.on("register", GONE)
    seen = len(manager.calls)
    attempts(manager, seen + 3)
    manager.on("register", None)
    manager.wait_for(lambda manager: len(manager.registrations) >= 4)
    assert len(said(caplog, logging.WARNING)) == 1, "the client says that a manager went away"


UNREACHED = SdkClientError(
    "POST /sdk/register: 400: Connector health check failed at http://me:8000. Registration rejected.",
    status=400,
)


def test_a_connector_that_the_manager_does_not_reach_is_told_what_to_set(register, manager, caplog):
    """The first refusal is no warning: under some servers it comes a moment before they listen."""
    caplog.set_level(logging.INFO)
    manager.on("register", UNREACHED)
    register()
    attempts(manager, 4)
    first, warning = said(caplog)
    assert first.startswith("The manager does not reach the connector yet; registration is repeated")
    assert "health check failed at http://me:8000" in warning
    for variable in ("CONNECTOR_HOST_NAME", "PORT", "CONNECTOR_URL"):
        assert variable in warning


def test_another_refusal_with_400_is_no_question_of_addresses(register, manager, caplog):
    manager.on("register", SdkClientError("400: action schema", status=400))
    register()
    attempts(manager, 2)
    (warning,) = said(caplog, logging.WARNING)
    assert "CONNECTOR_HOST_NAME" not in warning


def test_a_process_that_only_watches_another_does_not_register(register, manager):
    idle = threading.Event()
    registrar = register(is_idle_process=idle.is_set)
    attempts(manager, 1)
    idle.set()
    registrar._thread.join(WAIT)
    assert not registrar._thread.is_alive()


@pytest.mark.parametrize("idle", [True, False])
def test_while_the_application_is_loaded_nothing_is_registered(idle, register, manager):
    looks = iter([None, None, None])
    registrar = register(is_idle_process=lambda: next(looks, idle))
    if idle:
        registrar._thread.join(WAIT)
        assert not manager.calls
    else:
        attempts(manager, 1)
    assert next(looks, "no more") == "no more"


def test_a_process_that_stays_unknown_registers_after_a_while(register, manager, monkeypatch):
    monkeypatch.setattr(registrar_module, "LOADING_LOOKS", 3)
    looks = []
    register(is_idle_process=lambda: looks.append(None))
    attempts(manager, 2)
    assert len(looks) >= 3 + 2  # While it is loaded, and before each registration.


def test_a_process_that_only_watches_leaves_the_turn_to_the_one_that_serves(register, manager):
    keeper = LeaseKeeper(MemoryStore())
    idle = threading.Event()
    registrar = register(is_idle_process=idle.is_set, turn=Turn(keeper, "register"))
    attempts(manager, 1)
    assert not Turn(keeper, "register").is_mine()
    idle.set()
    registrar._thread.join(WAIT)
    assert Turn(keeper, "register").is_mine()


def test_another_kind_of_failure_is_said_again(register, manager, caplog):
    manager.on("register", GONE)
    register()
    attempts(manager, 2)
    manager.on("register", SdkClientError("422: unknown source type", status=422))
    seen = len(manager.calls)
    attempts(manager, seen + 3)
    warnings = said(caplog, logging.WARNING)
    assert len(warnings) == 2
    assert warnings[1].endswith("422: unknown source type")


def test_a_manifest_that_cannot_be_made_does_not_end_it(register, manager, caplog):
    outcomes = iter([ZeroDivisionError("oops"), {"name": "mended"}])

    def manifest():
        outcome = next(outcomes, {"name": "mended"})
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    register(manifest)
    manager.wait_for(lambda manager: manager.registrations)
    assert "The manifest could not be made" in caplog.text
    assert "oops" in caplog.text


def test_closing_ends_the_wait_at_once(register, manager):
    registrar = register(interval_seconds=3600)
    attempts(manager, 1)
    registrar.close()
    assert not registrar._thread.is_alive()


def test_closing_does_not_wait_for_a_manager_that_hangs(register, manager, monkeypatch):
    monkeypatch.setattr(registrar_module, "CLOSE_SECONDS", 0.05)
    release = threading.Event()
    manager.on("register", lambda _: release.wait(WAIT))
    registrar = register()
    attempts(manager, 1)
    registrar.close()
    assert registrar._thread.is_alive()
    release.set()
    registrar._thread.join(WAIT)


def test_what_fails_after_closing_is_not_said(register, manager, caplog):
    reached, release = threading.Event(), threading.Event()

    def fail(_):
        reached.set()
        release.wait(WAIT)
        raise GONE

    manager.on("register", fail)
    registrar = register()
    assert reached.wait(WAIT)
    registrar._stopped.set()
    release.set()
    registrar.close()
    assert said(caplog, logging.WARNING) == []


# -- by the service ---------------------------------------------------------------------------------------------


def test_a_service_registers_with_its_own_address_and_prefix(serve, manager):
    settings = Settings(
        manager_url="http://m", connector_url="http://me:8000", registration_interval_seconds=QUICK
    )
    service = serve(Scripted(), settings=settings)
    service.start(url_prefix="/connectors/notes/")
    service.start(url_prefix="/connectors/notes")
    manager.wait_for(lambda manager: len(manager.registrations) >= 2)
    assert manager.registrations[0]["connector_url"] == "http://me:8000/connectors/notes"
    assert [thread.name for thread in threading.enumerate()].count("omni-register") == 1
    service.close()
    assert "omni-register" not in [thread.name for thread in threading.enumerate()]


def test_without_an_own_address_it_says_how_to_turn_registration_on(serve, manager, caplog):
    service = serve(Scripted())
    service.start()
    (message,) = said(caplog)
    assert message.startswith("scripted is not registered with the manager: its own address is unknown.")
    assert message.endswith("Set CONNECTOR_HOST_NAME (with PORT) or CONNECTOR_URL to turn registration on.")
    assert manager.calls == []


def test_a_closed_service_does_not_start_to_register(serve, manager):
    service = serve(Scripted(), settings=Settings(manager_url="http://m", connector_url="http://me"))
    service.close()
    service.start()
    assert manager.calls == []


# -- the watch --------------------------------------------------------------------------------------------------


class Beating:
    """As much of a run as the watch sees."""

    info = RunInfo(sync_run_id="run-1", source_id="source-1")
    run_figures = RunFigures()

    def __init__(self):
        self.pulse = Pulse()
        self.beats = 0
        self.error = None

    def beat(self):
        self.beats += 1
        if self.error is not None:
            raise self.error


@pytest.fixture
def watched():
    registry = RunRegistry()
    run = registry.claim("run-1", "source-1", Slot.SCHEDULED)
    run.sync = Beating()
    return registry, run


def test_a_run_that_makes_progress_is_kept_alive(watched):
    registry, run = watched
    watch = Watch(registry, WatchTimes(heartbeat_seconds=0.0))
    for _ in range(3):
        watch.look()
    assert run.sync.beats == 3


def test_a_heartbeat_is_not_sent_before_its_time(watched):
    registry, run = watched
    watch = Watch(registry, WatchTimes(heartbeat_seconds=3600.0))
    for _ in range(3):
        watch.look()
    assert run.sync.beats == 0


def test_a_heartbeat_that_fails_is_no_matter(watched, caplog):
    registry, run = watched
    run.sync.error = GONE
    Watch(registry, WatchTimes(heartbeat_seconds=0.0)).look()
    assert said(caplog, logging.WARNING) == []


def test_a_run_that_does_not_call_the_sdk_is_named_and_not_kept_alive(watched, caplog):
    registry, run = watched
    run.sync.pulse.touch("emit", "page-7")
    watch = Watch(registry, WatchTimes(heartbeat_seconds=0.0, stalled_seconds=0.0, named_seconds=3600.0))
    for _ in range(3):
        watch.look()
    assert run.sync.beats == 0
    (message,) = said(caplog)
    assert message.startswith("Sync run run-1 of source source-1 has not called the SDK for 0 s;")
    assert message.endswith("Its last call was emit of 'page-7'.")


def test_a_stopped_run_whose_thread_goes_on_is_named_from_time_to_time(watched, caplog):
    registry, _ = watched
    registry.cancel("run-1")
    watch = Watch(registry, WatchTimes(named_seconds=0.0))
    for _ in range(3):
        watch.look()
    messages = said(caplog)
    assert len(messages) == 2
    assert "was stopped 0 s ago and still runs" in messages[0]


def test_a_stopped_run_without_a_sync_is_named_too(caplog):
    registry = RunRegistry()
    registry.claim("run-1", "source-1", Slot.SCHEDULED)
    watch = Watch(registry, WatchTimes(named_seconds=0.0))
    watch.look()  # Not started yet: nothing to say.
    registry.cancel("run-1")
    watch.look()
    watch.look()
    assert said(caplog)[0].endswith("Its last call was start.")


def test_runs_that_are_gone_are_forgotten(watched):
    registry, run = watched
    watch = Watch(registry)
    watch.look()
    assert list(watch._seen) == [run]
    run.sync = None
    registry.release(run, "completed")
    watch.look()
    assert watch._seen == {}


def test_the_watch_survives_what_it_meets(watched, caplog):
    registry, run = watched
    run.sync.error = ZeroDivisionError()
    beats = threading.Event()

    class Counting(Watch):
        def look(self):
            try:
                super().look()
            finally:
                if run.sync.beats >= 2:
                    beats.set()

    watch = Counting(registry, WatchTimes(look_seconds=QUICK, heartbeat_seconds=0.0))
    watch.start()
    watch.start()
    assert beats.wait(WAIT)
    watch.close()
    assert "The watch failed to look at the runs" in caplog.text


def test_a_closed_watch_does_not_start():
    watch = Watch(RunRegistry())
    watch.close()
    watch.start()
    assert watch._thread is None


def test_a_service_watches_over_its_runs(serve, manager):
    connector = Holding()
    times = WatchTimes(look_seconds=QUICK, heartbeat_seconds=0.0)
    service = serve(connector, options=RuntimeOptions(watch=times))
    service.start_sync(sync_request())
    connector.meet()
    manager.wait_for(lambda manager: "heartbeat" in manager.operations())
    beats = [call.args for call in manager.calls if call.operation == "heartbeat"]
    assert beats[0]["sync_run_id"] == "run-1"
    connector.release.set()


def test_a_manager_that_does_not_reach_the_connector_yet_is_no_warning_the_first_time(
    register, manager, caplog
):
    caplog.set_level(logging.INFO)
    manager.on("register", SdkClientError("Connector health check failed", status=400))
    register()
    attempts(manager, 4)
    first, second, *_ = [record for record in caplog.records if "omni_connector.runtime" in record.name]
    assert first.levelno == logging.INFO
    assert "does not reach the connector yet" in first.getMessage()
    assert second.levelno == logging.WARNING
