"""A document that is in several scopes, or moves from one to another, is deleted when no scope has it any more."""

from __future__ import annotations

import pytest
from support.inventory_source import lister


def listing(**scopes):
    """Return a step that lists these scopes in this order."""

    def step(ctx, _):
        for scope, names in scopes.items():
            lister(dict.fromkeys(names.split(), 1))(ctx, ctx.inventory(scope))

    return step


@pytest.fixture
def moving(source):
    source.run(listing(one="a b c", two="d e f"), mode="full")
    return source


@pytest.mark.parametrize(
    ("now", "sent"),
    [
        ({"two": "d e f a", "one": "b c"}, [("created", "a")]),
        # It is gone before it is found again.
        ({"one": "b c", "two": "d e f a"}, [("deleted", "a"), ("created", "a")]),
    ],
)
def test_a_document_that_moves_stays(moving, now, sent):
    assert moving.run(listing(**now)) == sent
    assert moving.run(listing(**now)) == []
    assert moving.run(listing(two="d e f", one="b c")) == [("deleted", "a")]


def test_a_document_that_has_moved_in_an_earlier_run_stays_when_only_its_old_scope_is_listed(moving):
    assert moving.run(listing(two="d e f a")) == [("created", "a")]
    assert moving.run(listing(one="b c")) == []
    assert moving.run(listing(two="d e f")) == [("deleted", "a")]


@pytest.mark.parametrize("is_opened", [True, False])
def test_what_one_scope_reports_as_gone_stays_where_another_has_it(moving, is_opened):
    assert moving.run(listing(two="d e f a")) == [("created", "a")]

    def step(ctx, _):
        if is_opened:
            ctx.inventory("two").changed("a", 1)
        ctx.inventory("one").gone("a")

    assert moving.run(step) == []
    assert moving.run(lambda ctx, _: ctx.inventory("two").gone("a")) == [("deleted", "a")]


def test_a_document_that_is_about_to_be_sent_from_another_scope_is_not_deleted(moving):
    def step(ctx, _):
        ctx.inventory("two").changed("a", 2)  # Its content is being read.
        listing(one="b c")(ctx, _)

    assert moving.run(step) == []


def test_what_the_connector_deletes_itself_is_sent_again_by_a_scope_that_was_not_open(moving):
    def step(ctx, _):
        ctx.inventory("one").seen("b")
        ctx.emit_deleted("d")

    assert moving.run(step) == [("deleted", "d")]
    assert moving.run(listing(two="d e f")) == [("created", "d")]


def test_documents_that_have_moved_need_no_approval(source):
    names = " ".join(f"d{number}" for number in range(20))
    source.run(listing(one=f"a {names}", two="b"), mode="full")
    moved = listing(two=f"b {names}", one="a")
    assert len(source.run(moved)) == 20
    ctx, run = source.open()
    moved(ctx, None)
    assert ctx.errors == []
    run.close()
