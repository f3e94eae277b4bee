"""What a client is asked outside of any run: sources, credentials, configs, runs of its own, webhooks."""

from __future__ import annotations

import datetime as dt
import inspect
import re

import attrs
import pytest
from support.openapi import document, problems, request_problems
from support.scripted_manager import Answer

from omni_connector import (
    ConfigurationError,
    MalformedAnswerError,
    NotFoundError,
    RunConflictError,
    SdkClient,
    SdkClientError,
)
from omni_connector.manager import ManagerApi
from omni_connector.models import ServiceCredential, SourceRow
from omni_connector.models.sync import ABSENT
from omni_connector.models.upstream_names import UpstreamCalls

ROW = {
    "id": "01K3000000000000000000000S",
    "name": "Docs",
    "source_type": "acme",
    "integration_type": "connector",
    "config": {"base_url": "https://example.com"},
    "is_active": True,
    "is_deleted": False,
    "scope": "user",
    "user_filter_mode": "blacklist",
    "user_whitelist": None,
    "user_blacklist": ["ada@example.com"],
    "connector_state": {"hook": 1},
    "checkpoint": {"cursor": "abc"},
    "sync_interval_seconds": 3600,
    "created_at": "+002026-08-01T12:00:00.123456000Z",
    "updated_at": "+002026-08-02T12:00:00.000000000Z",
    "created_by": "01K3000000000000000000000V",
}
CREDENTIAL = {
    "id": "01K3000000000000000000000C",
    "source_id": "01K3000000000000000000000S",
    "user_id": None,
    "provider": "google",
    "auth_type": "oauth",
    "principal_email": "ada@example.com",
    "credentials": {"access_token": "t0p-secret"},
    "config": {"domain": "example.com"},
    "expires_at": "+002026-08-01T13:00:00.000000000Z",
    "last_validated_at": None,
    "created_at": "+002026-08-01T12:00:00.123456000Z",
    "updated_at": "+002026-08-01T12:00:00.123456000Z",
}
RUN_ID = {"sync_run_id": "01K3ABCDEFGHJKMNPQRSTVWXYZ"}
NOON = dt.datetime(2026, 8, 1, 12, 0, 0, 123456, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("cls", "schema", "row"),
    [(SourceRow, "Source", ROW), (ServiceCredential, "ServiceCredential", CREDENTIAL)],
)
def test_a_row_has_every_field_of_the_protocol(cls, schema, row):
    properties = document("manager")["components"]["schemas"][schema]["properties"]
    assert {field.name for field in attrs.fields(cls)} == set(properties) == set(row)
    assert problems("manager", schema, row) == []


def test_a_source_is_read_whole_with_its_long_years(client, manager):
    manager.script(Answer(body=ROW))
    source = client.source("s/1")
    assert source == SourceRow(
        **{**ROW, "created_at": NOON, "updated_at": dt.datetime(2026, 8, 2, 12, tzinfo=dt.UTC)}
    )
    (request,) = manager.requests
    assert (request.method, request.path, request.body) == ("GET", "/sdk/source/s%2F1", b"")


def test_a_source_of_an_old_manager_has_defaults(client, manager):
    old = ("id", "name", "source_type", "config", "is_active", "connector_state", "created_at")
    manager.script(Answer(body={key: ROW[key] for key in old}))
    source = client.source("s")
    assert (source.checkpoint, source.user_filter_mode, source.scope) == (ABSENT, "all", "org")
    assert (source.connector_state, source.created_at) == ({"hook": 1}, NOON)


def test_credentials_are_read_whole_and_not_shown(client, manager):
    manager.script(Answer(body=CREDENTIAL))
    credential = client.credentials("s/1")
    assert credential.credentials == {"access_token": "t0p-secret"}
    assert credential.expires_at == dt.datetime(2026, 8, 1, 13, tzinfo=dt.UTC)
    assert "t0p-secret" not in repr(credential)
    assert manager.requests[0].path == "/sdk/credentials/s%2F1"


def test_sources_of_a_type_are_listed(client, manager):
    manager.script(Answer(body=[ROW, {**ROW, "id": "other"}]), Answer(body=[]), Answer(body={}))
    assert [source.id for source in client.sources_by_type("my type")] == [ROW["id"], "other"]
    assert client.sources_by_type("web") == []
    with pytest.raises(MalformedAnswerError, match="no list"):
        client.sources_by_type("web")
    assert manager.requests[0].path == "/sdk/sources/by-type/my%20type"


def test_the_config_of_a_provider_is_any_json_and_empty_when_there_is_none(client, manager):
    missing = Answer(
        404, {"error": "Connector config not found for provider: x"}, {"Content-Type": "application/json"}
    )
    manager.script(Answer(body={"oauth_client_id": "id0"}), missing)
    assert client.connector_config("google") == {"oauth_client_id": "id0"}
    assert client.connector_config("x/y") == {}
    assert manager.requests[1].path == "/sdk/connector-configs/x%2Fy"


def test_the_address_of_the_owner_is_read(client, manager):
    manager.script(Answer(body={"email": "ada@example.com"}))
    assert client.user_email("s/1") == "ada@example.com"
    assert manager.requests[0].path == "/sdk/source/s%2F1/user-email"


@pytest.mark.parametrize(
    ("call", "path", "body"),
    [
        (
            lambda c: c.create_run("s", "full"),
            "/sdk/sync/create",
            {"source_id": "s", "sync_type": "full"},
        ),
        (
            lambda c: c.create_run("s"),
            "/sdk/sync/create",
            {"source_id": "s", "sync_type": "incremental"},
        ),
        (
            lambda c: c.notify_webhook("s", "page.updated"),
            "/sdk/webhook/notify",
            {"source_id": "s", "event_type": "page.updated"},
        ),
    ],
)
def test_a_run_that_was_opened_is_returned(client, manager, call, path, body):
    manager.script(Answer(body=RUN_ID))
    assert call(client) == RUN_ID["sync_run_id"]
    (request,) = manager.requests
    assert (request.path, request.json) == (path, body)
    assert request_problems("POST", path, body) == []


def refusal(status, text):
    return Answer(status, {"error": text}, {"Content-Type": "application/json"})


@pytest.mark.parametrize(
    ("call", "answer", "kind"),
    [
        (lambda c: c.source("s"), refusal(404, "Source not found: s"), NotFoundError),
        (lambda c: c.sync_config("s"), refusal(404, "Source not found: s"), NotFoundError),
        (lambda c: c.credentials("s"), refusal(404, "Credentials not found for source: s"), NotFoundError),
        (lambda c: c.create_run("s"), refusal(404, "Source not found: s"), NotFoundError),
        (lambda c: c.create_run("s"), refusal(409, "Sync already running for source: s"), RunConflictError),
        (lambda c: c.create_run("s"), refusal(400, "Source is inactive: s"), SdkClientError),
        (
            lambda c: c.user_email("s"),
            refusal(
                500,
                "Failed to get user email: no rows returned by a query that expected to return at least one row",
            ),
            NotFoundError,
        ),
        (
            lambda c: c.notify_webhook("s", "e"),
            refusal(500, "Failed to trigger sync: Sync already running for source: s"),
            RunConflictError,
        ),
        (
            lambda c: c.notify_webhook("s", "e"),
            refusal(500, "Failed to trigger sync: Concurrency limit reached, try again later"),
            RunConflictError,
        ),
        (
            lambda c: c.notify_webhook("s", "e"),
            refusal(500, "Failed to trigger sync: Source not found: s"),
            NotFoundError,
        ),
        (
            lambda c: c.notify_webhook("s", "e"),
            refusal(500, "Failed to trigger sync: Source is inactive: s"),
            SdkClientError,
        ),
    ],
)
@pytest.mark.usefixtures("quick")
def test_a_refusal_is_named_and_not_repeated(client, manager, call, answer, kind):
    manager.otherwise = answer
    with pytest.raises(SdkClientError) as caught:
        call(client)
    assert type(caught.value) is kind
    assert (caught.value.status, len(manager.requests)) == (answer.status, 1)
    assert answer.body["error"] in str(caught.value)


@pytest.mark.parametrize(
    ("call", "row", "field"),
    [
        (lambda c: c.source("s"), {**ROW, "created_at": "yesterday"}, "created_at"),
        (lambda c: c.source("s"), {"id": "s"}, "source_type"),
        (lambda c: c.credentials("s"), [], "body"),
        (lambda c: c.create_run("s"), {"status": "ok"}, "sync_run_id"),
    ],
)
def test_an_answer_of_another_shape_names_operation_and_field(client, manager, call, row, field):
    manager.script(Answer(body=row))
    with pytest.raises(MalformedAnswerError, match=r"^(GET|POST) /sdk/") as caught:
        call(client)
    assert caught.value.field == field


def test_there_is_a_method_for_every_endpoint_under_sdk():
    source = "".join(inspect.getsource(cls) for cls in SdkClient.__mro__[:-1])
    documented = [
        (method.upper(), path)
        for path, operations in document("manager")["paths"].items()
        if path.startswith("/sdk/")
        for method in operations
        if method in {"get", "post", "put"}
    ]
    named = set(re.findall(r'"""``(GET|POST|PUT) (/sdk/[^`]*)``', source))
    wanted = {
        (method, re.sub(r"\{\w*(source_id|sync_run_id)\}", "{id}", path)) for method, path in documented
    }
    wanted = {(method, path.replace("{source_type}", "{type}")) for method, path in wanted}
    assert named == wanted


def test_the_api_that_the_package_knows_has_the_client_s_methods():
    public = {name for name in vars(ManagerApi) if not name.startswith("_")}
    assert public <= set(dir(SdkClient))
    own = set(dir(SdkClient)) - set(dir(UpstreamCalls)) - {"manager_url"}
    own = {name for name in own if not name.startswith("_")}
    assert own - public == {"from_environ", "from_env", "observe", "of", "share_extractions"}, (
        "how it is made and set up"
    )


def test_a_client_is_made_from_the_environment():
    with SdkClient.from_environ({"CONNECTOR_MANAGER_URL": "http://manager:8090/"}) as client:
        assert client.manager_url == "http://manager:8090"
    with pytest.raises(ConfigurationError, match="CONNECTOR_MANAGER_URL is not set"):
        SdkClient.from_environ({})
    with pytest.raises(ConfigurationError, match="not an http or https address"):
        SdkClient.from_env({"CONNECTOR_MANAGER_URL": "manager"})
