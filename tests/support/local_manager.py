"""What the tests of the embedded manager share beside their fixtures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import requests

from omni_connector.local import LocalSettings

QUICK = LocalSettings(
    sync_retry_delays_seconds=(0.01, 0.01, 0.01),
    sync_retry_jitter_seconds=0.0,
    connector_timeout_seconds=30.0,
    status_timeout_seconds=30.0,
    progress_interval_seconds=0.05,
)


class StillClock:
    """Tells the time it was told."""

    def __init__(self):
        self.moment = datetime(2026, 8, 1, 12, 0, 0, 123456, tzinfo=UTC)

    def now(self):
        return self.moment

    def advance(self, **delta):
        self.moment += timedelta(**delta)


class Api:
    """Calls the manager over HTTP on one kept connection."""

    def __init__(self, url):
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def __call__(self, method, path, **kwargs):
        return self._session.request(method, self._url + path, timeout=60, **kwargs)

    def get(self, path, **kwargs):
        return self("GET", path, **kwargs)

    def post(self, path, json=None, **kwargs):
        return self("POST", path, json=json, **kwargs)

    def put(self, path, json=None, **kwargs):
        return self("PUT", path, json=json, **kwargs)

    def close(self):
        self._session.close()

    def raw(self, path, body, *, content_type="application/json", method="POST"):
        headers = {} if content_type is None else {"Content-Type": content_type}
        return self(method, path, data=body, headers=headers)


def manifest(connector_url, **changes):
    return {
        "name": "my-connector",
        "display_name": "My connector",
        "version": "1.0.0",
        "sync_modes": ["full", "incremental"],
        "connector_id": "my-connector",
        "connector_url": connector_url,
        "source_types": ["web"],
        **changes,
    }
