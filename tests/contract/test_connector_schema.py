"""A fuzz of a served connector, driven by docs/protocol/connector.openapi.yaml.

Every operation gets requests that fit its schema and requests that do not, over real HTTP. Checked for every answer: no
5xx, the status is documented for the operation, content type and body are those documented for that status.

The document describes what the manager sends, which is never malformed, and so has no answers for what is; the project
promises 4xx with a JSON body that names the field. Those answers are added to the loaded schema here: 400 (not JSON, a
missing or mistyped field), 413 (too large), 415 (another content type).

Left out are the endpoints that a connector does not serve yet: /resource, /prompt.

The examples are the same on every run (``derandomize``); ``make test-thorough`` tries more of them.
"""

from __future__ import annotations

import copy

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from support.openapi import document
from support.scripted import Scripted
from support.thorough import thorough

from omni_connector import ActionResponse, Settings
from omni_connector.local import HttpServer
from omni_connector.server import create_app, services
from omni_connector.testing import MemoryManager

EXAMPLES = thorough(8, 40)
NOT_SERVED = {"/resource", "/prompt"}
MALFORMED = {
    "400": "Not JSON, or a field is missing or mistyped.",
    "413": "Larger than the limit.",
    "415": "Another content type than JSON.",
}
REFUSAL = {
    "type": "object",
    "required": ["status", "message", "error", "field"],
    "properties": {
        "status": {"const": "error"},
        "message": {"type": "string"},
        "error": {"type": "string"},
        "field": {"type": "string", "minLength": 1},
    },
}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def served() -> dict:
    """Return the document with what is served, and with the answers to what is malformed."""
    loaded = copy.deepcopy(document("connector"))
    for path in NOT_SERVED:
        del loaded["paths"][path]
    for operations in loaded["paths"].values():
        responses = operations.get("post", {}).get("responses")
        if responses is None:
            continue
        for status, description in MALFORMED.items():
            answer = {"description": description, "content": {"application/json": {"schema": REFUSAL}}}
            # Where the document has a 400 of its own, ours keeps to that shape as well.
            responses.setdefault(status, answer)
    return loaded


schema = schemathesis.openapi.from_dict(served())
OPERATIONS = [found.ok() for found in schema.get_all_operations()]
CASES = [
    pytest.param(operation, mode, id=f"{operation.method.upper()} {operation.path} {mode.value}")
    for operation in OPERATIONS
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    # Without a body there is no request that does not fit.
    if mode is GenerationMode.POSITIVE or operation.body
]


class Fuzzed(Scripted):
    """Starts whatever it is told to, and knows every other action and skill."""

    name = "fuzzed"
    sync_modes = ["full", "incremental", "realtime"]

    def execute_action(self, action, params, credentials, source=None, actor_email=None):
        if len(action) % 2:
            return ActionResponse.not_supported(action)
        return ActionResponse.success({"params": params, "source": source})

    def load_skill(self, skill_id, arguments):
        return None if len(skill_id) % 2 or not skill_id else f"{arguments}"

    def on_credential_ready(self, user_id):
        return user_id is None


@pytest.fixture
def url():
    settings = Settings(manager_url="http://manager", max_body_bytes=100_000)
    app = create_app(Fuzzed(), settings=settings, manager=MemoryManager(), register=False)
    with HttpServer(app, threads=4, name="connector") as server:
        yield server.url
    for service in services(app).values():
        service.close()


def test_everything_that_is_served_is_fuzzed():
    assert {operation.path for operation in OPERATIONS} == {
        "/health",
        "/manifest",
        "/sync",
        "/sync/{sync_run_id}",
        "/cancel",
        "/action",
        "/skill",
        "/oauth/credential-ready",
    }


@pytest.mark.parametrize(("operation", "mode"), CASES)
def test_answers_are_documented(url, operation, mode):
    statuses = set()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case):
        response = case.call(base_url=url, timeout=20)
        case.validate_response(response, checks=CHECKS)
        statuses.add(response.status_code)

    check()
    # The fuzz reaches both sides: what fits is taken, what does not is refused.
    refused = {400, 413, 415}
    assert statuses & refused if mode is GenerationMode.NEGATIVE else statuses - refused
