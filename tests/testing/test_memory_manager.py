import threading

import pytest

from omni_connector import SdkClientError
from omni_connector.exceptions import SyncRunEndedError
from omni_connector.models import SyncConfig
from omni_connector.testing import Call, MemoryManager


def test_a_call_is_kept_with_its_arguments_by_name():
    manager = MemoryManager()
    manager.heartbeat("run")
    assert manager.calls == [Call("heartbeat", {"sync_run_id": "run"})]
    assert manager.operations() == ["heartbeat"]


def test_accepted_events_are_decoded_and_keep_their_order():
    manager = MemoryManager()
    manager.send_events("run", "source", [b'{"n":1}', b'{"n":2}'], patient=True)
    manager.send_events("run", "source", [b'{"n":3}'])
    assert manager.events == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_equal_contents_share_an_id():
    manager = MemoryManager()
    first, second = manager.store_content("run", "a"), manager.store_content("run", "b", "text/plain")
    assert manager.store_content("other", "a") == first != second
    assert manager.contents == {first: "a", second: "b"}


def test_counts_add_up():
    manager = MemoryManager()
    manager.add_scanned("run", 3)
    manager.add_scanned("run", 4)
    manager.add_updated("run", 2)
    assert (manager.scanned, manager.updated) == (7, 2)


def test_a_completed_run_publishes_its_checkpoint():
    manager = MemoryManager(config=SyncConfig(checkpoint={"n": 0}))
    manager.save_checkpoint("run", {"n": 1}, source_id="source")
    assert (manager.status, manager.checkpoint) == ("running", {"n": 1})
    assert manager.sync_config("source").checkpoint == {"n": 0}
    manager.complete("run", scanned=0, updated=0, new_state=None)
    assert manager.status == "completed"
    assert manager.sync_config("source").checkpoint == {"n": 1}


def test_a_run_completed_without_a_checkpoint_erases_the_published_one():
    manager = MemoryManager(config=SyncConfig(checkpoint={"n": 0}))
    manager.complete("run", scanned=0, updated=0, new_state=None)
    assert manager.sync_config("source").checkpoint is None


def test_a_failed_run_publishes_nothing():
    manager = MemoryManager(config=SyncConfig(checkpoint={"n": 0}))
    manager.save_checkpoint("run", {"n": 1}, source_id="source")
    manager.fail("run", "no more disk")
    assert (manager.status, manager.error) == ("failed", "no more disk")
    assert manager.sync_config("source").checkpoint == {"n": 0}


def test_nothing_changes_for_a_run_that_has_ended():
    manager = MemoryManager()
    manager.end_run("run")
    manager.save_checkpoint("run", {"n": 1}, source_id="source")
    manager.complete("run", scanned=0, updated=0, new_state=None)
    manager.fail("run", "late")
    assert (manager.status, manager.error, manager.checkpoints) == ("cancelled", None, {})


def test_events_of_a_run_that_has_ended_are_refused_and_others_accepted():
    manager = MemoryManager()
    manager.end_run("run")
    with pytest.raises(SyncRunEndedError, match="running sync run") as refused:
        manager.send_events("run", "source", [b"{}"])
    assert refused.value.status == 400
    manager.send_events("next", "source", [b"{}"])
    assert len(manager.events) == 1


def test_connector_state_and_registrations_are_kept():
    manager = MemoryManager()
    manager.save_connector_state("source", {"seen": (1, 2)})
    manager.register({"name": "notes"})
    assert manager.sync_config("source").connector_state == {"seen": [1, 2]}
    assert manager.registrations == [{"name": "notes"}]


def test_a_hook_sees_the_arguments_before_the_effect_and_may_refuse():
    manager = MemoryManager()
    seen = []

    def refuse(args):
        seen.append((args["content"], len(manager.contents)))
        raise SdkClientError("disk full", status=507)

    manager.on("store_content", refuse)
    with pytest.raises(SdkClientError, match="disk full"):
        manager.store_content("run", "text")
    assert (seen, manager.contents, manager.operations()) == ([("text", 0)], {}, ["store_content"])
    manager.on("store_content", None)
    manager.store_content("run", "text")
    assert list(manager.contents.values()) == ["text"]


def test_an_exception_in_place_of_a_hook_is_raised_each_time():
    manager = MemoryManager()
    manager.on("heartbeat", SdkClientError("gone"))
    for _ in range(2):
        with pytest.raises(SdkClientError, match="gone"):
            manager.heartbeat("run")


def test_a_hook_for_an_unknown_operation_is_refused():
    with pytest.raises(AttributeError, match="send_evens"):
        MemoryManager().on("send_evens", lambda args: None)


def test_waiting_ends_with_the_call_that_fulfils_it():
    manager = MemoryManager()
    thread = threading.Thread(target=manager.heartbeat, args=("run",))
    thread.start()
    manager.wait_for(lambda seen: "heartbeat" in seen.operations())
    thread.join()


def test_waiting_in_vain_says_what_was_called():
    manager = MemoryManager()
    manager.heartbeat("run")
    with pytest.raises(TimeoutError, match="calls so far: heartbeat"):
        manager.wait_for(lambda seen: seen.events, timeout_seconds=0.01)


def test_a_run_shares_the_manager_until_it_is_stopped():
    manager, stop = MemoryManager(), threading.Event()
    of_the_run = manager.for_run(stop)
    of_the_run.heartbeat("run")
    of_the_run.add_scanned("run", 2)
    assert (manager.operations(), manager.scanned) == (["heartbeat", "add_scanned"], 2)
    stop.set()
    manager.heartbeat("run")  # Others go on.
    assert len(manager.calls) == 3


@pytest.mark.parametrize(
    "call",
    [
        lambda api: api.send_events("run", "source", [], patient=True),
        lambda api: api.store_content("run", "text"),
        lambda api: api.save_checkpoint("run", {}, source_id="source"),
        lambda api: api.add_scanned("run", 1),
        lambda api: api.heartbeat("run"),
        lambda api: api.complete("run", scanned=0, updated=0, new_state=None),
        lambda api: api.fail("run", "reason"),
    ],
)
def test_after_a_stop_nothing_of_the_run_arrives(call):
    manager, stop = MemoryManager(), threading.Event()
    of_the_run = manager.for_run(stop)
    stop.set()
    with pytest.raises(SdkClientError, match="not sent, because the run was stopped"):
        call(of_the_run)
    assert manager.calls == []
    of_the_run.abort()  # No call to the manager.


def test_it_notes_its_end():
    manager = MemoryManager()
    manager.close()
    assert manager.closed
