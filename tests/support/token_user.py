"""A process that reads a source with a rotating refresh token: python -m support.token_user STORE MANAGER SOURCE URL."""

from __future__ import annotations

import sys
from pathlib import Path

from omni_connector import SdkClient
from omni_connector.runstore.redis_store import RedisStore
from omni_connector.runstore.runs import SharedRuns
from omni_connector.runstore.sources import StoredSources
from omni_connector.runstore.sqlite import SqliteStore
from omni_connector.sources import RefreshToken, http_session
from omni_connector.sources.source_run import NoRun


def main(store: str, manager_url: str, source_id: str, url: str) -> None:
    """Send one request when a line comes in; print what was sent with it."""
    own = RedisStore(store, "c") if store.startswith("redis:") else SqliteStore(Path(store), "c")
    runs, manager = SharedRuns.of(own), SdkClient(manager_url)
    auth = RefreshToken(f"{url}/token", "client-1", "refresh-0-of-credentials")
    run = NoRun(source_id, shared=StoredSources(runs, manager))
    with http_session(run, base_url=url, auth=auth) as session:
        print("ready", flush=True)  # noqa: T201 - what the test waits for.
        sys.stdin.readline()
        print("answer", session.get("/items").json(), flush=True)  # noqa: T201
    manager.close()
    runs.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
