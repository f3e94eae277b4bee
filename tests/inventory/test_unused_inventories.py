"""Inventories of sources that are not synced any more go."""

from __future__ import annotations

import pytest
from support.inventory_source import lister

from omni_connector.inventory.storage import Shelf
from omni_connector.inventory.unused import LOOK_SECONDS, UNUSED_SECONDS, remove_unused


@pytest.fixture
def storage(source):
    source.run(lister({"a": 1}), lambda ctx, _: ctx.inventory("two").seen("b"), source_id="old")
    return source.terms.storage


def test_what_was_not_used_for_long_goes_once_a_day_and_what_is_used_stays(source, storage):
    now = storage.note("old")["used"]
    assert remove_unused(storage, now + LOOK_SECONDS) == []
    assert storage.count(Shelf("old")) == 1
    later = now + UNUSED_SECONDS + 10
    storage.update("source-1", lambda note: note.update(used=later))
    assert remove_unused(storage, later) == ["old"]
    assert (storage.note("old"), storage.count(Shelf("old"))) == ({}, 0)
    assert storage.note("source-1")
    storage.update("old", lambda note: note.update(used=1.0))
    assert remove_unused(storage, later + LOOK_SECONDS - 1) == []
    assert remove_unused(storage, later + LOOK_SECONDS) == ["old"]


def test_a_run_looks_for_them(source, storage, caplog):
    caplog.set_level("INFO")
    storage.update("old", lambda note: note.update(used=1.0))
    storage.update("unused", lambda note: note.update(at=1.0))
    source.sync({"a": 1})
    assert "'old' was not used for half a year" in caplog.text
    assert storage.note("old") == {}
