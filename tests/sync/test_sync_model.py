"""Any interleaving of calls, held against a model of what has to arrive."""

from __future__ import annotations

import contextlib

import attrs
from hypothesis import given
from hypothesis import strategies as st
from support.properties import deterministic

from omni_connector import Document, ErrorLimits, SdkClientError
from omni_connector.models.codec import decode
from omni_connector.sync.colours import Blocking
from omni_connector.sync.context import SyncContext
from omni_connector.sync.delivery_limits import DeliveryLimits
from omni_connector.sync.run import SyncRun
from omni_connector.sync.run_info import RunInfo
from omni_connector.sync.state import RunState
from omni_connector.testing import MemoryManager

numbers = st.integers(0, 9)
steps = st.one_of(
    st.tuples(st.sampled_from(["emit", "emit_updated", "emit_deleted"]), numbers),
    st.tuples(st.just("save_state"), numbers),
    st.tuples(st.just("scan"), numbers),
    st.tuples(st.sampled_from(["flush", "heartbeat"]), st.just(0)),
)


@attrs.define
class Model:
    """What the manager must have received, given which documents and contents it refuses."""

    bad_events: set[int]
    bad_contents: set[int]
    accepted: list[tuple[str, str]] = attrs.field(factory=list)
    refused: list[tuple[str, str]] = attrs.field(factory=list)
    scanned: int = 0
    updated: int = 0
    covered: tuple[int, int] | None = None

    def take(self, step, number):
        """Follow one step."""
        if step == "scan":
            self.scanned += number
        elif step.startswith("emit"):
            kind = {"emit": "document_created", "emit_updated": "document_updated"}.get(
                step, "document_deleted"
            )
            has_content = kind != "document_deleted"
            if has_content and number in self.bad_contents:
                self.refused.append((f"doc-{number}", "content"))
            elif number in self.bad_events:
                self.refused.append((f"doc-{number}", "event"))
            else:
                self.accepted.append((kind, f"doc-{number}"))
                self.updated += has_content


def strict_manager(model):
    """Return a manager that refuses what the model says, and checks each checkpoint against the model."""
    manager = MemoryManager()

    def send_events(args):
        ids = {int(decode(event)["document_id"].removeprefix("doc-")) for event in args["events"]}
        if ids & model.bad_events:
            raise SdkClientError("refused", status=422)

    def store_content(args):
        if int(args["content"]) in model.bad_contents:
            raise SdkClientError("refused", status=413)

    def save_checkpoint(_):
        assert received(manager) == model.accepted, "saved before everything emitted so far was accepted"
        now = model.scanned, model.updated
        assert (manager.scanned, manager.updated) == (model.covered or now), "counted before it was covered"
        model.covered = now

    manager.on("send_events", send_events)
    manager.on("store_content", store_content)
    manager.on("save_checkpoint", save_checkpoint)
    return manager


def received(manager):
    return [(event["type"], event["document_id"]) for event in manager.events]


def follow(ctx, step, number):
    match step:
        case "emit" | "emit_updated":
            getattr(ctx, step)(Document(external_id=f"doc-{number}", title="T", content=str(number)))
        case "emit_deleted":
            ctx.emit_deleted(f"doc-{number}")
        case "save_state":
            ctx.save_state({"step": number})
        case "scan":
            ctx.increment_scanned(number)
        case _:
            getattr(ctx, step)()


@deterministic(150)
@given(
    st.lists(steps, max_size=40),
    st.sets(numbers, max_size=3),
    st.sets(numbers, max_size=3),
    st.integers(1, 8),
)
def test_everything_arrives_once_in_order_before_each_checkpoint_or_is_noted(script, bad, unstorable, size):
    model = Model(bad, unstorable)
    manager = strict_manager(model)
    run = RunInfo(sync_run_id="run-1", source_id="source-1", checkpoint={"step": -1})
    limits = DeliveryLimits(flush_events=size, batch_events=size, batch_bytes=1000 * size)
    with contextlib.ExitStack() as stack:
        sync = SyncRun(run, manager, RunState("run-1"), limits=limits, error_limits=ErrorLimits(share=None))
        stack.callback(sync.close)
        ctx = SyncContext(sync, Blocking())
        last = {"step": -1}
        for step, number in script:
            model.take(step, number)
            follow(ctx, step, number)
            last = {"step": number} if step == "save_state" else last
        ctx.complete()

    assert received(manager) == model.accepted
    assert [(error.document_id, error.stage) for error in ctx.errors] == sorted_as(model.refused, ctx.errors)
    assert ctx.error_count == len(model.refused)
    assert (manager.scanned, manager.updated) == (model.scanned, model.updated)
    assert manager.status == "completed"
    assert manager.config.checkpoint == last


def sorted_as(expected, errors):
    """Return ``expected`` in the order of ``errors``: in a batch, refused contents are noted before refused events."""
    left = list(expected)
    ordered = []
    for error in errors:
        entry = (error.document_id, error.stage)
        left.remove(entry)
        ordered.append(entry)
    return ordered + left
