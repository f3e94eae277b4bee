"""The table of every endpoint and field, who sends it, and the test that covers it: ``docs/reference/protocol-coverage.md``.

    make protocol-coverage

writes it anew from the two OpenAPI documents and the lists below. A test holds the file against them, and that every
test named here exists.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.exchanges import all_operations
from support.openapi import document

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs" / "reference" / "protocol-coverage.md"

SIDES = ("manager", "connector")
REQUEST, ANSWER = "request", "answer"

TRAFFIC = "contract/test_traffic.py"
REQUESTS = f"{TRAFFIC}::test_requests_are_as_documented"
ANSWERS = f"{TRAFFIC}::test_answers_are_as_documented"
CLIENT = "manager/test_sdk_client.py"
OUTSIDE = "manager/test_sdk_client_outside_runs.py"
SENT = f"{CLIENT}::test_an_operation_is_sent_as_documented"

OPERATION_TESTS = {
    # manager.openapi.yaml
    "register": [SENT, "runtime/test_runtime_registration.py::test_it_registers_again_and_again"],
    "emitEvent": [SENT, "manager/test_sdk_compatibility.py::test_without_batches_events_are_sent_one_by_one"],
    "emitEventBatch": [SENT, "sync/test_sync_delivery.py::test_everything_arrives_in_the_order_of_emission"],
    "storeContent": [f"{CLIENT}::test_content_is_stored_and_its_id_returned"],
    "extractContent": [
        "manager/test_sdk_extraction.py::test_a_file_travels_as_a_form_and_its_result_comes_back"
    ],
    "extractText": [
        "manager/test_sdk_extraction.py::test_a_file_travels_as_a_form_and_its_result_comes_back"
    ],
    "heartbeat": [SENT, "testing/test_realtime_end_to_end.py::test_a_loop_that_only_sleeps_is_kept_alive"],
    "incrementScanned": [SENT, "sync/test_sync_context.py::test_scanned_documents_are_counted"],
    "incrementUpdated": [SENT, "sync/test_sync_context.py::test_documents_with_contents_arrive_in_order"],
    "updateCheckpoint": [
        SENT,
        "sync/test_sync_context.py::test_a_checkpoint_is_saved_after_everything_before_it_was_accepted",
    ],
    "completeSync": [
        SENT,
        "sync/test_sync_context.py::test_a_completed_run_publishes_its_checkpoint_or_the_one_it_was_given",
    ],
    "failSync": [SENT, "testing/test_run_sync.py::test_a_failed_run_tells_its_error_and_publishes_nothing"],
    "createSync": [
        f"{OUTSIDE}::test_a_run_that_was_opened_is_returned",
        "runtime/test_own_runs.py::test_work_is_done_in_a_run_of_its_own",
    ],
    "cancelOwnSync": [SENT],
    "getSource": [f"{OUTSIDE}::test_a_source_is_read_whole_with_its_long_years"],
    "getSyncConfig": [f"{CLIENT}::test_the_config_of_a_source_is_read"],
    "updateConnectorState": [
        SENT,
        "sync/test_sync_connector_state.py::test_the_notes_are_saved_at_once_and_told_from_then_on",
    ],
    "getUserEmail": [
        f"{OUTSIDE}::test_the_address_of_the_owner_is_read",
        "sync/test_sync_people.py::test_the_owners_address_is_asked_for_once",
    ],
    "getCredentials": [f"{OUTSIDE}::test_credentials_are_read_whole_and_not_shown"],
    "listSourcesByType": [f"{OUTSIDE}::test_sources_of_a_type_are_listed"],
    "notifyWebhook": [
        f"{OUTSIDE}::test_a_run_that_was_opened_is_returned",
        "examples/test_webhook_app.py::test_for_anything_else_the_manager_is_asked_for_a_sync",
    ],
    "getConnectorConfig": [
        f"{OUTSIDE}::test_the_config_of_a_provider_is_any_json_and_empty_when_there_is_none"
    ],
    "syncProgress": [
        "local/test_progress.py::test_progress_is_streamed_until_the_run_ends",
        "sync/test_sync_resumed_counts.py::test_a_resumed_run_goes_on_from_the_managers_figures",
    ],
    "managerHealth": [ANSWERS],
    "triggerSync": ["local/test_dispatch.py::test_a_triggered_sync_is_handed_to_the_connector"],
    "triggerFullSync": [ANSWERS],
    "cancelSync": ["local/test_cancellation.py::test_cancel_tells_the_connector_and_ends_the_run"],
    "listSchedules": ["local/test_sources_api.py::test_schedules_tell_the_last_and_next_sync"],
    "listSources": ["local/test_sources_api.py::test_overviews_list_sources_with_health_and_recent_runs"],
    "listActiveSources": [ANSWERS],
    "getSourceOverview": [ANSWERS],
    "listConnectors": ["local/test_catalogue.py::test_an_unhealthy_connector_is_listed_as_such"],
    "listActions": ["local/test_catalogue.py::test_actions_are_listed_per_type"],
    "executeAction": [
        "local/test_actions.py::test_stored_credentials_resolve_params_and_send_the_whole_story"
    ],
    "listResources": ["mcp/test_mcp_connector.py::test_after_a_sync_everything_is_announced_at_once"],
    "readResource": ["mcp/test_mcp_connector.py::test_a_resource_is_read"],
    "listPrompts": ["mcp/test_mcp_connector.py::test_after_a_sync_everything_is_announced_at_once"],
    "getPrompt": ["mcp/test_mcp_connector.py::test_a_prompt_is_fetched_also_as_a_skill"],
    "listSkills": ["runtime/test_runtime_skills.py::test_skills_are_listed_and_loaded_through_the_manager"],
    "getSkill": ["runtime/test_runtime_skills.py::test_skills_are_listed_and_loaded_through_the_manager"],
    "announceOAuthCredential": [
        "runtime/test_runtime_credential_ready.py::test_a_connected_account_changes_what_the_manager_knows"
    ],
    # connector.openapi.yaml
    "health": ["web/test_web_endpoints.py::test_health"],
    "manifest": ["web/test_web_endpoints.py::test_manifest"],
    "startSync": [
        "web/test_web_endpoints.py::test_every_form_of_a_sync_request_is_taken",
        "runtime/test_runtime_validation.py::test_the_endpoint_answers_with_the_status",
    ],
    "syncStatus": ["web/test_web_endpoints.py::test_a_sync_is_started_and_seen_to_run"],
    "cancel": ["web/test_web_endpoints.py::test_a_run_is_cancelled_once"],
    "action": ["web/test_web_endpoints.py::test_actions_of_every_manager_are_taken"],
    "resource": ["mcp/test_mcp_connector.py::test_a_resource_is_read"],
    "prompt": ["mcp/test_mcp_connector.py::test_a_prompt_is_fetched_also_as_a_skill"],
    "skill": ["runtime/test_runtime_skills.py::test_the_endpoint_answers_as_documented"],
    "oauthCredentialReady": [
        "runtime/test_runtime_credential_ready.py::test_the_endpoint_answers_as_documented"
    ],
}

FIELD_TESTS = {
    "Retry-After": ["manager/test_sdk_extraction.py::test_the_time_that_a_busy_manager_names_is_waited"],
}
"""Tests of single fields, where those of their endpoint do not look at them."""

MODELS = "models/test_model_"
MANIFEST_KEYS = [
    f"{MODELS}manifest.py::test_every_key_of_the_schema_is_written",
    f"{TRAFFIC}::test_every_field_that_a_connector_can_send_is_sent",
]
WHOLE_DOCUMENT = [f"{MODELS}events.py::test_a_whole_document_is_written_with_every_field"]
WHOLE_ROW = [f"{OUTSIDE}::test_a_row_has_every_field_of_the_protocol"]
WHOLE_PERSON = [
    f"{MODELS}people.py::test_a_record_has_every_field_of_the_protocol",
    f"{MODELS}people.py::test_a_whole_person_travels_as_the_protocol_says",
]
LISTED = ["local/test_sources_api.py::test_overviews_list_sources_with_health_and_recent_runs"]

SCHEMA_TESTS = {
    "ActionDefinition": MANIFEST_KEYS,
    "ActionRequest": ["web/test_web_endpoints.py::test_an_action_is_given_all_five_keys"],
    "ActionResponse": [f"{MODELS}manifest.py::test_action_responses_have_the_shape_of_the_protocol"],
    "ConnectorInfo": ["local/test_catalogue.py::test_an_unhealthy_connector_is_listed_as_such"],
    "ConnectorManifest": MANIFEST_KEYS,
    "ConnectorSkillDefinition": MANIFEST_KEYS,
    "ContentIdResponse": [f"{CLIENT}::test_content_is_stored_and_its_id_returned"],
    "DocumentCreatedEvent": WHOLE_DOCUMENT,
    "DocumentDeletedEvent": ["sync/test_sync_context.py::test_documents_with_contents_arrive_in_order"],
    "DocumentMetadata": WHOLE_DOCUMENT,
    "DocumentPermissions": WHOLE_DOCUMENT,
    "DocumentUpdatedEvent": WHOLE_DOCUMENT,
    "EmitBatchRequest": [SENT],
    "EmitEventRequest": [SENT],
    "ErrorBody": [f"{OUTSIDE}::test_a_refusal_is_named_and_not_repeated"],
    "ExecuteActionRequest": ["local/test_actions.py::test_action_requests_are_decoded_strictly"],
    "GroupMembershipSyncEvent": [
        f"{MODELS}people.py::test_members_are_written_in_lower_case_each_once_and_in_order"
    ],
    "LegacyCompleteRequest": ["local/test_manager_dates.py::test_complete_needs_its_body_and_uses_it", SENT],
    "ListedAction": ["local/test_catalogue.py::test_actions_are_listed_per_type"],
    "McpCredentials": ["mcp/test_mcp_connector.py::test_the_hook_is_given_the_secrets_whatever_the_endpoint"],
    "McpPromptArgument": ["mcp/test_mcp_connector.py::test_after_a_sync_everything_is_announced_at_once"],
    "McpPromptDefinition": ["mcp/test_mcp_connector.py::test_after_a_sync_everything_is_announced_at_once"],
    "McpResourceDefinition": ["mcp/test_mcp_connector.py::test_after_a_sync_everything_is_announced_at_once"],
    "NeedsUserAuth": [
        "local/test_actions.py::test_a_user_without_an_account_of_a_connector_with_oauth_must_connect_first"
    ],
    "OAuthManifestConfig": [
        "runtime/test_runtime_manifest.py::test_the_oauth_configuration_is_announced_in_both_colours",
        f"{TRAFFIC}::test_every_field_that_a_connector_can_send_is_sent",
    ],
    "PersonDeletedEvent": [f"{MODELS}people.py::test_a_deletion_names_a_whole_address"],
    "PersonSyncEvent": WHOLE_PERSON,
    "PersonSyncRecord": WHOLE_PERSON,
    "ScheduleInfo": ["local/test_sources_api.py::test_schedules_tell_the_last_and_next_sync"],
    "SearchOperator": MANIFEST_KEYS,
    "ServiceCredential": WHOLE_ROW,
    "Source": WHOLE_ROW,
    "SourceSyncOverview": LISTED,
    "StatusOk": [ANSWERS],
    "StoreContentRequest": [f"{CLIENT}::test_content_is_stored_and_its_id_returned"],
    "SyncConfig": [
        f"{CLIENT}::test_the_config_of_a_source_is_read",
        "testing/test_run_sync.py::test_the_owner_the_filter_and_the_last_sync_reach_the_connector",
    ],
    "SyncProgress": ["local/test_progress.py::test_an_ended_run_has_one_event_and_an_unknown_one_none"],
    "SyncRequest": [
        "web/test_web_endpoints.py::test_every_form_of_a_sync_request_is_taken",
        "sync/test_sync_resumed_counts.py::test_figures_in_the_dispatch_save_the_question",
    ],
    "SyncResponse": [
        "web/test_web_endpoints.py::test_a_source_that_cannot_be_read_is_answered_as_documented"
    ],
    "SyncRun": LISTED,
    "TransientCredentials": [
        "local/test_actions.py::test_transient_credentials_go_to_the_connector_as_they_are"
    ],
    "TriggerSyncRequest": ["local/test_dispatch.py::test_the_first_incremental_is_a_full_one"],
}
"""Tests of the fields of each schema that has some; the contract suite holds every one of them beside."""

INTRODUCTION = """\
# Protocol coverage

Every endpoint and every field of the two documents in `protocol/`, who sends it, and the tests that cover it, below
`tests/`. Written by `make protocol-coverage`; `tests/contract/test_protocol_coverage.py` holds it against the documents.

Beside the tests that are named here every endpoint is held against its document by `tests/contract/test_traffic.py`, which
records real traffic of everything (with the embedded manager as it is today and as it was on four older days, or with a
real manager), and fuzzed by `tests/contract/test_connector_schema.py` and `test_manager_schema.py`. *SDK* is this package
as a connector, *manager* the connector-manager, *caller* the web app, an operator or an agent. What callers and the manager
say to each other passes the SDK by; the embedded manager speaks it, and the tests named are of that.
"""


def render() -> str:
    """Return the whole file."""
    parts = [INTRODUCTION]
    for side in SIDES:
        parts.append(f"## {side}.openapi.yaml\n")
        parts.append("### Endpoints\n")
        parts.append(_table(("endpoint", "request by", "answer by", "since", "tests"), _endpoints(side)))
        parts.append("### Fields\n")
        parts.append(_table(("in", "field", "sent by", "tests"), _fields(side)))
    return "\n".join(parts)


def fields_of(side: str) -> set[tuple[str, str]]:
    """Return every field of a document, as where it stands and its path there."""
    return {(where, name) for where, name, _, _ in _fields(side, plain=True)}


def named_tests() -> set[str]:
    """Return every test that the lists name, as path and function."""
    lists = (*OPERATION_TESTS.values(), *SCHEMA_TESTS.values(), *FIELD_TESTS.values())
    return {test for tests in lists for test in tests}


def missing_tests() -> list[str]:
    """Return the named tests that do not exist."""
    return sorted(test for test in named_tests() if not _exists(test))


def _endpoints(side: str) -> Iterator[tuple[str, ...]]:
    for name, (method, path, operation) in all_operations(side).items():
        since = operation["x-since"]["date"]
        asks, answers = _sender(side, operation, REQUEST), _sender(side, operation, ANSWER)
        yield f"`{method} {path}`", asks, answers, since, _shown(OPERATION_TESTS[name])


def _fields(side: str, *, plain: bool = False) -> Iterator[tuple[str, ...]]:
    """Yield the parameters and inline bodies of the operations, then the schemas in the order of the document."""
    senders: dict[str, set[str]] = {}
    for name, (method, path, operation) in all_operations(side).items():
        for direction, label, schema in _bodies(side, path, operation):
            sender = _sender(side, operation, direction)
            for field in _inline(schema):
                tests = FIELD_TESTS.get(field, OPERATION_TESTS[name])
                yield (
                    (f"{method} {path} {label}", field, sender, _shown(tests))
                    if plain
                    else (
                        f"`{method} {path}` {label}",
                        f"`{field}`",
                        sender,
                        _shown(tests),
                    )
                )
            for reached in _reached(side, schema, set()):
                senders.setdefault(reached, set()).add(sender)
    for name, schema in document(side)["components"]["schemas"].items():
        for field in _inline(schema):
            who = ", ".join(sorted(senders.get(name, {"nobody"})))
            if plain:
                yield name, field, who, ""
            else:
                yield name, f"`{field}`", who, _shown(SCHEMA_TESTS[name])


def _bodies(side: str, path: str, operation: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    shared = document(side)["paths"][path].get("parameters", ())
    for parameter in (*shared, *operation.get("parameters", ())):
        resolved = _resolved(side, parameter)
        yield REQUEST, resolved["in"], {"properties": {resolved["name"]: resolved["schema"]}}
    if "requestBody" in operation:
        for media in _resolved(side, operation["requestBody"])["content"].values():
            yield REQUEST, "request", media["schema"]
    for status, answer in operation["responses"].items():
        resolved = _resolved(side, answer)
        for header, described in resolved.get("headers", {}).items():
            yield ANSWER, f"answer {status} header", {"properties": {header: described["schema"]}}
        for media in resolved.get("content", {}).values():
            yield ANSWER, f"answer {status}", media["schema"]


def _inline(schema: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the fields that stand in a schema itself, with those inside them; what it refers to is told elsewhere."""
    for name, inner in schema.get("properties", {}).items():
        path = f"{prefix}.{name}" if prefix else name
        yield path
        yield from _inline(inner, path)
    if isinstance(schema.get("items"), dict):
        yield from _inline(schema["items"], f"{prefix}[]" if prefix else "")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _inline(schema["additionalProperties"], f"{prefix}.*" if prefix else "*")
    for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from _inline(part, prefix)


def _reached(side: str, schema: Any, seen: set[str]) -> set[str]:
    """Return the names of the schemas that a body consists of."""
    if isinstance(schema, list):
        for item in schema:
            _reached(side, item, seen)
    elif isinstance(schema, dict):
        name = str(schema.get("$ref", "")).removeprefix("#/components/schemas/")
        if name and name not in seen and "/" not in name:
            seen.add(name)
            _reached(side, document(side)["components"]["schemas"][name], seen)
        for item in schema.values():
            _reached(side, item, seen)
    return seen


def _sender(side: str, operation: dict[str, Any], direction: str) -> str:
    if side == "connector":
        return "manager" if direction == REQUEST else "SDK"
    if direction == ANSWER:
        return "manager"
    sdk = "sdk" in operation["tags"] or operation["operationId"] == "syncProgress"
    return "SDK" if sdk else "caller"


def _resolved(side: str, part: dict[str, Any]) -> dict[str, Any]:
    found: Any = part
    if "$ref" in part:
        found = document(side)
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
    return found


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    seen: dict[tuple[str, ...], None] = dict.fromkeys(rows)
    lines += ["| " + " | ".join(row) + " |" for row in seen]
    return "\n".join(lines) + "\n"


def _shown(tests: list[str]) -> str:
    return "<br>".join(f"`{test}`" for test in tests)


def _exists(test: str) -> bool:
    path, _, name = test.partition("::")
    return name in _functions(ROOT / "tests" / path)


@functools.cache
def _functions(path: Path) -> frozenset[str]:
    if not path.is_file():
        return frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


if __name__ == "__main__":
    TABLE.write_text(render(), encoding="utf-8")
