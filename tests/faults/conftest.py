"""A connector that is served, calls its manager through a faulty one, and sends small batches."""

from __future__ import annotations

import contextlib

import pytest

from benchmarks.worlds import faulty_world


@pytest.fixture
def make_world(omni_manager, faulty_manager):
    """Serve a connector; arguments as for ``faulty_world``."""
    with contextlib.ExitStack() as stack:
        yield lambda connector, **options: stack.enter_context(
            faulty_world(connector, faulty_manager, omni_manager, **options)
        )
