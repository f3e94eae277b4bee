"""Fresh credentials and rotated tokens through the real protocol, in runs, partitions and actions of both colours."""

from __future__ import annotations

import pytest

from omni_connector import ConfigurationError, Connector, Partition, action
from omni_connector.local import LocalManager
from omni_connector.testing import serve_connector

OLD, NEW = {"token": "0ld-token-of-the-source"}, {"token": "n3w-token-of-the-source"}


@pytest.fixture
def manager(tmp_path):
    with LocalManager(tmp_path / "data", schedule=False) as manager:
        yield manager


class Rotating(Connector):
    """Keeps a rotated token in the connector state."""

    name = "rotating"
    version = "1.0.0"
    source_types = ["web"]

    def __init__(self):
        self.seen = []
        self.change = lambda: None

    def sync(self, source_config, credentials, state, ctx):
        self.change()
        self.seen += [credentials, ctx.credentials(), ctx.credentials(fresh=True)]
        ctx.save_connector_state({"refresh_token": "r0tated-once", "cursor": "x"})
        raise ValueError(f"{self.seen[-1]} and r0tated-once")

    @action
    def rotate(self, credentials, source):
        """Replace the token."""
        kept = self.source_states.read(source["id"])
        self.source_states.save(source["id"], {**kept, "refresh_token": "r0tated-twice"})
        raise ValueError(
            f"{kept['refresh_token']}, r0tated-twice and {credentials['token']} at {kept['cursor']}"
        )


class AsyncRotating(Rotating):
    """The same in the other colour."""

    async def sync(self, source_config, credentials, state, ctx):
        self.change()
        self.seen += [credentials, await ctx.credentials(), await ctx.credentials(fresh=True)]
        await ctx.save_connector_state({"refresh_token": "r0tated-once", "cursor": "x"})
        raise ValueError(f"{self.seen[-1]} and r0tated-once")

    @action
    async def rotate(self, credentials, source):
        """Replace the token."""
        kept = await self.source_states.read(source["id"])
        await self.source_states.save(source["id"], {**kept, "refresh_token": "r0tated-twice"})
        raise ValueError(
            f"{kept['refresh_token']}, r0tated-twice and {credentials['token']} at {kept['cursor']}"
        )


class InParts(Connector):
    """Asks for fresh credentials in each partition."""

    name = "in-parts"
    version = "1.0.0"
    source_types = ["web"]

    def __init__(self):
        self.seen = []
        self.change = lambda: None

    def partitions(self, source_config, credentials, state, ctx):
        self.change()
        return [Partition(key="a"), Partition(key="b")]

    def sync_partition(self, partition, source_config, credentials, state, ctx):
        ctx.add_secret(f"f3tched-for-{partition.key}")
        found = ctx.credentials(fresh=True)
        self.seen.append(found)
        raise ValueError(f"{found} and f3tched-for-{partition.key}")


def renew(manager, source):
    return lambda: manager.add_credential(source, NEW)


@pytest.mark.parametrize("connector", [Rotating, AsyncRotating])
def test_fresh_credentials_and_a_rotated_token_in_a_run_and_in_an_action(manager, connector, caplog):
    connector = connector()
    with serve_connector(connector, manager) as served:
        source = served.put_source(credentials=OLD)
        connector.change = renew(manager, source)
        run = manager.wait_for_run(manager.trigger(source))
        assert connector.seen == [OLD, OLD, NEW]
        assert run.error_message == "ValueError: {'token': '***'} and ***"
        answer = served.call_action("rotate", source_id=source)
        assert answer.error == "ValueError: ***, *** and *** at x"
    assert manager.source(source).connector_state == {"refresh_token": "r0tated-twice", "cursor": "x"}
    assert "r0tated" not in caplog.text
    assert "n3w-token" not in caplog.text


def test_fresh_credentials_in_partitions(manager, caplog):
    connector = InParts()
    with serve_connector(connector, manager) as served:
        source = served.put_source(credentials=OLD)
        connector.change = renew(manager, source)
        run = manager.wait_for_run(manager.trigger(source))
        assert connector.seen == [NEW, NEW]
        assert run.status == "failed"
        for text in (run.error_message, caplog.text):
            assert "***" in text
            assert "n3w-token" not in text
            assert "f3tched-for-a" not in text


def test_there_are_no_states_without_a_manager():
    with pytest.raises(ConfigurationError, match=r"Rotating\.source_states: there is no manager to ask"):
        Rotating().source_states.read("s")
