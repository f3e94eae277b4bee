"""Which shapes of ``sync`` can be called, and what is said of the others."""

from __future__ import annotations

import functools
from unittest.mock import Mock

import pytest

from omni_connector import ConfigurationError
from omni_connector.connector_base.sync_signature import READS, require_signature


class Fine:
    def named(self, source_config, credentials, state, ctx): ...

    def other_names(self, a, b, c, d): ...

    def with_default(self, a, b, c, d, e=None): ...

    def any_number(self, *args): ...

    def positional_only(self, a, b, c, d, /): ...

    @staticmethod
    def static(a, b, c, d): ...

    async def colour(self, source_config, credentials, state, ctx): ...


class Wrong:
    def one(self, ctx): ...

    def none(self): ...

    def five(self, a, b, c, d, e): ...

    def keyword(self, source_config, credentials, state, *, ctx): ...

    def no_self(source_config, credentials, state, ctx): ...  # noqa: N805 - that is the mistake.

    async def colour(self, ctx): ...


def problems_of(method):
    """Return what is said of a method; nothing if it can be called."""
    try:
        require_signature(method, "Notes.sync", *READS)
    except ConfigurationError as error:
        return error.problems
    return []


def methods(kind):
    return [name for name in vars(kind) if not name.startswith("_")]


@pytest.mark.parametrize("name", methods(Fine))
def test_what_takes_four_arguments_by_position_is_accepted(name):
    assert problems_of(getattr(Fine(), name)) == []


@pytest.mark.parametrize("name", methods(Wrong))
def test_the_rest_is_refused_with_the_signature_to_write(name):
    (problem,) = problems_of(getattr(Wrong(), name))
    assert problem.startswith("Notes.sync takes (")
    colour = "async def" if name == "colour" else "def"
    assert problem.endswith(f"Write: {colour} sync(self, source_config, credentials, state, ctx)")


def test_a_decorator_that_hands_in_more_is_what_counts():
    def with_session(sync):
        @functools.wraps(sync)
        def call(source_config, credentials, state, ctx):
            return sync(source_config, credentials, state, ctx, "session")

        return call

    assert problems_of(with_session(lambda a, b, c, d, session: None)) == []


def test_what_has_no_signature_is_left_to_the_call():
    assert problems_of(Mock()) == []
