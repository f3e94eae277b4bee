"""Tokens that are fetched once, however many need them, and kept before they are used."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from support.processes import ROOT, child_environ
from support.redis_server import RedisServer
from support.scripted import WAIT
from support.source_server import Answer, SourceServer
from support.waiting import QUICKLY

from omni_connector import (
    ConfigurationError,
    Connector,
    InvalidValueError,
    ManagerUnreachableError,
    SdkClient,
    action,
)
from omni_connector.local import LocalManager
from omni_connector.masking import mask
from omni_connector.runstore.memory import MemoryStore
from omni_connector.runstore.runs import SharedRuns
from omni_connector.runstore.sources import StoredSources
from omni_connector.sources import (
    ClientCredentials,
    ManagerCredentials,
    RateLimitedError,
    RefreshToken,
    SourceHttpError,
    TokenError,
    http_session,
)
from omni_connector.sources.kept_tokens import KEY
from omni_connector.sources.source_run import NoRun
from omni_connector.telemetry.figures import Stage
from omni_connector.testing import MemoryManager, serve_connector

FIRST = "refresh-0-of-credentials"


class Provider:
    """A token endpoint that takes each refresh token once, and an interface that takes the last access token."""

    def __init__(self):
        self.refresh = FIRST
        self.access = ""
        self.requests = 0
        self.expires_in = 3600
        self.seen_with = []
        self.before_answer = lambda: None
        self.before_token = lambda: None

    def __call__(self, seen):
        if seen.path == "/token":
            return self.token(seen.form)
        sent = seen.headers.get("Authorization", "").removeprefix("Bearer ")
        self.seen_with.append(sent)
        return Answer({"sent": sent}, status=200 if sent and sent == self.access else 401)

    def token(self, form):
        self.requests += 1
        number = self.requests
        self.before_token()
        if form["grant_type"] == "refresh_token":
            if form["refresh_token"] != self.refresh:
                return Answer({"error": "invalid_grant", "error_description": "used already"}, status=400)
            self.refresh = f"refresh-{number}-of-provider"
        self.before_answer()
        self.access = f"access-{number}-of-provider"
        return Answer(
            {"access_token": self.access, "expires_in": self.expires_in, "refresh_token": self.refresh}
        )


@pytest.fixture
def provider():
    found = Provider()
    with SourceServer(found) as server:
        found.url = server.url
        found.token_url = f"{server.url}/token"
        yield found


@pytest.fixture
def manager():
    return MemoryManager()


@pytest.fixture
def sources(manager):
    runs = SharedRuns.of(MemoryStore())
    yield StoredSources(runs, manager)
    runs.close()


def reader(provider, sources, refresh_token=FIRST):
    """Return a session of a call for the source."""
    auth = RefreshToken(provider.token_url, "client-1", refresh_token, "s3cret-of-client")
    return http_session(NoRun("source-1", shared=sources), base_url=provider.url, auth=auth)


def kept(manager):
    [token] = manager.config.connector_state[KEY].values()
    return token


def test_eight_threads_with_sessions_of_their_own_fetch_one_token(provider, sources):
    together = threading.Barrier(8, timeout=WAIT)

    def read(_):
        with reader(provider, sources) as session:
            together.wait()
            return session.get("/items").status_code

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, range(8))) == [200] * 8
    assert provider.requests == 1


def test_eight_threads_whose_token_was_revoked_fetch_one(provider, sources):
    with reader(provider, sources) as session:
        session.get("/items")
        provider.access = "revoked"
        with ThreadPoolExecutor(8) as pool:
            assert [answer.status_code for answer in pool.map(session.get, ["/items"] * 8)] == [200] * 8
    assert provider.requests == 2


def test_the_new_token_is_kept_before_the_access_token_is_used(provider, sources, manager):
    with reader(provider, sources) as session:
        manager.on("save_connector_state", ManagerUnreachableError("away"))
        with pytest.raises(ManagerUnreachableError):
            session.get("/items")
        assert provider.seen_with == []
        manager.on("save_connector_state", None)
        assert session.get("/items").status_code == 200
    assert provider.requests == 1  # The first new token was not lost.
    assert kept(manager)["refresh_token"] == provider.refresh


@pytest.mark.parametrize("expires_in", ["3599.5", "", "soon", [3600], None, 1e30])
def test_a_new_refresh_token_is_kept_whatever_is_said_of_the_life_of_the_access_token(
    provider, sources, manager, expires_in
):
    provider.expires_in = expires_in
    with reader(provider, sources) as session:
        assert session.get("/items").status_code == 200
    assert kept(manager)["refresh_token"] == provider.refresh


@pytest.mark.parametrize(
    "answer", [[], None, {"access_token": None}, {"access_token": ""}, {"refresh_token": "x"}]
)
def test_an_answer_without_a_token_is_an_error_that_says_so(answer):
    with SourceServer(lambda _: Answer(answer)) as server:
        auth = ClientCredentials(f"{server.url}/token", "app", "hush-hush-hush")
        with (
            http_session(base_url=server.url, auth=auth) as session,
            pytest.raises(TokenError, match="gives no token"),
        ):
            session.get("/")


def test_a_later_process_goes_on_with_what_was_kept(provider, sources, manager):
    with reader(provider, sources) as session:
        session.get("/items")
    provider.access = "revoked"
    with reader(provider, StoredSources(SharedRuns.of(MemoryStore()), manager)) as session:
        assert session.get("/items").status_code == 200
    assert provider.requests == 2
    assert kept(manager)["refresh_token"] == "refresh-2-of-provider"


def test_a_token_that_another_process_has_fetched_meanwhile_is_taken(provider, sources, manager):
    """A process on a machine that has no run store in common with this one."""
    with reader(provider, sources) as session:
        session.get("/items")

    def fetch_elsewhere():
        provider.before_token = lambda: None
        token = {**kept(manager), "access_token": "access-of-the-other", "serial": 9}
        manager.save_connector_state(
            "source-1", {KEY: dict.fromkeys(manager.config.connector_state[KEY], token)}
        )
        provider.access, provider.refresh = "access-of-the-other", "refresh-of-the-other"

    provider.access = "revoked"
    provider.before_token = fetch_elsewhere
    with reader(provider, sources) as session:
        assert session.get("/items").json() == {"sent": "access-of-the-other"}


def test_tokens_of_other_processes_are_masked_and_a_connectors_notes_bring_none(sources, manager):
    place = {"app": {"refresh_token": "refresh-of-a-process-before"}}
    manager.save_connector_state("source-1", {KEY: place})
    assert sources.kept_tokens("source-1").read("app") == place["app"]
    assert "refresh-of-a-process-before" not in mask("refresh-of-a-process-before is kept")
    for kept_now, expected in (({KEY: place}, {"n": 1, KEY: place}), ({}, {"n": 1})):
        manager.save_connector_state("source-1", kept_now)
        with sources.beside_tokens("source-1", {"n": 1, KEY: {"app": {}}}) as notes:
            assert notes == expected


def test_an_account_that_was_connected_again_is_preferred_to_what_was_kept(provider, sources, manager):
    with reader(provider, sources) as session:
        session.get("/items")
    provider.refresh = "refresh-of-new-account"
    with reader(provider, sources, "refresh-of-new-account") as session:
        assert session.get("/items").json()["sent"] == "access-2-of-provider"


def test_a_refused_refresh_says_what_to_do_and_shows_no_secret(provider, sources):
    provider.refresh = "another"
    with reader(provider, sources) as session, pytest.raises(TokenError) as caught:
        session.get("/items")
    assert caught.value.code == "invalid_grant"
    assert "used already. Connect the account again" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_second_401_stands(provider):
    answers = itertools.chain(
        [Answer({"access_token": "a" * 20})], [Answer(status=401)], [Answer({"access_token": "b" * 20})]
    )
    with SourceServer(lambda seen: next(answers, Answer(status=401))) as server:
        auth = ClientCredentials(f"{server.url}/token", "client-1", "s3cret-of-client")
        with http_session(base_url=server.url, auth=auth) as session:
            answer = session.post("/items", json={"a": 1})
            with pytest.raises(SourceHttpError, match="credentials were not accepted"):
                answer.raise_for_status()
    assert [(seen.path, seen.body) for seen in server.seen if seen.path == "/items"] == [
        ("/items", b'{"a": 1}')
    ] * 2
    assert server.seen[0].form == {
        "grant_type": "client_credentials",
        "client_id": "client-1",
        "client_secret": "s3cret-of-client",
    }


def test_a_token_is_not_sent_to_another_host_that_answers_401(provider, sources):
    with SourceServer(lambda seen: Answer(status=401)) as other:
        elsewhere = other.url.replace("127.0.0.1", "localhost")
        moved = Answer(status=302, headers={"Location": elsewhere})
        with SourceServer(lambda seen: provider(seen) if seen.path == "/token" else moved) as server:
            auth = ClientCredentials(f"{server.url}/token", "client-1", "s3cret-of-client")
            with http_session(base_url=server.url, auth=auth) as session:
                assert session.get("/items").status_code == 401
    assert [seen.headers["Authorization"] for seen in other.seen] == [None]
    assert provider.requests == 1


def test_a_token_works_in_a_plain_session_of_requests(provider):
    with requests.Session() as session:
        session.auth = ClientCredentials(provider.token_url, "client-1", "s3cret-of-client")
        assert session.get(f"{provider.url}/items").status_code == 200
        provider.access = "revoked"
        assert session.get(f"{provider.url}/items").status_code == 200
    assert provider.requests == 2


class Rotating(Connector):
    """Reads with a rotating token in a run and in an action, and keeps notes of its own."""

    name = "rotating"
    version = "1"
    source_types = ["web"]

    def __init__(self, provider):
        self.provider = provider

    def auth(self, credentials):
        return RefreshToken(self.provider.token_url, "client-1", credentials["refresh_token"])

    def sync(self, source_config, credentials, state, ctx):
        with ctx.http(self.provider.url, auth=self.auth(credentials)) as session:
            session.get("/items").raise_for_status()
        ctx.save_connector_state({"hook": 1})

    @action
    def look(self, credentials, source):
        """Read in an action."""
        self.source_states.save(source["id"], {"hook": 2})
        with self.http(source["id"], self.provider.url, auth=self.auth(credentials)) as session:
            return session.get("/items").json()

    @action
    async def look_async(self, credentials, source):
        """Read in an action of the other colour."""
        with self.http(source["id"], self.provider.url, auth=self.auth(credentials)) as session:
            return (await session.get("/items")).json()


def test_runs_and_actions_share_what_is_kept_and_a_connectors_own_notes_leave_it_alone(
    provider, caplog, tmp_path
):
    connector = Rotating(provider)
    with LocalManager(tmp_path, schedule=False) as manager, serve_connector(connector, manager) as served:
        source = served.put_source(credentials={"refresh_token": FIRST})
        assert manager.wait_for_run(manager.trigger(source)).status == "completed"
        assert manager.source(source).connector_state["hook"] == 1
        provider.access = "revoked"
        answers = [served.call_action(name, source_id=source) for name in ("look", "look_async")]
        assert [answer.result for answer in answers] == [{"sent": "access-2-of-provider"}] * 2
        assert manager.wait_for_run(manager.trigger(source)).status == "completed"
        state = manager.source(source).connector_state
    assert state["hook"] == 1
    assert next(iter(state[KEY].values()))["refresh_token"] == provider.refresh
    assert provider.requests == 2
    assert "of-provider" not in caplog.text


def test_notes_leave_a_token_alone_that_another_process_has_saved_during_the_run(provider, tmp_path):
    class Noting(Rotating):
        def sync(self, source_config, credentials, state, ctx):
            with SdkClient(manager.url) as client:
                runs = SharedRuns.of(MemoryStore())
                auth = self.auth(credentials)
                run = NoRun(ctx.source_id, shared=StoredSources(runs, client))
                with http_session(run, base_url=provider.url, auth=auth) as session:
                    session.get("/items").raise_for_status()
                runs.close()
            ctx.save_connector_state({"hook": 1})

    with (
        LocalManager(tmp_path, schedule=False) as manager,
        serve_connector(Noting(provider), manager) as served,
    ):
        source = served.put_source(credentials={"refresh_token": FIRST})
        assert manager.wait_for_run(manager.trigger(source)).status == "completed"
        state = manager.source(source).connector_state
    assert state["hook"] == 1
    assert next(iter(state[KEY].values()))["refresh_token"] == provider.refresh


def test_a_token_that_came_after_a_cancellation_is_kept_all_the_same(provider, cancelled_after, manager):
    asked, over = threading.Event(), threading.Event()

    def hold():
        asked.set()
        over.wait(WAIT)

    provider.before_answer = hold
    manager.config = type(manager.config)(credentials={"refresh_token": FIRST})
    ended = threading.Timer(0.3, over.set)

    def begun(_):
        if asked.is_set() and not ended.is_alive():
            ended.start()
        return asked.is_set()

    cancelled_after(Rotating(provider), begun, manager=manager)
    ended.join()
    assert kept(manager)["refresh_token"] == "refresh-1-of-provider"
    assert provider.seen_with == []


def test_the_managers_credentials_are_asked_for_anew_after_a_401(provider):
    asked = []

    def credentials():
        asked.append(True)
        return {"access_token": "old-access-token" if len(asked) == 1 else "new-access-token"}

    provider.access = "new-access-token"
    run = NoRun("source-1", credentials=credentials)
    with http_session(run, base_url=provider.url, auth=ManagerCredentials()) as session:
        assert session.get("/items").json() == {"sent": "new-access-token"}
    assert len(asked) == 2


@pytest.mark.parametrize("grant", ["client", "refresh"])
@pytest.mark.parametrize(("client_auth", "requests_sent"), [(None, 2), ("basic", 1)])
def test_a_client_is_known_by_the_header_where_the_form_is_refused(
    provider, grant, client_auth, requests_sent
):
    sent = []
    expected = f"Basic {b64encode(b'client%2F1:s3cret+of%3Aclient').decode()}"

    def strict(seen):
        if seen.path != "/token":
            return provider(seen)
        sent.append(seen)
        is_form = "client_id" in seen.form or "client_secret" in seen.form
        if is_form or seen.headers["Authorization"] != expected:
            return Answer(b"", status=401, headers={"WWW-Authenticate": "Basic"})
        return provider.token(seen.form)

    with SourceServer(strict) as server:
        url = f"{server.url}/token"
        if grant == "client":
            auth = ClientCredentials(url, "client/1", "s3cret of:client", client_auth=client_auth)
        else:
            auth = RefreshToken(url, "client/1", FIRST, "s3cret of:client", client_auth=client_auth)
        with http_session(base_url=server.url, auth=auth) as session:
            assert session.get("/items").status_code == 200
            assert len(sent) == requests_sent
            provider.access = "revoked"
            assert session.get("/items").status_code == 200
    assert len(sent) == requests_sent + 1  # The way that worked is kept.
    with pytest.raises(InvalidValueError, match="client_auth"):
        ClientCredentials("http://provider", "client-1", "s3cret-of-client", client_auth="post")


def test_a_client_that_is_refused_both_ways_is_an_error_and_the_form_can_be_the_only_way():
    refused = Answer({"error": "invalid_client", "error_description": "who are you?"}, status=401)
    with SourceServer(lambda seen: refused) as server:
        for client_auth, count in ((None, 2), ("body", 3)):
            auth = ClientCredentials(
                f"{server.url}/token", "client-1", "s3cret-of-client", client_auth=client_auth
            )
            with http_session(auth=auth) as session, pytest.raises(TokenError, match="who are you"):
                session.get(server.url)
            assert len(server.seen) == count


def test_a_rate_limit_of_the_token_endpoint_ends_with_the_run(provider, cancelled_after, manager):
    manager.config = type(manager.config)(credentials={"refresh_token": FIRST})
    why = "waiting for the rate limit of its source"
    with SourceServer(lambda seen: Answer(status=429, headers={"Retry-After": "25"})) as server:
        provider.token_url = server.url
        seconds, sync = cancelled_after(
            Rotating(provider), lambda sync: sync.pulse.last == why, manager=manager
        )
    assert seconds < QUICKLY
    assert sync.run_figures.stages[Stage.WAITING_RATE_LIMIT] > 0
    assert len(server.seen) == 1


def test_a_long_rate_limit_of_the_token_endpoint_is_an_error_at_once(sources):
    with SourceServer([Answer(status=429, headers={"Retry-After": "3600"})]) as server:
        auth = ClientCredentials(f"{server.url}/token", "client-1", "s3cret-of-client")
        run = NoRun("source-1", shared=sources)
        run.patience_seconds = 7200
        with http_session(run, auth=auth) as session, pytest.raises(RateLimitedError, match="in 3600 s"):
            session.get(server.url)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_two_processes_fetch_one_token(provider, kind, tmp_path):
    def hold():
        # Long enough for the other process to ask as well, were it not kept from it.
        threading.Event().wait(1.0)

    provider.before_answer = hold
    with LocalManager(tmp_path / "data", schedule=False) as manager, RedisServer(tmp_path) as redis:
        source = manager.add_source(source_type="web").id
        store = redis.url if kind == "redis" else str(tmp_path / "runs.sqlite3")
        arguments = [sys.executable, "-m", "support.token_user", store, manager.url, source, provider.url]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        environ = child_environ({"PYTHONPATH": f"{ROOT}/tests"})
        children = [subprocess.Popen(arguments, cwd=ROOT, env=environ, **pipes) for _ in range(2)]
        for child in children:
            assert child.stdout.readline() == "ready\n"
        for child in children:
            child.stdin.write("\n")
            child.stdin.flush()
        outputs = [child.communicate(timeout=WAIT)[0] for child in children]
    assert outputs == ["answer {'sent': 'access-1-of-provider'}\n"] * 2
    assert provider.requests == 1


def test_without_oauthlib_the_refresh_token_is_not_sent(provider, sources, monkeypatch):
    """Its successor could not be read, and the account would have to be connected again."""
    monkeypatch.setitem(sys.modules, "oauthlib.oauth2.rfc6749.parameters", None)

    with pytest.raises(ConfigurationError, match=r'pip install "omni-connector\[sources\]"'):
        reader(provider, sources).get("/items")
    assert (provider.requests, provider.refresh) == (0, FIRST)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("id.example.com/token", "'id.example.com/token' needs http"),
        ("/token", "'/token' needs http"),
        ("", "is empty"),
    ],
)
def test_the_address_of_a_token_endpoint_is_looked_at_before_anything_is_sent(url, text):
    for make in (ClientCredentials, RefreshToken):
        with pytest.raises(ConfigurationError, match=rf"token_url:? {text}"):
            make(url, "client", "secret")
