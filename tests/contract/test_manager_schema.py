"""A fuzz of the embedded manager, driven by docs/protocol/manager.openapi.yaml.

Every operation gets requests that fit its schema and requests that do not, over real HTTP, to a manager
with sources, runs in every state, a user, and a connector that answers. About half of the requests carry
ids that exist. Checked for every answer: the status is documented for the operation, content type and
body are those documented for that status, and a 500 is one that the protocol itself announces:

* U+0000 in stored text ("Database text" in the description), and only if the request contains one;
* a counter that leaves 32 bits (``scanned``, ``updated``);
* every failure of ``/sdk/webhook/notify``, and an unknown source of ``user-email``;
* a connector that refuses or cannot be reached (triggers, ``/action``, ``/resource``, ``/prompt``, ``/skill``);
* a file that the extractor cannot read.

The examples are the same on every run (``derandomize``); ``make test-thorough`` tries more of them.
"""

import json
import re
from pathlib import Path

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from support.thorough import thorough

from omni_connector.local import HttpServer, LocalManager, LocalSettings

SCHEMA = Path(__file__).parents[2] / "docs" / "protocol" / "manager.openapi.yaml"
EXAMPLES = thorough(4, 25)
PROGRESS = "/sync/{sync_run_id}/progress"

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

U0000 = re.compile("invalid byte sequence|unsupported Unicode escape sequence")
CONNECTOR = re.compile("Connector returned error|Invalid response|Request failed")
DOCUMENTED_500 = {
    "/sdk/sync/{sync_run_id}/scanned": re.compile("integer out of range"),
    "/sdk/sync/{sync_run_id}/updated": re.compile("integer out of range"),
    "/sdk/webhook/notify": re.compile("Failed to trigger sync: "),
    "/sdk/source/{source_id}/user-email": re.compile("Failed to get user email: no rows"),
    "/sdk/extract-content": re.compile("Content extraction failed: "),
    "/sdk/extract-text": re.compile("Content extraction failed: "),
    "/sync": CONNECTOR,
    "/sync/{source_id}": CONNECTOR,
    "/action": CONNECTOR,
    "/resource": CONNECTOR,
    "/prompt": CONNECTOR,
    "/skill": CONNECTOR,
}

schema = schemathesis.openapi.from_path(SCHEMA)
OPERATIONS = [found.ok() for found in schema.get_all_operations()]
TAKE_ANYTHING = {"/sdk/sync/{sync_run_id}/checkpoint", "/sdk/source/{source_id}/connector-state"}
CASES = [
    pytest.param(operation, mode, id=f"{operation.method.upper()} {operation.path} {mode.value}")
    for operation in OPERATIONS
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    # Without a body, or with one that may be anything, there is no request that does not fit.
    if mode is GenerationMode.POSITIVE or (operation.body and operation.path not in TAKE_ANYTHING)
]


def connector_app():
    """A connector that accepts every run and has no MCP server."""
    app = Flask("connector")
    answers = {
        "health": {"status": "healthy"},
        "sync": {"status": "started"},
        "cancel": {"status": "cancelled"},
        "action": {"status": "success"},
    }
    app.add_url_rule(
        "/<path:path>",
        view_func=lambda path: answers.get(path, ({"error": "not here"}, 404)),
        methods=["GET", "POST"],
    )
    return app


@pytest.fixture
def connector():
    with HttpServer(connector_app(), threads=4, name="connector") as server:
        yield server


@pytest.fixture
def manager(tmp_path):
    limits = LocalSettings(
        max_concurrent_syncs=10_000,
        max_concurrent_syncs_per_type=10_000,
        sync_retry_delays_seconds=(),
        progress_interval_seconds=0.05,
    )
    with LocalManager(tmp_path, settings=limits, schedule=False) as manager:
        yield manager


@pytest.fixture
def seeds(manager, connector):
    """Values that exist in the manager, by the name of the property or parameter that takes them."""
    client = manager.app.test_client()
    manifest = {
        "name": "fuzzed",
        "display_name": "Fuzzed",
        "version": "1",
        "sync_modes": ["full", "incremental"],
        "connector_id": "fuzzed",
        "connector_url": connector.url,
        "source_types": ["web"],
        "actions": [
            {"name": "ping", "description": "", "input_schema": {}, "mode": "read", "source_types": ["web"]}
        ],
        "skills": [{"id": "static", "title": "", "content": "text"}, {"id": "dynamic", "title": ""}],
    }
    assert client.post("/sdk/register", json=manifest).status_code == 200
    user = manager.add_user("ada@example.com")
    manager.set_connector_config("google", {"oauth_client_id": "x"})
    active, inactive, deleted = (
        manager.add_source(source_type="web", credentials={"token": "t"}, sync_interval_seconds=60)
        for _ in range(3)
    )
    runs = []
    for ending in (None, "complete", "fail"):
        source = active if ending is None else manager.add_source(source_type="web", credentials={})
        body = {"source_id": source.id, "sync_type": "full"}
        run_id = client.post("/sdk/sync/create", json=body).json["sync_run_id"]
        if ending:
            client.post(f"/sdk/sync/{run_id}/{ending}", json={"error": "x"})
        runs.append(run_id)
    manager.set_source(inactive.id, is_active=False)
    manager.set_source(deleted.id, is_deleted=True)
    content = client.post("/sdk/content", json={"sync_run_id": runs[0], "content": "text"}).json["content_id"]
    return {
        "sync_run_id": runs,
        "source_id": [active.id, inactive.id, deleted.id],
        "content_id": [content],
        "user_id": [user.id],
        "action": ["ping"],
        "skill_id": ["static", "dynamic"],
        "provider": ["google"],
        "source_type": ["web"],
        "connector_url": [connector.url],
    }


def planted(value, seeds, pick):
    """Return a request part with some of its ids replaced by ones that exist."""
    if isinstance(value, dict):
        return {
            key: seeds[key][pick % len(seeds[key])]
            if key in seeds and isinstance(item, str)
            else planted(item, seeds, pick)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [planted(item, seeds, pick) for item in value]
    return value


def contains_u0000(case):
    text = json.dumps([case.path_parameters, case.query, case.body], default=repr)
    return "\\u0000" in text or "\\x00" in text


def check_progress(response):
    """The document gives the shape of each event's data; schemathesis would apply it to the event around it."""
    shape = schema.raw_schema["components"]["schemas"]["SyncProgress"]
    for line in response.text.splitlines():
        if line:
            progress = json.loads(line.removeprefix("data: "))
            assert set(shape["required"]) <= set(progress) <= set(shape["properties"])


def check_500(case, response):
    error = response.json()["error"]
    if U0000.search(error):
        assert contains_u0000(case), f"no U+0000 in the request, but {error}"
        return
    documented = DOCUMENTED_500.get(case.operation.path)
    assert documented is not None, f"undocumented 500: {error}"
    assert documented.search(error), f"undocumented 500: {error}"


@pytest.mark.parametrize(("operation", "mode"), CASES)
def test_answers_are_documented(manager, seeds, operation, mode):
    checks = CHECKS
    if operation.path == PROGRESS:
        seeds = {**seeds, "sync_run_id": seeds["sync_run_id"][1:]}  # The stream of a running run has no end.
        checks = [each for each in CHECKS if each is not response_schema_conformance]

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), pick=st.integers(0, 7))
    def check(case, pick):
        if pick < 4:
            case.path_parameters = planted(dict(case.path_parameters), seeds, pick)
            case.body = planted(case.body, seeds, pick)
        response = case.call(base_url=manager.url, timeout=20)
        case.validate_response(response, checks=checks, excluded_checks=[not_a_server_error])
        if operation.path == PROGRESS:
            check_progress(response)
        if response.status_code == 500:
            check_500(case, response)

    check()
