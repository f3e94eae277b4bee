"""What each operation does in each state of a run: the table of docs/explanation/architecture.md, line by line."""

from __future__ import annotations

import pathlib

import pytest

from omni_connector import Document, exceptions
from omni_connector.models import PersonRecord
from omni_connector.sync.state import Phase

DOCUMENT = Document(external_id="1", title="T", content="x")
PERSON = PersonRecord(email="a@example.com", external_id="7")
OPERATIONS = {
    "emit": lambda ctx: ctx.emit(DOCUMENT),
    "emit_updated": lambda ctx: ctx.emit_updated(DOCUMENT),
    "emit_deleted": lambda ctx: ctx.emit_deleted("1"),
    "emit_group_membership": lambda ctx: ctx.emit_group_membership("g@example.com", []),
    "emit_person_sync": lambda ctx: ctx.emit_person_sync(PERSON),
    "emit_person_deleted": lambda ctx: ctx.emit_person_deleted("a@example.com"),
    "emit_error": lambda ctx: ctx.emit_error("1", "no"),
    "increment_scanned": lambda ctx: ctx.increment_scanned(),
    "content_storage": lambda ctx: ctx.content_storage.save("x"),
    "inventory": lambda ctx: ctx.inventory().changed("1", "v1"),
    "flush": lambda ctx: ctx.flush(),
    "save_state": lambda ctx: ctx.save_state({}),
    "save_checkpoint": lambda ctx: ctx.save_checkpoint({}),
    "user_email": lambda ctx: ctx.user_email(),
    "heartbeat": lambda ctx: ctx.heartbeat(),
    "progress": lambda ctx: ctx.progress(total=5, phase="pages"),
    "save_connector_state": lambda ctx: ctx.save_connector_state({}),
    "credentials": lambda ctx: ctx.credentials(fresh=True),
    "add_secret": lambda ctx: ctx.add_secret("t0ken-of-the-run"),
    "complete": lambda ctx: ctx.complete(),
    "fail": lambda ctx: ctx.fail("no"),
    "is_cancelled": lambda ctx: ctx.is_cancelled(),
    "raise_if_cancelled": lambda ctx: ctx.raise_if_cancelled(),
    "sleep": lambda ctx: ctx.sleep(0.001),
}
STATES = {
    "open": (lambda rig: None, Phase.OPEN),
    "winding down": (lambda rig: rig.stop.wind_down(), Phase.OPEN),
    "shutting down": (lambda rig: rig.stop.interrupt(), Phase.DRAINING),
    "ending": (lambda rig: rig.stop.begin_end(), Phase.DRAINING),
    "fenced": (lambda rig: rig.stop.cancel(), Phase.FENCED),
    "ended": (lambda rig: rig.sync.complete(), Phase.ENDED),
}


def table():
    """Return the cells: operation, state, what is done."""
    text = pathlib.Path("docs/explanation/architecture.md").read_text(encoding="utf-8")
    lines = text.partition("### What a run does in each state")[2].partition("\n## ")[0].splitlines()
    rows = [
        [cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")
    ]
    states = rows[0][1:]
    return [(row[0], state, cell) for row in rows[2:] for state, cell in zip(states, row[1:], strict=True)]


def test_the_table_has_every_operation_and_every_state(make_context):
    shown = {name for name in dir(make_context().ctx) if not name.startswith("_")}
    facts = {name for name in shown if isinstance(getattr(type(make_context().ctx), name, None), property)}
    operations = {operation for operation, _, _ in table()}
    assert (
        operations - {"what was taken is sent"}
        == shown - facts - {"should_index_user", "in_run", "on_stop", "http"}
        == set(OPERATIONS)
    )
    assert {state for _, state, _ in table()} == set(STATES)


@pytest.mark.parametrize("colour", ["blocking", "async"])
@pytest.mark.parametrize(("operation", "state", "result"), table())
def test_each_operation_does_in_each_state_what_the_table_says(
    make_context, manager, colour, operation, state, result
):
    rig = make_context(colour=colour)
    bring_about, phase = STATES[state]
    bring_about(rig)
    assert rig.stop.phase is phase
    assert rig.stop.is_open is (phase is Phase.OPEN)
    if operation == "what was taken is sent":
        assert rig.stop.may_send is (result == "yes")
        return
    calls_before = manager.operations()
    value, raised = do(rig, OPERATIONS[operation])
    if result.endswith("Error"):
        assert type(raised) is getattr(exceptions, result)
    else:
        assert raised is None
    if state == "winding down":
        assert rig.stop.stopped.is_set() is result.endswith("stopped")
    if result in {"True", "False"}:
        assert bool(value) is (result == "True")
    if result == "nothing" or result.endswith("Error"):
        assert manager.operations() == calls_before


def do(rig, step):
    """Take one step in the colour of the context; return its value, or what it raised."""
    if rig.loop is None:
        try:
            return step(rig.ctx), None
        except exceptions.ConnectorError as error:
            return None, error

    async def awaited():
        value = step(rig.ctx)
        return await value if hasattr(value, "__await__") else value

    try:
        return rig.loop.run(awaited()), None
    except exceptions.ConnectorError as error:
        return None, error
