"""A source that is read in partitions, from the dispatch of the run to its end."""

from __future__ import annotations

import asyncio
import threading

import attrs
import pytest
from support.partitioned import AsyncDrives, Drives, Gate, arrived, states
from support.scripted import WAIT, emit, sync_request
from support.waiting import eventually

from omni_connector import Document, ErrorLimits, ManagerUnreachableError, Partition, SdkClientError
from omni_connector.models import SyncConfig
from omni_connector.partitions.layout import LAYOUT_KEY
from omni_connector.partitions.merger import SavePace
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.sync.delivery_limits import DeliveryLimits

AT_ONCE = RuntimeOptions(save_pace=SavePace(least_seconds=0.0, bytes_per_second=10**12))
COLOURS = pytest.mark.parametrize("kind", [Drives, AsyncDrives])


def published(**entries):
    """Return the checkpoint that an earlier run has left, by state."""
    read = {"saved": True, "done": True, "scanned": 3, "updated": 3}
    return {
        LAYOUT_KEY: 1,
        "run": "earlier",
        "partitions": {key: {"state": state, **read} for key, state in entries.items()},
    }


@pytest.fixture
def sync(serve, ended):
    """Sync once; return the report."""

    def run(connector, **request):
        service = serve(connector, options=AT_ONCE)
        service.start_sync(sync_request(**request))
        return ended(service, request.get("run", "run-1"))

    return run


@COLOURS
def test_all_partitions_arrive_counted_and_with_their_states(sync, manager, kind):
    drives = kind()

    report = sync(drives)

    assert manager.statuses == {"run-1": "completed"}
    assert set(arrived(manager)) == drives.documents()
    assert (manager.scanned, manager.updated) == (18, 18)
    assert (report.scanned, report.emitted) == (18, 18)
    assert states(manager.checkpoint) == {key: {"page": 2} for key in "abc"}


@COLOURS
def test_the_next_incremental_run_gives_each_its_state(sync, manager, kind):
    manager.config = SyncConfig(checkpoint=published(a={"page": 1}, c={"page": 2}))
    drives = kind()

    sync(drives, mode="incremental", checkpoint=manager.config.checkpoint)

    one, two = {"page": 1}, {"page": 2}
    assert drives.listed == [({"a": one, "c": two},) * 3]
    assert drives.given == {"a": [(one,) * 3], "b": [(None,) * 3], "c": [(two,) * 3]}
    assert len(arrived(manager)) == 3 + 6


def test_a_full_run_starts_from_nothing_and_still_shows_what_was_published(sync, manager):
    manager.config = SyncConfig(checkpoint=published(a={"page": 1}))
    drives = Drives("a")

    sync(drives, mode="full", checkpoint=manager.config.checkpoint)

    assert drives.listed == [(None, None, {"a": {"page": 1}})]
    assert drives.given == {"a": [(None, None, {"page": 1})]}
    assert len(arrived(manager)) == 6


def test_a_connector_with_full_runs_only_is_given_its_states_in_them(sync, manager):
    manager.config = SyncConfig(checkpoint=published(a={"page": 1}))
    drives = Drives("a")
    drives.sync_modes = ["full"]

    sync(drives, mode="full", checkpoint=manager.config.checkpoint)

    assert drives.given == {"a": [({"page": 1},) * 3]}


def test_a_partition_that_saves_nothing_keeps_its_state(sync, manager):
    manager.config = SyncConfig(checkpoint=published(a={"page": 1}))

    sync(Drives("a", script=lambda ctx, partition: None), mode="full", checkpoint=manager.config.checkpoint)

    assert states(manager.checkpoint) == {"a": {"page": 1}}


def test_a_partition_that_is_gone_is_forgotten_when_the_run_completes(sync, manager):
    manager.config = SyncConfig(checkpoint=published(a={"page": 2}, gone={"page": 7}))

    sync(Drives("ab"), mode="incremental", checkpoint=manager.config.checkpoint)

    assert states(manager.checkpoint) == {"a": {"page": 2}, "b": {"page": 2}}
    kept = [call.args["checkpoint"] for call in manager.calls if call.operation == "save_checkpoint"][:-1]
    assert all(states(each)["gone"] == {"page": 7} for each in kept)


class TestResumed:
    """A run whose first process was killed: ``a`` was read, ``b`` half, and the rest not."""

    SAVED = {
        LAYOUT_KEY: 1,
        "run": "run-1",
        "partitions": {
            "a": {"state": {"page": 2}, "saved": True, "done": True, "scanned": 6, "updated": 6},
            "b": {"state": {"page": 1}, "saved": True, "scanned": 3, "updated": 3},
            "c": {"state": {"page": 1}},
        },
    }

    @pytest.fixture
    def resume(self, sync, manager):
        def run(drives, mode="full"):
            manager.config = SyncConfig(checkpoint=published(c={"page": 1}))
            manager.scanned, manager.updated = 11, 10  # More than at the checkpoint: what lay behind it.
            return sync(drives, mode=mode, checkpoint=self.SAVED, is_resume=True)

        return run

    @COLOURS
    def test_finished_ones_are_not_read_again_and_others_go_on(self, resume, manager, kind):
        drives = kind()
        resume(drives)
        assert drives.given == {"b": [({"page": 1},) * 3], "c": [(None, None, {"page": 1})]}
        assert set(arrived(manager)) == drives.documents("c") | {f"b-1-{n}" for n in range(3)}

    def test_in_an_incremental_run_a_state_that_was_published_counts_too(self, resume):
        drives = Drives()
        resume(drives, mode="incremental")
        assert drives.given == {"b": [({"page": 1},) * 3], "c": [({"page": 1},) * 3]}

    def test_the_counts_are_those_of_a_run_that_was_never_interrupted(self, resume, manager):
        report = resume(Drives())
        assert (manager.scanned, manager.updated) == (18, 18)
        assert report.scanned == 18

    def test_so_are_those_of_a_first_dispatch_that_is_repeated(self, serve, ended, manager):
        """An earlier process has acted on it, and the manager has missed its answer."""
        manager.scanned, manager.updated = 11, 10
        service = serve(Drives(), young=True, options=AT_ONCE)
        service.start_sync(sync_request())
        ended(service)
        assert (manager.scanned, manager.updated) == (18, 18)

    def test_a_process_that_dies_again_at_once_changes_nothing(self, resume, manager):
        drives = Drives(listing=lambda ctx: (_ for _ in ()).throw(SystemExit("killed")))
        resume(drives)
        assert "save_checkpoint" not in manager.operations()


def test_finished_partitions_stand_in_the_checkpoint_while_others_are_read(serve, manager, ended):
    gate = Gate()
    drives = Drives(
        script=lambda ctx, part: gate.pass_through() if part.key == "c" else drives.read(ctx, part, None)
    )
    service = serve(drives, options=AT_ONCE)
    service.start_sync(sync_request())
    gate.meet()
    manager.wait_for(
        lambda it: (
            it.checkpoint
            and [k for k, e in it.checkpoint["partitions"].items() if e.get("done")] == ["a", "b"]
        )
    )
    assert manager.checkpoint["run"] == "run-1"
    gate.open()
    ended(service)


def test_the_checkpoint_never_passes_a_document_that_did_not_arrive(serve, manager, ended):
    """At every save, all that its states promise has arrived."""
    problems = []

    def look(args):
        there = set(arrived(manager))
        for key, entry in args["checkpoint"]["partitions"].items():
            promised = {f"{key}-{page}-{n}" for page in range(entry["state"]["page"]) for n in range(3)}
            problems.extend(sorted(promised - there))

    manager.on("save_checkpoint", look)
    service = serve(Drives("abcdefgh", pages=5), options=AT_ONCE)
    service.start_sync(sync_request())
    ended(service)
    assert problems == []
    assert manager.statuses == {"run-1": "completed"}


def test_as_many_are_read_at_once_as_the_connector_says(serve, ended):
    gate = Gate()
    drives = Drives("abcdefgh", script=lambda ctx, partition: gate.pass_through())
    drives.partition_workers = 3
    service = serve(drives)
    service.start_sync(sync_request())
    gate.meet(3)
    assert sum(thread.name.startswith("omni-part-run-1") for thread in threading.enumerate()) == 3
    assert len(drives.given) == 3
    gate.open()
    ended(service)
    assert len(drives.given) == 8


def test_an_uneven_source_keeps_all_workers_busy(serve, ended):
    """While one reads the large partition, the other reads all the small ones."""
    small = [f"small-{number}" for number in range(20)]
    all_read = threading.Event()

    def script(ctx, partition):
        if partition.key == "large":
            assert all_read.wait(WAIT)
        elif len(drives.given) == len(small) + 1:
            all_read.set()

    drives = Drives(("large", *small), script=script)
    drives.partition_workers = 2
    service = serve(drives)
    service.start_sync(sync_request())
    assert ended(service).outcome == "completed"


def test_the_first_are_read_while_others_are_listed(serve, ended):
    begun = threading.Event()

    class Listing(Drives):
        def partitions(self, source_config, credentials, state, ctx):
            yield Partition(key="a")
            assert begun.wait(WAIT)
            yield Partition(key="b")

    drives = Listing(script=lambda ctx, partition: begun.set())
    service = serve(drives)
    service.start_sync(sync_request())
    assert ended(service).outcome == "completed"
    assert sorted(drives.given) == ["a", "b"]


def test_the_buffer_is_shared(serve, manager, ended):
    seen = []
    gate = Gate()

    def script(ctx, partition):
        seen.append(ctx._run.delivery._limits)
        gate.pass_through()

    drives = Drives("abcd", script=script)
    limits = DeliveryLimits(buffer_bytes=4_000, buffer_events=40)
    service = serve(drives, options=RuntimeOptions(limits=lambda mode: limits))
    service.start_sync(sync_request())
    gate.meet(4)
    gate.open()
    ended(service)
    assert sum(each.buffer_bytes for each in seen) == 4_000
    assert sum(each.buffer_events for each in seen) == 40


def test_what_a_connector_changes_in_a_state_is_not_saved_until_it_says_so(serve, manager, ended):
    """The dict that it was given, what it has saved, and what ``ctx.state`` shows are its own to change."""
    manager.config = SyncConfig(checkpoint=published(a={"pages": [1]}, b={"pages": [1]}))
    gate = Gate()

    def script(ctx, partition):
        if partition.key == "b":
            ctx.state["pages"].append(99)
            gate.pass_through()
            return
        gate.meet()
        mine = {"pages": [1, 2]}
        ctx.save_state(mine)
        mine["pages"].append(99)
        ctx.state["pages"].append(99)
        manager.wait_for(lambda it: it.checkpoint)

    drives = Drives("ab", script=script, listing=lambda ctx: ctx.state["a"].clear())
    service = serve(drives, options=AT_ONCE)
    service.start_sync(sync_request(mode="incremental", checkpoint=manager.config.checkpoint))
    manager.wait_for(lambda it: it.checkpoint and it.checkpoint["partitions"]["a"].get("done"))
    assert states(manager.checkpoint) == {"a": {"pages": [1, 2]}, "b": {"pages": [1]}}
    gate.open()
    ended(service)


# -- failures --------------------------------------------------------------------------------------------------------


def failing(*keys, error=None):
    """Return drives of which these fail after their first page."""

    def script(ctx, partition):
        if partition.key in keys:
            ctx.increment_scanned()
            emit(ctx, f"{partition.key}-first")
            ctx.save_state({"page": 1})
            emit(ctx, f"{partition.key}-second")
            raise error or ValueError("the drive is locked")
        drives.read(ctx, partition, None)

    drives = Drives(script=script)
    return drives


def test_one_that_fails_does_not_stop_the_others_and_the_run_fails_with_its_name(sync, manager):
    drives = failing("a")
    report = sync(drives)
    assert report.outcome == "failed"
    assert (
        manager.error
        == "PartitionsFailedError: 1 of 3 partitions failed: 'a' (ValueError: the drive is locked)"
    )
    assert drives.documents("b", "c") | {"a-first", "a-second"} == set(arrived(manager))


def test_as_many_may_fail_as_the_limits_say(sync, manager):
    drives = failing("a")
    drives.error_limits = ErrorLimits(partitions=1)
    report = sync(drives)
    assert report.outcome == "completed"
    assert [(e.kind, e.document_id, e.stage, e.reason) for e in report.errors] == [
        ("partition", "a", "partition", "ValueError: the drive is locked")
    ]
    assert states(manager.checkpoint) == {"a": {"page": 1}, "b": {"page": 2}, "c": {"page": 2}}
    assert "done" not in manager.checkpoint["partitions"]["a"]


def test_a_run_of_which_nothing_could_be_read_fails_in_any_case(sync, manager):
    drives = failing("a", "b", "c")
    drives.error_limits = ErrorLimits(partitions=None)
    assert sync(drives).outcome == "failed"
    assert "3 of 3 partitions failed" in manager.error


def test_many_failures_are_named_only_in_part(sync, manager):
    drives = Drives([f"k{number}" for number in range(25)], script=lambda ctx, part: 1 / 0)
    sync(drives)
    assert manager.error.endswith("and 15 more, which the log names")


def test_secrets_are_in_no_report(sync, manager, caplog):
    manager.config = SyncConfig(credentials={"token": "s3cr3t-token"})
    sync(failing("a", error=ValueError("refused: s3cr3t-token")))
    assert "refused: ***" in manager.error
    assert "s3cr3t-token" not in caplog.text


def test_ctx_fail_fails_the_partition_and_ctx_complete_ends_it(sync, manager):
    def script(ctx, partition):
        if partition.key == "a":
            ctx.fail("no access")
        else:
            ctx.complete({"page": 9})

    report = sync(Drives(script=script))
    assert report.outcome == "failed"
    assert "1 of 3 partitions failed: 'a' (no access)" in manager.error


def test_a_partition_that_completes_by_itself_is_done_with_the_state_it_names(sync, manager):
    sync(Drives(script=lambda ctx, partition: ctx.complete({"page": 9})))
    assert states(manager.checkpoint) == {key: {"page": 9} for key in "abc"}


@pytest.mark.parametrize("limits", [ErrorLimits(total=5, share=None), ErrorLimits()])
def test_documents_that_fail_are_judged_over_all_partitions(sync, manager, limits):
    """Each of them is too small to be judged by itself."""
    drives = Drives(
        "abcdef", script=lambda ctx, part: [ctx.emit_error(f"{part.key}-{n}", "unreadable") for n in range(3)]
    )
    drives.error_limits = attrs.evolve(limits, partitions=None)
    report = sync(drives)
    assert report.outcome == "failed"
    assert "Too many documents failed" in manager.error


def test_errors_of_all_partitions_are_in_the_report(sync):
    def script(ctx, partition):
        drives.read(ctx, partition, None)
        ctx.emit_error(f"{partition.key}-x", "unreadable")

    drives = Drives(script=script)
    report = sync(drives)
    assert report.outcome == "completed"
    assert report.error_count == 3
    assert sorted(error.document_id for error in report.errors) == ["a-x", "b-x", "c-x"]


def test_partitions_that_fails_fails_the_run(sync, manager):
    def listing(ctx):
        raise OSError("no such tenant")

    assert sync(Drives(listing=listing)).outcome == "failed"
    assert manager.error == "OSError: no such tenant"


def test_a_failure_while_others_are_read_stops_them(serve, manager, ended):
    class Listing(Drives):
        def partitions(self, source_config, credentials, state, ctx):
            yield Partition(key="a")
            gate.meet()
            yield Partition(key="a")

    gate = Gate()
    gate.open()

    def script(ctx, partition):
        gate.pass_through()
        ctx.sleep(3600)
        ctx.raise_if_cancelled()

    service = serve(Listing(script=script))
    service.start_sync(sync_request())
    assert ended(service).outcome == "failed"
    assert "partitions() has named it before" in manager.error


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        (None, "Listing.partitions returned None: return a list, empty for none, or yield the items"),
        (["a"], "give Partition(key="),
    ],
)
def test_what_is_no_partition_is_refused(sync, manager, listed, said):
    class Listing(Drives):
        def partitions(self, source_config, credentials, state, ctx):
            return listed

    assert sync(Listing()).outcome == "failed"
    assert said in manager.error


def test_no_partitions_at_all_complete_the_run(sync, manager):
    assert sync(Drives([])).outcome == "completed"
    assert states(manager.checkpoint) == {}


@pytest.mark.parametrize("call", ["save_state", "complete"])
def test_partitions_itself_has_no_state_and_no_end(sync, manager, call):
    assert sync(Drives(listing=lambda ctx: getattr(ctx, call)({"page": 1}))).outcome == "failed"
    assert "partitions()" in manager.error


def test_what_partitions_emits_arrives_and_counts(sync, manager):
    def listing(ctx):
        ctx.increment_scanned(2)
        emit(ctx, "overview")
        ctx.emit_group_membership("all@example.com", ["a@example.com"])

    report = sync(Drives(listing=listing))
    assert "overview" in arrived(manager)
    assert {event["type"] for event in manager.events} == {"document_created", "group_membership_sync"}
    assert (report.scanned, manager.scanned, manager.updated) == (20, 20, 19)


def test_a_manager_that_goes_away_leaves_the_run_to_be_resumed(sync, manager):
    away = ManagerUnreachableError("no answer", operation="POST /sdk/events/batch")
    for operation in ("send_events", "fail", "complete"):
        manager.on(operation, away)
    drives = Drives([f"k{number}" for number in range(50)])
    report = sync(drives)
    assert report.outcome == "left to the manager"
    assert len(drives.given) < 20, "no other is begun"


def test_a_checkpoint_that_is_refused_fails_the_run(sync, manager):
    manager.on("save_checkpoint", SdkClientError("no room", operation="save_checkpoint", status=507))
    assert sync(Drives()).outcome == "failed"
    assert "no room" in manager.error


def test_what_is_said_once_a_run_is_said_once_for_all_partitions(sync, caplog):
    sync(Drives(script=lambda ctx, part: ctx.emit(Document(external_id=part.key, title="T", content="x"))))
    assert caplog.text.count("has no permissions") == 1


# -- stopping --------------------------------------------------------------------------------------------------------


@COLOURS
def test_a_cancellation_reaches_all_at_once(serve, manager, ended, kind):
    gate = Gate()
    gate.open()

    def blocking(ctx, partition):
        gate.pass_through()
        ctx.sleep(3600)
        ctx.raise_if_cancelled()

    async def awaiting(ctx, partition):
        gate.pass_through()
        await ctx.sleep(3600)
        ctx.raise_if_cancelled()

    drives = kind("abcdef", script=blocking if kind is Drives else awaiting)
    service = serve(drives)
    service.start_sync(sync_request())
    gate.meet(4)
    assert service.cancel("run-1")
    assert ended(service).outcome == "cancelled"
    assert manager.statuses == {}
    assert len(drives.given) == 4


def test_events_that_the_manager_refuses_because_the_run_is_over_stop_all(serve, manager, ended):
    gate = Gate()

    def script(ctx, partition):
        gate.pass_through()
        emit(ctx, partition.key)
        ctx.flush()

    service = serve(Drives(script=script))
    service.start_sync(sync_request())
    gate.meet(3)
    manager.end_run("run-1")
    gate.open()
    assert ended(service).outcome == "cancelled"


def test_a_shutdown_saves_what_was_reached(serve, manager, ended):
    gate = Gate()
    gate.open()

    def script(ctx, partition):
        emit(ctx, partition.key)
        ctx.save_state({"page": 1})
        emit(ctx, f"{partition.key}-behind")
        gate.pass_through()
        ctx.sleep(3600)
        ctx.raise_if_cancelled()

    service = serve(Drives(script=script), options=RuntimeOptions(save_pace=SavePace(least_seconds=3600.0)))
    service.shutdown_seconds = 8.0  # Half of it is for a next state, which does not come.
    service.start_sync(sync_request())
    gate.meet(3)
    service.close()
    report = ended(service)
    assert report.outcome == "interrupted"
    assert manager.statuses == {}
    assert states(manager.checkpoint) == {key: {"page": 1} for key in "abc"}
    assert set(arrived(manager)) == {name for key in "abc" for name in (key, f"{key}-behind")}


def test_a_partition_that_does_not_return_keeps_its_documents_from_being_lost(serve, manager, ended):
    """Its thread is in a call of its own while the process shuts down."""
    gate = Gate()

    def script(ctx, partition):
        emit(ctx, partition.key)
        gate.pass_through()

    service = serve(Drives("a", script=script))
    service.start_sync(sync_request())
    gate.meet()
    closing = threading.Thread(target=service.close)
    closing.start()
    manager.wait_for(lambda it: arrived(it) == ["a"])
    gate.open()
    closing.join()
    assert ended(service).outcome == "interrupted"


def test_a_realtime_run_keeps_states_but_finishes_no_partition(sync, manager):
    report = sync(Drives(), mode="realtime")
    assert report.outcome == "left to the manager"
    assert states(manager.checkpoint) == {key: {"page": 2} for key in "abc"}
    assert all("done" not in entry for entry in manager.checkpoint["partitions"].values())


@COLOURS
def test_while_the_process_ends_each_partition_goes_on_to_its_next_state(serve, manager, ended, kind):
    """Nothing is read twice afterwards: every one stops where it has saved, and no other is begun."""
    gate = Gate()

    def blocking(ctx, partition):
        emit(ctx, f"{partition.key}-0")
        gate.pass_through()
        ctx.save_state({"page": 1})
        raise AssertionError("it goes on")

    async def awaiting(ctx, partition):
        await emit(ctx, f"{partition.key}-0")
        await asyncio.to_thread(gate.pass_through)
        await ctx.save_state({"page": 1})
        await ctx.sleep(0)
        ctx.raise_if_cancelled()
        raise AssertionError("it goes on")

    drives = kind("abcdef", script=blocking if kind is Drives else awaiting)
    service = serve(drives, options=AT_ONCE)
    service.start_sync(sync_request())
    gate.meet(4)
    closing = threading.Thread(target=service.close)
    closing.start()
    eventually(lambda: service._runs.alive()[0].state.is_winding_down)
    gate.open()
    closing.join(WAIT)
    report = ended(service)
    assert report.outcome == "interrupted"
    assert states(manager.checkpoint) == {key: {"page": 1} for key in "abcd"}
    assert sorted(arrived(manager)) == [f"{key}-0" for key in "abcd"]
    assert sorted(drives.given) == list("abcd")
