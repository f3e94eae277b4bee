"""Keyword arguments that no function takes are refused by name."""

from __future__ import annotations

import pytest
from support.counting import Counting

from omni_connector.local import LocalManager
from omni_connector.testing import call_action, run_sync


@pytest.fixture
def manager(tmp_path):
    with LocalManager(tmp_path, schedule=False) as running:
        yield running


def test_a_keyword_that_is_not_known_is_refused_with_those_that_are(manager):
    with pytest.raises(
        TypeError, match=r"add_source\(\) takes no argument 'nam'; it takes auth_type, config, .*name"
    ):
        manager.add_source(source_type="web", nam="x")
    source = manager.add_source(source_type="web")
    with pytest.raises(
        TypeError, match=r"add_credential\(\) takes no argument 'expires'; it takes .*expires_at"
    ):
        manager.add_credential(source.id, {}, expires=1)
    with pytest.raises(
        TypeError, match=r"run_sync\(\) takes no argument 'timeout'; it takes .*timeout_seconds"
    ):
        run_sync(Counting(), timeout=30)
    with pytest.raises(
        TypeError, match=r"put_source\(\) takes no argument 'secrets'; it takes config, credentials"
    ):
        call_action(Counting(), "x", manager=manager, secrets={})


def test_a_source_needs_a_type(manager):
    with pytest.raises(TypeError, match="'source_type'"):
        manager.add_source(name="x")


def test_a_source_that_is_configured_anew_gets_what_is_not_given_again(manager):
    first = manager.add_source(
        source_type="web", source_id="s", user_filter_mode="whitelist", user_whitelist=["ann@example.com"]
    )
    assert first.user_whitelist == ["ann@example.com"]
    second = manager.add_source(source_type="web", source_id="s")
    assert (second.user_filter_mode, second.user_whitelist) == ("all", None)
