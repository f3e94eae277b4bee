"""Services of one connector that stand for several processes: whichever is asked, the answer is right."""

from __future__ import annotations

import threading

import attrs
import pytest
from support.scripted import WAIT, Holding, Scripted, emit, sync_request
from support.waiting import eventually

from omni_connector import Settings
from omni_connector.exceptions import ConnectorError, RunStoreError, SyncConflictError
from omni_connector.models import SyncConfig
from omni_connector.models.sync import RunProgress
from omni_connector.runstore.leases import KeeperTimes
from omni_connector.runtime import offers, registrar, runs
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.runtime.watch import WatchTimes

LEASE = 60.0
QUICK = KeeperTimes(lease_seconds=LEASE, renew_seconds=0.02, idle_seconds=0.02, retry_seconds=0.02)
SETTINGS = Settings(manager_url="http://manager", connector_url="http://here:8000")

pytestmark = pytest.mark.parametrize("make_store", ["sqlite", "redis"], indirect=True)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Try again often while the store is away."""
    monkeypatch.setattr(runs, "CLAIM_SECONDS", 0.02)


@pytest.fixture
def process(serve):
    """Make services that share a store and have served for long."""

    def make(connector, *, times=QUICK, settings=SETTINGS):
        options = RuntimeOptions(dispatch_seconds=0.0, watch=WatchTimes(look_seconds=0.02))
        return serve(connector, settings=settings, options=options, times=times)

    return make


def ended(service, run="run-1"):
    return eventually(lambda: (report := service.report(run)) and report.outcome != "running" and report)


def die(service):
    """Let a process renew nothing any more, as if it was killed or its machine sleeps."""
    service._watch.close()
    service._shared.keeper.close()


# -- slots, repeats, cancellations --------------------------------------------------------------------------------


def test_a_slot_that_is_taken_elsewhere_is_a_conflict_and_a_repeat_is_answered_as_started(process):
    one, other = process(Holding()), process(second := Scripted())
    one.start_sync(sync_request())
    other.start_sync(sync_request())
    with pytest.raises(SyncConflictError):
        other.start_sync(sync_request(run="run-2"))
    other.start_sync(sync_request(run="run-3", mode="realtime"))
    second.meet()
    assert other.is_running("run-1")
    assert not other.is_running("run-2")
    assert [call[3].sync_run_id for call in second.syncs] == ["run-3"]


def test_a_run_is_known_everywhere_until_its_end(process):
    connector = Holding()
    one, other = process(connector), process(Scripted())
    one.start_sync(sync_request())
    connector.meet()
    assert other.is_running("run-1")
    assert other.report("run-1").outcome == "running"
    connector.release.set()
    assert ended(other).outcome == "completed"
    eventually(lambda: not other.is_running("run-1"))  # Its lease is given up after its report.
    other.start_sync(sync_request(run="run-2"))
    ended(other, "run-2")


def test_the_figures_of_a_run_are_known_everywhere(process):
    held = threading.Event()

    def script(ctx):
        ctx.increment_scanned(7)
        emit(ctx, 1)
        assert held.wait(WAIT)

    one, other = process(Scripted(script)), process(Scripted())
    one.start_sync(sync_request())
    eventually(lambda: other.report("run-1").scanned == 7 and other.report("run-1").emitted == 1)
    held.set()
    assert ended(other).scanned == 7


def test_a_run_is_cancelled_wherever_it_is_within_two_seconds(process, manager):
    assert KeeperTimes().renew_seconds <= 1, "the next renewal notices it"

    class Cancelled(Holding):
        def cancel(self, sync_run_id):
            self.asked.append(sync_run_id)
            return True

        asked = []

    connector = Cancelled(heeds=True)
    one = process(connector, times=attrs.evolve(QUICK, renew_seconds=3600))
    other = process(Scripted())
    one.start_sync(sync_request())
    connector.meet()
    assert other.cancel("run-1")
    assert not other.is_running("run-1")
    other.start_sync(sync_request(run="run-2"))  # Its slot is free at once.
    one._shared.keeper.renew()
    eventually(lambda: not one._runs.alive())
    assert one.report("run-1").outcome == "cancelled"
    eventually(lambda: connector.asked == ["run-1"])
    finals = [call for call in manager.calls if call.operation in {"complete", "fail"}]
    assert [call.args["sync_run_id"] for call in finals] in ([], ["run-2"])


def test_a_run_that_no_process_has_is_not_cancelled(process):
    assert not process(Scripted()).cancel("run-1")


def test_a_repeat_of_a_first_dispatch_that_is_over_elsewhere_starts_nothing(process):
    one, other = process(Scripted()), process(second := Scripted())
    one.start_sync(sync_request())
    ended(one)
    other.start_sync(sync_request())
    assert not other.is_running("run-1")
    assert second.syncs == []
    other.start_sync(sync_request(is_resume=True))
    second.meet()


def test_a_repeat_of_a_dispatch_that_was_cancelled_elsewhere_starts_nothing(process):
    connector = Holding(heeds=True)
    one, other = process(connector), process(second := Scripted())
    one.start_sync(sync_request())
    connector.meet()
    other.cancel("run-1")
    other.start_sync(sync_request())
    assert second.syncs == []


def test_a_run_that_another_process_has_begun_is_taken_back_to_where_it_begins(process, manager, clock):
    manager.config = SyncConfig(checkpoint={"cursor": 0})
    manager.on("progress", lambda _: RunProgress(status="running", documents_scanned=5))
    one, other = process(Holding()), process(second := Scripted())
    one.start_sync(sync_request())
    die(one)
    clock.let_pass(LEASE)
    assert not _holds(other, "run-1")
    other.start_sync(sync_request())
    second.meet()
    ended(other)
    assert "progress" in manager.operations()


def _holds(service, run):
    return service._shared.store.holder(f"run/{run}") is not None


def test_own_runs_conflict_over_processes_and_are_known_by_their_id(process):
    connector = Holding()
    one, other = process(connector), process(Scripted())
    run = one.start_own_run("source-1", connector.hold)
    assert other.is_running(run)
    with pytest.raises(SyncConflictError):
        other.start_own_run("source-1", lambda ctx: None)
    connector.release.set()
    ended(one, run)
    assert not other.is_running(run)
    assert isinstance(other.start_own_run("source-1", lambda ctx: None), str)


def test_a_process_that_shuts_down_leaves_its_run_to_others_at_once(process):
    connector = Holding(heeds=True)
    one, other = process(connector), process(second := Scripted())
    one.start_sync(sync_request())
    connector.meet()
    one.close()
    assert not other.is_running("run-1")
    other.start_sync(sync_request(is_resume=True))
    second.meet()


# -- processes that die or sleep ----------------------------------------------------------------------------------


def test_a_run_of_a_dead_process_is_free_within_the_lease_and_the_old_one_sends_nothing_more(
    process, manager, clock
):
    going_on, outcome = threading.Event(), []

    def script(ctx):
        assert going_on.wait(WAIT)
        try:
            emit(ctx, 1)
            ctx.flush()
        except ConnectorError as error:
            outcome.append(str(error))

    first, second = Scripted(script), Scripted()
    one, other = process(first), process(second)
    one.start_sync(sync_request())
    first.meet()
    die(one)
    assert _holds(other, "run-1")
    clock.let_pass(LEASE)
    assert not _holds(other, "run-1")
    assert not other.is_running("run-1")
    other.start_sync(sync_request(is_resume=True))
    second.meet()
    ended(other)
    before = len(manager.calls)
    going_on.set()
    eventually(lambda: outcome)
    eventually(lambda: not one._runs.alive())
    sent = [call.operation for call in manager.calls[before:] if call.operation not in {"register", "source"}]
    assert sent == [], "the name of a source may be read"
    assert one.report("run-1").outcome == "completed", "as the process says that has it"


def test_a_process_that_slept_goes_on_when_no_other_took_its_run(process, manager, clock):
    going_on = threading.Event()

    def script(ctx):
        assert going_on.wait(WAIT)
        emit(ctx, 1)

    connector = Scripted(script)
    one, other = process(connector), process(Scripted())
    one.start_sync(sync_request())
    connector.meet()
    die(one)
    clock.let_pass(LEASE)
    assert not _holds(other, "run-1")
    going_on.set()
    assert ended(one).outcome == "completed"
    assert "send_events" in manager.operations()


# -- a store that is away -----------------------------------------------------------------------------------------


def test_a_run_that_comes_while_the_store_is_away_waits_and_begins_when_it_is_back(process):
    connector = Scripted()
    service = process(connector)
    service.store.is_away = True
    service.start_sync(sync_request())
    service.start_sync(sync_request())
    assert service.is_running("run-1")
    with pytest.raises(SyncConflictError):
        service.start_sync(sync_request(run="run-2"))
    refused = service.store.refused
    eventually(lambda: service.store.refused > refused + 2)
    assert connector.syncs == []
    service.store.is_away = False
    connector.meet()
    assert ended(service).outcome == "completed"


def test_a_run_that_waits_can_be_cancelled(process, manager):
    connector = Scripted()
    service = process(connector)
    service.store.is_away = True
    service.start_sync(sync_request())
    assert service.cancel("run-1")
    eventually(lambda: not service._runs.alive())
    assert connector.syncs == []
    service.store.is_away = False


def test_a_run_that_waited_and_was_cancelled_elsewhere_never_begins(process):
    connector = Scripted()
    one, other = process(connector), process(Scripted())
    one.store.is_away = True
    one.start_sync(sync_request())
    other.cancel("run-1")
    one.store.is_away = False
    eventually(lambda: not one._runs.alive())
    assert connector.syncs == []


def test_a_run_that_waited_leaves_it_to_the_process_that_was_faster(process):
    first, second = Scripted(), Holding()
    one, other = process(first), process(second)
    one.store.is_away = True
    one.start_sync(sync_request())
    other.start_sync(sync_request())
    second.meet()
    one.store.is_away = False
    eventually(lambda: not one._runs.alive())
    assert first.syncs == []
    assert one.is_running("run-1")
    second.release.set()
    assert ended(one).outcome == "completed"


def test_a_run_that_waited_waits_on_while_another_has_its_slot(process):
    first, second = Scripted(), Holding()
    one, other = process(first), process(second)
    other.start_sync(sync_request(run="run-2"))
    second.meet()
    one.store.is_away = True
    one.start_sync(sync_request())
    one.store.is_away = False
    assert one.is_running("run-1")
    second.release.set()
    first.meet()
    ended(one)


def test_runs_go_on_and_finish_while_the_store_is_away(process, manager, clock):
    going_on = threading.Event()

    def script(ctx):
        assert going_on.wait(WAIT)
        emit(ctx, 1)
        ctx.save_state({"cursor": 1})

    connector = Scripted(script)
    one, other = process(connector), process(Scripted())
    one.start_sync(sync_request())
    connector.meet()
    one.store.is_away = True
    eventually(lambda: one._shared.keeper.is_away)
    clock.let_pass(1.2 * LEASE)
    going_on.set()
    eventually(lambda: not one._runs.alive())
    assert one.report("run-1").outcome == "completed"
    assert "complete" in manager.operations()
    one.store.is_away = False
    eventually(lambda: not one._shared.keeper.is_away)
    assert ended(other).outcome == "completed"
    other.start_sync(sync_request(run="run-2"))
    ended(other, "run-2")


def test_nothing_is_said_of_other_processes_runs_while_the_store_is_away(process):
    connector = Holding()
    one, other = process(Scripted()), process(connector)
    other.start_sync(sync_request())
    one._shared.keeper.start()
    one.store.is_away = True
    with pytest.raises(RunStoreError):
        one.is_running("run-1")
    assert not one.cancel("run-1")
    one.store.is_away = False
    eventually(lambda: not _holds(other, "run-1"))


def test_an_own_run_is_refused_while_the_store_is_away(process):
    service = process(Scripted())
    service.store.is_away = True
    with pytest.raises(RunStoreError):
        service.start_own_run("source-1", lambda ctx: None)
    service.store.is_away = False
    assert isinstance(service.start_own_run("source-1", lambda ctx: None), str)


# -- registration -------------------------------------------------------------------------------------------------


@pytest.fixture
def often(monkeypatch):
    """Register, and look whose turn it is, often."""
    monkeypatch.setattr(registrar, "TURN_SECONDS", 0.02)
    monkeypatch.setattr(registrar, "FIRST_RETRY_SECONDS", 0.01)
    return attrs.evolve(SETTINGS, registration_interval_seconds=0.02)


class Named(Scripted):
    def __init__(self, description):
        super().__init__()
        self.description = description


def registrants(manager):
    return [each["description"] for each in manager.registrations]


def test_one_process_registers_and_another_takes_over_when_it_ends(process, manager, often):
    one, other = process(Named("one"), settings=often), process(Named("other"), settings=often)
    one.start()
    eventually(lambda: len(manager.registrations) >= 2)
    other.start()
    count = len(manager.registrations)
    eventually(lambda: len(manager.registrations) >= count + 5)
    assert set(registrants(manager)) == {"one"}
    one.close()
    eventually(lambda: "other" in registrants(manager))


def test_another_takes_over_when_the_process_that_registers_dies(process, manager, often, clock):
    one, other = process(Named("one"), settings=often), process(Named("other"), settings=often)
    one.start()
    eventually(lambda: manager.registrations)
    other.start()
    die(one)
    one._registration._registrar._stopped.set()
    assert "other" not in registrants(manager)
    clock.let_pass(LEASE)
    eventually(lambda: "other" in registrants(manager))


def test_a_changed_manifest_is_registered_at_once_by_the_process_that_knows_it(process, manager, often):
    one, other = process(Named("one"), settings=often), process(Named("other"), settings=often)
    one.start()
    eventually(lambda: manager.registrations)
    other.start()
    assert "other" not in registrants(manager)
    other._registration._registrar.again()
    eventually(lambda: "other" in registrants(manager))
    assert one._registration._registrar._turn.is_mine(), "it goes on to be the one that registers"


def test_each_process_registers_while_the_store_is_away(process, manager, often):
    one = process(Named("one"), settings=often)
    one.store.is_away = True
    one.start()
    eventually(lambda: manager.registrations)
    assert registrants(manager)[0] == "one"
    assert one.store.refused > 0


# -- runs that wait for their turn --------------------------------------------------------------------------------

ONE_AT_A_TIME = attrs.evolve(SETTINGS, max_concurrent_syncs=1)


@pytest.fixture
def busy(process, monkeypatch):
    """Make processes that execute one run at a time, and hand over quickly what waits."""
    monkeypatch.setattr(offers, "LOOK_SECONDS", 0.02)

    def make(connector):
        service = process(connector, settings=ONE_AT_A_TIME)
        service.start()
        return service

    return make


def start_runs(service, *numbers):
    for number in numbers:
        service.start_sync(sync_request(run=f"run-{number}", source=f"source-{number}"))


def test_a_run_that_waits_for_its_turn_is_executed_by_another_process(busy):
    first, second = Holding(), Holding()
    one = busy(first)
    start_runs(one, 1, 2)
    first.meet()
    other = busy(second)
    second.meet()
    assert one.is_running("run-2")
    assert other.is_running("run-2")
    second.release.set()
    assert ended(one, "run-2").outcome == "completed"
    assert [call[3].sync_run_id for call in (*first.syncs, *second.syncs)] == ["run-1", "run-2"]


def test_where_no_process_has_a_turn_it_waits_alive_and_begins_in_the_first_that_has_one(busy):
    first, second = Holding(), Holding()
    one, other = busy(first), busy(second)
    start_runs(one, 1)
    start_runs(other, 3)
    first.meet()
    second.meet()
    start_runs(one, 2)
    eventually(lambda: one._shared.store.holder("offer"))
    assert one.is_running("run-2")
    assert other.is_running("run-2")
    first.release.set()
    assert ended(one, "run-2").outcome == "completed"
    assert [call[3].sync_run_id for call in first.syncs[1:]] == ["run-2"]
    assert len(second.syncs) == 1
    assert other._shared.store.holder("offer") is None


def test_a_run_that_was_handed_over_is_cancelled_wherever_the_manager_asks(busy):
    first, second = Holding(), Holding(heeds=True)
    one = busy(first)
    start_runs(one, 1, 2)
    first.meet()
    busy(second)
    second.meet()
    assert one.cancel("run-2")
    assert ended(one, "run-2").outcome == "cancelled"
    assert not one.is_running("run-2")


def test_every_run_is_executed_once_however_often_runs_change_hands(busy):
    has_changed_hands = threading.Event()

    def sync(ctx):
        """The first two stay in their first run until the third, which is given none, has taken one."""
        if ctx in [call[3] for call in connectors[2].syncs]:
            has_changed_hands.set()
        assert has_changed_hands.wait(WAIT)
        ctx.sleep(0.01)

    connectors = [Scripted(sync) for _ in range(3)]
    services = [busy(connector) for connector in connectors]
    numbers = range(40)
    for number in numbers:
        start_runs(services[number % 2], number)
    for number in numbers:
        assert ended(services[0], f"run-{number}").outcome == "completed"
    executed = [call[3].sync_run_id for connector in connectors for call in connector.syncs]
    assert sorted(executed) == sorted(f"run-{number}" for number in numbers)
