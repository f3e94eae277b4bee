"""What a connector is told when an account was connected, and what the manager is answered."""

from __future__ import annotations

import pytest
from attrs import evolve
from flask import Flask
from support.openapi import problems as schema_problems
from support.scripted import Scripted

from omni_connector import (
    ActionDefinition,
    ConfigurationError,
    ConnectorManifest,
    OAuthManifestConfig,
    Settings,
)
from omni_connector.exceptions import HookFailedError
from omni_connector.models import CredentialReadyRequest
from omni_connector.testing import serve_connector
from omni_connector.web.blueprint import build_blueprint

CREDENTIALS = {"credentials": {"access_token": "t0p-secret"}, "config": {}, "auth_type": "oauth"}
BODY = {
    "source_id": "s",
    "user_id": "u",
    "provider": "clickup",
    "flow": "user_read",
    "credentials": CREDENTIALS,
}
REQUEST = CredentialReadyRequest(**BODY)
URL = "http://me:8000"


class Learning(Scripted):
    """Offers more once an account is there, as the test says."""

    tools = ()
    returned = None

    @property
    def actions(self):
        return [ActionDefinition(name=name, description=name) for name in self.tools]

    def on_credential_ready(self, source_id, credentials):
        self.tools = ("find",) if source_id == "s" else ()
        return self.returned


def of(hook, **members):
    return type("Told", (Scripted,), {"on_credential_ready": hook, **members})()


@pytest.fixture
def ready(serve):
    def ready(connector, request=REQUEST):
        settings = Settings(manager_url="http://manager", connector_url=URL)
        return serve(connector, settings=settings).calls.credential_ready(request)

    return ready


@pytest.mark.parametrize("colour", ["blocking", "async"])
def test_the_hook_is_told_everything(ready, colour):
    seen = []

    def look(self, source_id, user_id, provider, flow, credentials, *, request):
        seen.append((source_id, user_id, provider, flow, credentials, request))

    async def look_async(self, *, credentials, **rest):
        assert await Scripted.on_credential_ready(self) is None
        look(self, credentials=credentials, **rest)

    assert ready(of(look if colour == "blocking" else look_async)) is None
    assert seen == [("s", "u", "clickup", "user_read", CREDENTIALS, REQUEST)]


def test_a_connector_without_the_hook_has_nothing_to_say(ready):
    assert ready(Scripted()) is None


@pytest.mark.parametrize("colour", ["blocking", "async"])
def test_the_hook_has_the_name_that_existing_connectors_override(ready, colour):
    seen = []

    def look(self, request):
        seen.append((request.source_id, dict(request.credentials)))
        return True

    async def look_async(self, request):
        assert await Scripted.oauth_credential_ready(self, request) is False
        return look(self, request)

    members = {"oauth_credential_ready": look if colour == "blocking" else look_async}
    connector = type("Existing", (Scripted,), members)()
    assert ready(connector)["name"] == "scripted"
    assert ready(connector, evolve(REQUEST, credentials=None))["name"] == "scripted"
    assert seen == [("s", CREDENTIALS), ("s", {})]


@pytest.mark.parametrize("value", [None, False, 0, "yes"])
def test_what_has_not_changed_is_not_answered(ready, value):
    assert ready(of(lambda self: value)) is None


def test_a_change_is_noticed_whatever_the_hook_says(ready):
    connector = Learning()
    changed = ready(connector)
    assert [action["name"] for action in changed["actions"]] == ["find"]
    assert changed["connector_url"] == URL
    assert schema_problems("manager", "ConnectorManifest", changed) == []
    assert ready(connector) is None, "nothing is new any more"


def test_the_hook_may_say_that_something_has_changed(ready):
    assert ready(of(lambda self: True))["name"] == "scripted"


@pytest.mark.parametrize("form", [lambda manifest: manifest, lambda manifest: manifest.to_wire()])
@pytest.mark.parametrize(("own", "sent"), [("", URL), ("http://elsewhere", "http://elsewhere")])
def test_the_hook_may_return_the_manifest(ready, form, own, sent):
    manifest = ConnectorManifest(
        name="scripted", version="2", display_name="S", sync_modes=["full"], connector_url=own
    )
    changed = ready(of(lambda self: form(manifest)))
    assert (changed["version"], changed["connector_url"]) == ("2", sent)


def test_a_manifest_that_the_manager_would_refuse_is_not_answered(ready):
    bad = ActionDefinition(name="bad", description="", input_schema={"not": {}})
    manifest = Scripted().get_manifest()
    manifest.actions = [bad]
    with pytest.raises(ConfigurationError, match=r"any more: action bad: input_schema\.not is not supported"):
        ready(of(lambda self: manifest))


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (ValueError("for t0p-secret"), r"ValueError: for \*\*\*"),
        (SystemExit("t0p-secret"), r"it tried to end the process \(SystemExit: \*\*\*\); raise another .*"),
        (KeyboardInterrupt("t0p-secret"), r"it was interrupted \(KeyboardInterrupt\)"),
    ],
)
def test_a_hook_that_fails_is_reported_without_secrets(ready, caplog, raised, reason):
    def fail(self):
        raise raised

    with pytest.raises(HookFailedError, match=f"^on_credential_ready failed: {reason}$"):
        ready(of(fail))
    assert "on_credential_ready failed: " in caplog.text
    assert "Traceback (most recent call last)" in caplog.text
    assert "t0p-secret" not in caplog.text


def test_the_endpoint_answers_as_documented(serve):
    app = Flask("test")
    app.register_blueprint(build_blueprint(serve(Learning())))
    client = app.test_client()
    first = client.post("/oauth/credential-ready", json=BODY)
    assert (first.status_code, first.json["actions"][0]["name"]) == (200, "find")
    again = client.post("/oauth/credential-ready", json={**BODY, "user_id": None})
    assert (again.status_code, again.data) == (204, b"")
    wrong = client.post("/oauth/credential-ready", json={})
    assert (wrong.status_code, wrong.json["error"]) == (400, "source_id: required field is missing")


def test_the_endpoint_tells_what_failed(serve, caplog):
    def fail(self):
        raise ValueError("t0p-secret")

    app = Flask("test")
    app.register_blueprint(build_blueprint(serve(of(fail))))
    answer = app.test_client().post("/oauth/credential-ready", json=BODY)
    assert (answer.status_code, answer.json["error"]) == (500, "on_credential_ready failed: ValueError: ***")
    assert "t0p-secret" not in caplog.text


class Connecting(Learning):
    """People connect accounts of their own."""

    source_types = ["clickup"]

    def oauth_config(self):
        return OAuthManifestConfig(
            provider="clickup",
            auth_endpoint="https://example.com/authorize",
            token_endpoint="https://example.com/token",
            userinfo_endpoint="https://example.com/me",
        )

    def on_credential_ready(self, credentials, flow):
        if credentials["credentials"]["access_token"] == "t1":
            self.tools = (f"find_for_{flow}",)


def test_a_connected_account_changes_what_the_manager_knows(omni_manager):
    with serve_connector(Connecting(), omni_manager) as served:
        source = served.put_source(credentials={"access_token": "org"})
        user = omni_manager.add_user("ada@example.com")
        client = omni_manager.app.test_client()
        notice = {"source_id": source, "user_id": user.id, "provider": "clickup", "flow": "user_write"}

        def announce():
            return client.post("/oauth/credential-ready", json=notice).json

        assert announce()["status"] == "missing_credentials"
        omni_manager.add_credential(source, {"access_token": "t0"}, user_id=user.id, auth_type="oauth")
        assert announce() == {"status": "delivered", "catalog_updated": False}
        omni_manager.add_credential(source, {"access_token": "t1"}, user_id=user.id, auth_type="oauth")
        assert announce() == {"status": "completed", "catalog_updated": True}
        assert [action["name"] for action in client.get("/actions").json["actions"]] == [
            "find_for_user_write"
        ]


def test_who_has_no_account_of_their_own_is_asked_to_connect_one(omni_manager):
    class WithAction(Connecting):
        tools = ("find",)

        def execute_action(self, action, params, credentials):
            return {"status": "success", "result": credentials["credentials"]["access_token"]}

    with serve_connector(WithAction(), omni_manager) as served:
        source = served.put_source(credentials={"access_token": "org"})
        asked = served.call_action("find", source_id=source, actor_email="ada@example.com")
        assert (asked.status_code, asked.error) == (412, "needs_user_auth")
        user = omni_manager.add_user("ada@example.com")
        omni_manager.add_credential(source, {"access_token": "hers"}, user_id=user.id, auth_type="oauth")
        answer = served.call_action("find", source_id=source, actor_email="ada@example.com")
        assert answer.result == "hers"
