"""Values that may also be awaited: used at once in one colour, awaited in the other."""

from __future__ import annotations

import asyncio

import pytest

from omni_connector.awaitables import DONE, AwaitableBool, AwaitableStr


async def awaited(value):
    return await value


def test_a_text_is_a_text_and_its_awaited_value_is_a_plain_one():
    text = AwaitableStr("c-1")
    assert text == "c-1"
    assert {text: 1}["c-1"] == 1
    value = asyncio.run(awaited(text))
    assert (value, type(value)) == ("c-1", str)


def test_nothing_is_false_shown_as_none_and_awaited_as_none():
    assert not DONE
    assert repr(DONE) == "None"
    assert asyncio.run(awaited(DONE)) is None


@pytest.mark.parametrize("value", [True, False])
def test_a_truth_value_behaves_like_a_bool(value):
    wrapped = AwaitableBool(value)
    assert bool(wrapped) is value
    assert wrapped == value
    assert wrapped == AwaitableBool(value)
    assert wrapped != AwaitableBool(not value)
    assert hash(wrapped) == hash(value)
    assert repr(wrapped) == repr(value)
    assert asyncio.run(awaited(wrapped)) is value


def test_awaiting_does_not_give_way_to_others():
    order = []

    async def first():
        await DONE
        await AwaitableStr("x")
        await AwaitableBool(True)
        order.append("first")

    async def second():
        order.append("second")

    async def both():
        await asyncio.gather(first(), second())

    asyncio.run(both())
    assert order == ["first", "second"]
