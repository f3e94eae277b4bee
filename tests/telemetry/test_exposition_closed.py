"""The port at which a Celery worker answers for its metrics needs the token of the endpoints, where there is one."""

from __future__ import annotations

import requests

from omni_connector.telemetry import metrics as room
from omni_connector.telemetry.exposition import MetricsServer
from omni_connector.tokens import accepted_tokens

TOKEN = "a-token-of-the-metrics-port"


def test_without_the_token_nothing_is_shown():
    tokens = accepted_tokens(TOKEN, None)
    server = MetricsServer(room.of.FAMILIES, dict, connector="notes", port=0, tokens=tokens)
    wrong = ({}, {"Authorization": "Bearer another-token-that-is-long"}, {"Authorization": TOKEN})
    try:
        for path in ("/metrics", "/", "/health"):
            url = f"http://127.0.0.1:{server.port}{path}"
            for headers in wrong:
                refused = requests.get(url, headers=headers, timeout=60)
                challenge = refused.headers["WWW-Authenticate"]
                assert (refused.status_code, challenge) == (401, 'Bearer realm="omni-connector"')
                assert "omni_connector_" not in refused.text
            allowed = requests.get(url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60)
            assert "omni_connector_" in allowed.text
    finally:
        server.close()
