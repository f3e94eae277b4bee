"""Checkpoints come back as they were saved, or are refused by name."""

from __future__ import annotations

import datetime as dt
import enum
import pathlib
import uuid

import pytest

from omni_connector import InvalidValueError, SdkClientError
from omni_connector.models import codec
from omni_connector.sync import checkpoints

SAVES = {
    "save_state": lambda ctx, state: ctx.save_state(state),
    "save_checkpoint": lambda ctx, state: ctx.save_checkpoint(state),
    "complete": lambda ctx, state: ctx.complete(state),
    "save_connector_state": lambda ctx, state: ctx.save_connector_state(state),
}
NAIVE = dt.datetime.fromisoformat("2026-08-01T00:00:00")
COME_BACK_DIFFERENT = [
    ({"since": NAIVE}, r"since: datetime.* has no offset"),
    ({"a": [{"since": NAIVE}]}, r"a\[0\].since: datetime.* has no offset"),
    (
        {"seen": {1: "a"}},
        "seen: 1 cannot be used; keys of JSON objects are text: this one would come back as '1'",
    ),
    ({None: "a"}, "would come back as 'null'"),
    ({"x": (1, {2.5: 3})}, r"x\[1\]: 2.5 cannot be used"),
    ({"rate": float("nan")}, "rate: nan cannot be used"),
    ({"rate": [float("inf")]}, r"rate\[0\]: inf cannot be used"),
    ({"cursor": 2**70}, "cursor: .*beyond 64 bits"),
    ({"cursor": "a\x00b"}, "cursor: .*NUL"),
    ({"file\udcff": 1}, "key: .*lone surrogates"),
]


@pytest.mark.parametrize("save", SAVES)
@pytest.mark.parametrize(("state", "told"), COME_BACK_DIFFERENT)
def test_what_would_come_back_as_something_else_is_refused(run, save, state, told):
    colours = run()
    with pytest.raises(InvalidValueError, match=told):
        colours.do(lambda ctx: SAVES[save](ctx, state))
    assert colours.rig.manager.checkpoints == {}
    assert "save_connector_state" not in colours.rig.manager.operations()


def test_a_checkpoint_is_saved_every_few_seconds_where_that_is_asked_for(run):
    colours = run()

    def save(**more):
        colours.do(lambda ctx: ctx.save_state(more.pop("state"), **more))
        return list(colours.rig.manager.checkpoints.values())

    assert save(state={"n": 1}, every_seconds=3600) == []
    assert save(state={"n": 2}) == save(state={"n": 3}, every_seconds=3600) == [{"n": 2}]
    colours.ctx._run.checkpoints._saved_at -= 3600
    assert save(state={"n": 4}, every_seconds=3600) == save(state={"n": 5}, every_seconds=3600) == [{"n": 4}]


class Mode(enum.StrEnum):
    FULL = "full"


def test_what_has_an_equal_or_a_usual_form_is_saved(run):
    colours = run()
    moment = dt.datetime(2026, 8, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    number = uuid.UUID(int=7)
    state = {
        "a": [1, 2.5, None, True, "ü"],
        "pair": (1, 2),
        "set": {3, 1},
        "at": moment,
        "day": dt.date(2026, 8, 1),
        "id": number,
        "path": pathlib.PurePosixPath("/x"),
        Mode.FULL: Mode.FULL,
        "large": 2**64 - 1,
    }
    colours.do(lambda ctx: ctx.save_state(state))
    assert colours.ctx.state == {
        "a": [1, 2.5, None, True, "ü"],
        "pair": [1, 2],
        "set": [1, 3],
        "at": "2026-08-01T12:00:00+02:00",
        "day": "2026-08-01",
        "id": str(number),
        "path": "/x",
        "full": "full",
        "large": 2**64 - 1,
    }
    assert dt.datetime.fromisoformat(colours.ctx.state["at"]) == moment


@pytest.mark.parametrize("save", SAVES)
def test_a_large_checkpoint_is_warned_of(run, save, monkeypatch, caplog):
    monkeypatch.setattr(checkpoints, "LARGE_STATE_BYTES", 100)
    colours = run()
    colours.do(lambda ctx: SAVES[save](ctx, {"x": "y" * 100}))
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "has 108 bytes" in warning.getMessage()


def test_ten_megabytes_are_large():
    assert checkpoints.LARGE_STATE_BYTES == 10_000_000
    assert codec.LARGEST_STATE_BYTES < 268_435_455


@pytest.mark.parametrize("save", SAVES)
def test_a_checkpoint_beyond_what_the_database_takes_is_refused_by_name(run, save, monkeypatch):
    monkeypatch.setattr(codec, "LARGEST_STATE_BYTES", 100)
    colours = run()
    with pytest.raises(InvalidValueError, match=r"108 bytes of JSON.*at most 100 bytes"):
        colours.do(lambda ctx: SAVES[save](ctx, {"x": "y" * 100}))


@pytest.mark.parametrize("save", SAVES)
def test_a_checkpoint_that_an_older_manager_does_not_take_is_refused_by_name(run, save):
    colours = run()
    for operation in ("save_checkpoint", "save_connector_state"):
        colours.rig.manager.on(operation, SdkClientError("too large", status=413))
    with pytest.raises(InvalidValueError, match=r"bytes of JSON.*more than the manager takes"):
        colours.do(lambda ctx: SAVES[save](ctx, {"x": "y"}))
    assert colours.rig.manager.statuses == {}
