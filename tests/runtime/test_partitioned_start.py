"""Which connectors that read in partitions can be served, and what becomes of states of the other kind of reading."""

from __future__ import annotations

import pytest
from support.partitioned import AsyncDrives, Drives, states
from support.scripted import Scripted, sync_request

from omni_connector import ConfigurationError, Connector
from omni_connector.models import SyncConfig
from omni_connector.partitions.layout import LAYOUT_KEY

OLD = {"cursor": 7}
LEFT = {
    LAYOUT_KEY: 1,
    "run": "earlier",
    "partitions": {"a": {"state": {"page": 1}}, "b": {"state": {"page": 2}}},
}


class Named(Connector):
    name = "named"
    version = "1"
    source_types = ["web"]


class WithoutList(Named):
    def sync_partition(self, partition, source_config, credentials, state, ctx): ...


class WithoutReader(Named):
    def partitions(self, source_config, credentials, state, ctx): ...

    def sync(self, source_config, credentials, state, ctx): ...


class Both(Drives):
    def sync(self, source_config, credentials, state, ctx): ...


class FewArguments(Drives):
    def sync_partition(self, partition, ctx): ...


class AsyncFewArguments(Drives):
    async def partitions(self, ctx): ...


class Yielding(Drives):
    def sync_partition(self, partition, source_config, credentials, state, ctx):
        yield partition


class NoWorkers(Drives):
    partition_workers = 0


class TextWorkers(Drives):
    partition_workers = "4"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (
            WithoutList,
            "WithoutList has sync_partition() without partitions(): add the method that lists them.",
        ),
        (
            WithoutReader,
            "WithoutReader has partitions() without sync_partition(): add the method that reads one",
        ),
        (Both, "Both has both sync() and sync_partition(): remove one"),
        (
            FewArguments,
            "Write: def sync_partition(self, partition, source_config, credentials, state, ctx)",
        ),
        (AsyncFewArguments, "Write: async def partitions(self, source_config, credentials, state, ctx)"),
        (Yielding, "Yielding.sync_partition contains yield, so that calling it reads nothing"),
        (NoWorkers, "NoWorkers.partition_workers is 0: give a whole number from 1 on"),
        (TextWorkers, "TextWorkers.partition_workers is '4'"),
    ],
)
def test_what_cannot_be_read_is_refused_at_the_start(serve, kind, said):
    with pytest.raises(ConfigurationError) as caught:
        serve(kind())
    assert said in str(caught.value)


@pytest.mark.parametrize("kind", [Drives, AsyncDrives])
def test_a_connector_with_partitions_needs_no_sync(serve, kind):
    connector = serve(kind()).connector
    with pytest.raises(ConfigurationError, match="has no sync"):
        connector.sync({}, {}, None, None)


def test_one_with_neither_cannot_be_made():
    with pytest.raises(TypeError, match="sync"):
        Named()


def test_a_mixin_may_have_the_methods(serve):
    class Reads:
        def partitions(self, source_config, credentials, state, ctx):
            return []

        def sync_partition(self, partition, source_config, credentials, state, ctx): ...

    class Mixed(Reads, Named): ...

    assert serve(Mixed()).connector.reads_partitions


# -- from one kind of reading to the other ------------------------------------------------------------------------------


@pytest.fixture
def sync(serve, ended, manager):
    def run(connector, checkpoint, **request):
        manager.config = SyncConfig(checkpoint=checkpoint)
        service = serve(connector)
        service.start_sync(sync_request(checkpoint=checkpoint, **request))
        return ended(service)

    return run


def test_a_state_of_sync_is_refused_with_what_to_write(sync, manager):
    report = sync(Drives(), OLD, mode="incremental")
    assert report.outcome == "failed"
    assert (
        "The source's state was saved by sync(), and Drives now has sync_partition(). Define "
        "Drives.migrate_state(self, state) and return the partitions' states by key, or None to begin anew."
    ) in manager.error
    assert "save_checkpoint" not in manager.operations()


def test_a_state_of_partitions_is_refused_with_what_to_write(sync, manager):
    sync(Scripted(), LEFT, mode="incremental")
    assert (
        "was saved by sync_partition(), and Scripted now has sync(). Define Scripted.migrate_state(self, state) and return "
        "the state for sync(), or None to begin anew."
    ) in manager.error


class TestHooks:
    def test_states_are_made_of_the_one_of_sync(self, sync, manager):
        class Migrating(Drives):
            def migrate_state(self, state):
                assert state == OLD
                return {key: {"page": 1} for key in "ab"}

        drives = Migrating("ab")
        sync(drives, OLD, mode="incremental")
        assert drives.given == {key: [({"page": 1},) * 3] for key in "ab"}
        assert states(manager.config.checkpoint) == {key: {"page": 2} for key in "ab"}

    def test_a_state_for_sync_is_made_of_those_of_partitions(self, sync, manager):
        class Migrating(Scripted):
            async def migrate_state(self, state):
                return {"pages": sorted((key, each["page"]) for key, each in state.items())}

        connector = Migrating()
        sync(connector, LEFT, mode="incremental")
        [(_, _, state, ctx)] = connector.syncs
        assert state == ctx.state == ctx.checkpoint == {"pages": [["a", 1], ["b", 2]]}
        assert manager.config.checkpoint == state

    @pytest.mark.parametrize("kind", [Drives, Scripted])
    def test_none_begins_anew(self, sync, manager, kind):
        class Migrating(kind):
            def migrate_state(self, state):
                return None

        report = sync(Migrating(), OLD if kind is Drives else LEFT, mode="incremental")
        assert report.outcome == "completed"

    @pytest.mark.parametrize("wrong", [["a"], {"a": 1}])
    def test_what_is_no_state_is_refused(self, sync, manager, wrong):
        class Migrating(Drives):
            def migrate_state(self, state):
                return wrong

        sync(Migrating(), OLD, mode="incremental")
        assert "Migrating.migrate_state returned" in manager.error
        assert "return the partitions' states by key, or None to begin anew" in manager.error


def test_a_full_run_that_starts_from_nothing_needs_no_hook(sync, manager):
    drives = Drives("a")
    assert sync(drives, OLD, mode="full").outcome == "completed"
    assert drives.given == {"a": [(None, None, None)]}
    assert states(manager.config.checkpoint) == {"a": {"page": 2}}


def test_back_to_sync_a_full_run_needs_none_either(sync, manager):
    connector = Scripted(lambda ctx: ctx.save_state({"cursor": 1}))
    connector.sync_modes = ["full", "incremental"]
    assert sync(connector, LEFT, mode="full").outcome == "completed"
    assert connector.syncs[0][2] is None
    assert manager.config.checkpoint == {"cursor": 1}


def test_a_checkpoint_of_a_later_release_is_refused(sync, manager):
    sync(Drives(), {**LEFT, LAYOUT_KEY: 2}, mode="incremental")
    assert "later release of omni-connector (layout 2; this one knows 1)" in manager.error


def test_the_question_before_a_run_shows_the_states_by_key(sync):
    class Asked(Drives):
        def validate_sync_request(self, checkpoint, state):
            self.asked = (checkpoint, state)

    drives = Asked("a")
    sync(drives, LEFT, mode="incremental")
    assert drives.asked == ({"a": {"page": 1}, "b": {"page": 2}},) * 2


# -- runs that the connector opens by itself ----------------------------------------------------------------------------


def own_run(serve, ended, manager, work):
    manager.config = SyncConfig(checkpoint=LEFT)
    service = serve(Drives())
    return ended(service, service.start_own_run("source-1", work))


def test_an_own_run_sees_the_states_and_keeps_them(serve, ended, manager):
    seen = []
    report = own_run(serve, ended, manager, lambda ctx: seen.append((ctx.state, ctx.checkpoint)))
    assert report.outcome == "completed"
    assert seen == [({"a": {"page": 1}, "b": {"page": 2}},) * 2]
    assert manager.config.checkpoint == LEFT


@pytest.mark.parametrize("call", ["save_state", "complete"])
def test_an_own_run_cannot_replace_them(serve, ended, manager, call):
    own_run(serve, ended, manager, lambda ctx: getattr(ctx, call)({"cursor": 1}))
    assert "This source's state belongs to its partitions" in manager.error or manager.status == "running"
    assert manager.config.checkpoint == LEFT
