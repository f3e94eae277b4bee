"""Talks to a manager in another process, as an operator would."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from urllib.parse import urlencode

import requests

from omni_connector.local import StoreReader, open_store
from support.waiting import eventually


class ManagerClient:
    """The admin and development endpoints of the embedded manager."""

    def __init__(self, url: str, data: Path) -> None:
        self.url = url
        self._data = data
        self._session = requests.Session()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def request(self, method: str, path: str, body: object = None) -> requests.Response:
        """Return the answer to any request, whatever its status is."""
        return self._session.request(method, self.url + path, json=body, timeout=120)

    def add_source(
        self, source_type: str, config: dict, credentials: dict | None = None, **more: object
    ) -> str:
        """Add a source; return its id."""
        body = {"source_type": source_type, "config": config, "credentials": credentials or {}, **more}
        return self._post("/local/sources", body)["id"]

    def trigger(self, source_id: str, mode: str = "full") -> str:
        """Start a run; return its id."""
        return self._post("/sync", {"source_id": source_id, "sync_mode": mode})["sync_run_id"]

    def trigger_when_free(self, source_id: str, mode: str = "full") -> str:
        """Start a run as soon as the connector has ended the one before, which was cancelled; return its id."""
        body = {"source_id": source_id, "sync_mode": mode}

        def started() -> str | None:
            response = self._session.post(f"{self.url}/sync", json=body, timeout=120)
            if not response.ok:
                assert "Sync already in progress" in response.text
                return None
            return response.json()["sync_run_id"]

        return eventually(started)

    def cancel(self, run_id: str) -> None:
        """Cancel a run."""
        self._post(f"/sync/{run_id}/cancel", {})

    def manifest(self, source_type: str) -> dict:
        """Return the manifest that is registered for a type, ``{}`` when there is none."""
        listed = self.request("GET", "/connectors").json()
        return next((one["manifest"] for one in listed if one["source_type"] == source_type), {})

    def search(self, query: str, source_id: str, person: str) -> list[str]:
        """Return the ids of the documents of a source that a person finds, sorted."""
        params = urlencode({"q": query, "source_id": source_id, "person": person})
        hits = self.request("GET", f"/local/search?{params}").json()["hits"]
        return sorted(hit["external_id"] for hit in hits)

    @property
    def store(self) -> StoreReader:
        """What the manager has stored, read beside it."""
        return open_store(self._data)

    def count_events(self, run_id: str) -> int:
        """Return how many events of a run came, repeated ones included."""
        return len(self.store.events(run_id))

    def tick(self) -> None:
        """Let the scheduler look once."""
        self._post("/local/tick", {})

    def progress(self, run_id: str) -> Iterator[dict]:
        """Yield the run's progress until it is not running any more."""
        with self._session.get(f"{self.url}/sync/{run_id}/progress", stream=True, timeout=120) as response:
            for line in response.iter_lines():
                if line.startswith(b"data:"):
                    yield json.loads(line[5:])

    def wait(self, run_id: str) -> dict:
        """Wait for the end of a run; return its last progress."""
        return list(self.progress(run_id))[-1]

    def wait_for_connector(self, process, source_type: str) -> None:
        """Wait until a connector of the type is registered, as its log says."""
        process.wait_for("Registered at ")
        assert self._is_registered(source_type)

    def wait_until_registered(self, source_type: str) -> None:
        """Wait until a manifest lists the type, by asking again and again for at most a minute."""
        eventually(lambda: self._is_registered(source_type))

    def source(self, source_id: str) -> dict:
        """Return the source's row."""
        return self._session.get(f"{self.url}/sdk/source/{source_id}", timeout=60).json()

    def documents(self, source_id: str) -> dict[str, str]:
        """Return what arrived, content by document id, as the store holds it."""
        rows = list(self.store.documents(source_id))
        found = {row.external_id: row.content for row in rows}
        assert len(found) == len(rows), "a document stands there twice"
        return found

    def connectors(self) -> list[dict]:
        """Return the connectors that the manager knows, asked for their health now."""
        return self._session.get(f"{self.url}/connectors", timeout=60).json()

    def _is_registered(self, source_type: str) -> bool:
        return any(one["source_type"] == source_type for one in self.connectors())

    def _post(self, path: str, body: dict) -> dict:
        response = self._session.post(self.url + path, json=body, timeout=120)
        assert response.ok, f"{path}: {response.status_code} {response.text}"
        return response.json() if response.content else {}
