"""The durable notes of a source, saved whenever the connector likes, in both colours."""

from __future__ import annotations

import asyncio

import pytest

from omni_connector import InvalidValueError, ManagerUnreachableError


def test_the_notes_are_saved_at_once_and_told_from_then_on(run, manager):
    colours = run(connector_state={"hook": 1}, checkpoint={"cursor": 1})
    colours.do(lambda ctx: ctx.save_connector_state({"hook": 2}))
    assert manager.operations() == ["save_connector_state"]
    assert manager.config.connector_state == colours.ctx.connector_state == {"hook": 2}
    assert colours.ctx.state == {"cursor": 1}


def test_they_can_be_saved_after_the_end_of_the_run(run, manager):
    colours = run()
    colours.do(lambda ctx: ctx.complete(), lambda ctx: ctx.save_connector_state({"hook": 2}))
    assert manager.config.connector_state == {"hook": 2}


def test_they_are_saved_as_they_were_at_the_call(make_context, manager):
    notes = {"hook": 1}
    rig = make_context(colour="async")

    async def save():
        saving = rig.ctx.save_connector_state(notes)
        notes["hook"] = 2
        await asyncio.gather(saving)

    rig.loop.run(save())
    assert manager.config.connector_state == rig.ctx.connector_state == {"hook": 1}


@pytest.mark.parametrize("notes", [None, ["a"], "text"])
def test_what_is_no_dict_is_refused(run, manager, notes):
    with pytest.raises(InvalidValueError, match=r"connector state\.state: .* give a dict"):
        run().do(lambda ctx: ctx.save_connector_state(notes))
    assert manager.calls == []


def test_notes_that_could_not_be_saved_are_not_taken_for_saved(run, manager):
    manager.on("save_connector_state", ManagerUnreachableError("gone"))
    colours = run(connector_state={"hook": 1})
    with pytest.raises(ManagerUnreachableError):
        colours.do(lambda ctx: ctx.save_connector_state({"hook": 2}))
    assert colours.ctx.connector_state == {"hook": 1}
