from datetime import timedelta

import pytest
from flask import Flask, request

from omni_connector.local import HttpServer


class TokenEndpoint:
    """A provider's token endpoint."""

    def __init__(self):
        self.forms = []
        self.answer = {"access_token": "t1", "expires_in": 3600, "token_type": "Bearer", "scope": "x"}
        app = Flask("tokens")
        app.add_url_rule("/token", view_func=self._serve, methods=["POST"])
        self._server = HttpServer(app, threads=2, name="tokens")

    def _serve(self):
        self.forms.append(dict(request.form))
        return self.answer

    def __enter__(self):
        self.url = f"{self._server.start().url}/token"
        return self

    def __exit__(self, *_):
        self._server.close()


@pytest.fixture
def tokens():
    with TokenEndpoint() as tokens:
        yield tokens


def test_the_owners_row_depends_on_the_scope(api, manager):
    org = manager.add_source(
        source_type="github", credentials={"token": "org"}, principal_email="bot@example.com"
    )
    row = api.get(f"/sdk/credentials/{org.id}").json()
    assert row["created_at"] == "+002026-08-01T12:00:00.123456000Z"
    assert (row["source_id"], row["user_id"], row["provider"]) == (org.id, None, "github")
    assert (row["auth_type"], row["principal_email"], row["credentials"]) == (
        "api_key",
        "bot@example.com",
        {"token": "org"},
    )
    assert (row["config"], row["expires_at"], row["last_validated_at"]) == ({}, None, None)
    personal = manager.add_source(source_type="gmail", scope="user", credentials={"token": "mine"})
    manager.add_credential(personal.id, {"token": "org"})
    row = api.get(f"/sdk/credentials/{personal.id}").json()
    assert (row["user_id"], row["credentials"]) == (personal.created_by, {"token": "mine"})


def test_missing_sources_and_rows_are_told_apart(api, manager):
    source = manager.add_source(source_type="web")
    answer = api.get(f"/sdk/credentials/{source.id}")
    assert (answer.status_code, answer.json()["error"]) == (
        404,
        f"Credentials not found for source: {source.id}",
    )
    answer = api.get("/sdk/credentials/unknown")
    assert (answer.status_code, answer.json()["error"]) == (404, "Source not found: unknown")


def oauth(manager, clock, *, seconds, **credentials):
    source = manager.add_source(source_type="google_drive")
    manager.add_credential(
        source.id,
        {"access_token": "t0", "refresh_token": "r0", **credentials},
        auth_type="oauth",
        expires_at=clock.now() + timedelta(seconds=seconds),
    )
    return source


def test_a_token_that_expires_soon_is_refreshed_here_but_not_in_sync_config(api, manager, clock, tokens):
    source = oauth(manager, clock, seconds=300, client_id="c", client_secret="s", token_uri=tokens.url)
    assert api.get(f"/sdk/source/{source.id}/sync-config").json()["credentials"]["access_token"] == "t0"
    row = api.get(f"/sdk/credentials/{source.id}").json()
    assert row["credentials"]["access_token"] == "t1"
    assert row["credentials"]["refresh_token"] == "r0"
    assert "scope" not in row["credentials"]
    assert row["expires_at"] == "+002026-08-01T13:00:00.123456000Z"
    assert tokens.forms == [
        {"grant_type": "refresh_token", "refresh_token": "r0", "client_id": "c", "client_secret": "s"}
    ]
    api.get(f"/sdk/credentials/{source.id}")
    assert len(tokens.forms) == 1


def test_client_and_endpoint_may_come_from_the_providers_configuration(api, manager, clock, tokens):
    source = oauth(manager, clock, seconds=0)
    assert api.get(f"/sdk/credentials/{source.id}").json()["credentials"]["access_token"] == "t0"
    manager.set_connector_config("google", {"oauth_client_id": "c", "oauth_token_endpoint": tokens.url})
    assert api.get(f"/sdk/credentials/{source.id}").json()["credentials"]["access_token"] == "t1"


def test_a_token_that_lasts_is_left_alone(api, manager, clock, tokens):
    source = oauth(manager, clock, seconds=301, client_id="c", token_uri=tokens.url)
    assert api.get(f"/sdk/credentials/{source.id}").json()["credentials"]["access_token"] == "t0"


@pytest.mark.parametrize("answer", [({"error": "invalid_grant"}, 400), {"no": "token"}, "no json"])
def test_a_refused_refresh_is_a_500_without_secrets(api, manager, clock, tokens, answer):
    source = oauth(manager, clock, seconds=0, client_id="c", token_uri=tokens.url)
    tokens.answer = answer
    refused = api.get(f"/sdk/credentials/{source.id}")
    assert refused.status_code == 500
    assert refused.json()["error"].startswith("Failed to refresh OAuth token: ")
    assert "r0" not in refused.text


def test_a_replaced_source_without_credentials_loses_its_row(api, manager):
    source = manager.add_source(source_type="web", credentials={"a": 1}, source_id="my-source")
    assert source.id == "my-source"
    manager.set_source(source.id, checkpoint={"c": 1})
    again = manager.add_source(source_type="web", source_id="my-source", config={"new": True})
    assert (again.config, again.checkpoint) == ({"new": True}, {"c": 1})
    manager.set_source(source.id, is_deleted=True)
    again = manager.add_source(source_type="web", source_id="my-source", config={"new": True})
    assert (again.checkpoint, again.is_deleted) == (None, False)
    assert api.get("/sdk/credentials/my-source").status_code == 404


def test_a_credential_needs_its_source(manager):
    from omni_connector.local import LocalManagerError

    with pytest.raises(LocalManagerError, match="Source not found: unknown"):
        manager.add_credential("unknown", {})
