"""A large checkpoint is saved, and comes back with every later call that carries it."""

import threading

import pytest
from note_connectors import Notes

from omni_connector import ActionResponse
from omni_connector.testing import serve_connector

SMALL, LARGE = 2_000_000, 77_000_000


class Hoarding(Notes):
    """Saves a large checkpoint; its first run goes on until it is interrupted."""

    def __init__(self, size):
        self.size = size
        self.given = []
        self.saved = threading.Event()

    def sync(self, source_config, credentials, state, ctx):
        self.given.append(len((state or {}).get("seen", "")))
        if state is None:
            ctx.save_state({"seen": "x" * self.size})
            self.saved.set()
            ctx.sleep(3600)
        else:
            ctx.complete(state)

    def execute_action(self, action, params, credentials, source=None):
        return ActionResponse.success(len(source["checkpoint"]["seen"]))


@pytest.mark.parametrize("size", [SMALL, pytest.param(LARGE, marks=pytest.mark.slow)])
def test_a_checkpoint_of_megabytes_survives_save_resume_dispatch_and_actions(omni_manager, size):
    first, second = Hoarding(size), Hoarding(size)
    with serve_connector(first, omni_manager) as served:
        source_id = served.put_source()
        run_id = omni_manager.trigger(source_id)
        assert first.saved.wait(120)
    with serve_connector(second, omni_manager) as served:
        omni_manager.probe(run_id)  # Its process is gone: the manager sends the run again.
        assert omni_manager.wait_for_run(run_id, 120).status == "completed"
        run_id = omni_manager.trigger(source_id, "incremental")
        assert omni_manager.wait_for_run(run_id, 120).status == "completed"
        assert second.given == [size, size]
        assert served.call_action("count", source_id=source_id).result == size
