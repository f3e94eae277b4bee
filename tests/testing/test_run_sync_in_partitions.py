"""``run_sync`` with a source that is read in partitions."""

from __future__ import annotations

import pytest
from support.partitioned import AsyncDrives, Drives

from omni_connector.testing import run_sync


@pytest.mark.parametrize("kind", [Drives, AsyncDrives])
def test_a_run_goes_on_from_the_state_that_another_left(kind, omni_manager):
    first = run_sync(kind("ab"), config={}, manager=omni_manager)
    assert (first.status, first.scanned, first.updated) == ("completed", 12, 12)
    assert first.partition_states == {"a": {"page": 2}, "b": {"page": 2}}

    drives = kind("abc")
    second = run_sync(drives, mode="incremental", state=first.state, manager=omni_manager)

    assert set(second.documents) == drives.documents("c")
    assert set(second.partition_states) == {"a", "b", "c"}


def test_a_source_in_one_piece_has_no_states_of_partitions(omni_manager):
    from support.scripted import Scripted

    result = run_sync(Scripted(lambda ctx: ctx.save_state({"cursor": 1})), manager=omni_manager)
    assert result.partition_states == {}


def test_what_hangs_is_shown_where_it_hangs(omni_manager, time_up_when):
    begun = time_up_when(2)

    def hang_here(ctx, partition):
        begun.release()
        ctx.sleep(3600)

    drives = Drives("ab", script=hang_here)
    with pytest.raises(TimeoutError) as caught:
        run_sync(drives, manager=omni_manager, timeout_seconds=0.5)
    assert str(caught.value).count("in hang_here") == 2


def test_a_coroutine_that_hangs_is_shown_too(omni_manager, time_up_when):
    begun = time_up_when()

    async def hang_here(ctx, partition):
        begun.release()
        await ctx.sleep(3600)

    with pytest.raises(TimeoutError) as caught:
        run_sync(AsyncDrives("a", script=hang_here), manager=omni_manager, timeout_seconds=0.5)
    assert "in hang_here" in str(caught.value)
