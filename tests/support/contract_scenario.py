"""Everything that a connector and a manager can say to each other, said once, over a recording proxy.

Only HTTP is used, so that it can be played with any manager; see ``Target`` for what has to be known about it.
"""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import requests
from attrs import define

from omni_connector import (
    ActionDefinition,
    ActionResponse,
    Connector,
    Document,
    DocumentMetadata,
    DocumentPermissions,
    OAuthManifestConfig,
    OAuthScopeSet,
    PersonRecord,
    RunConflictError,
    SdkClient,
    SdkClientError,
    SearchOperator,
    Settings,
    SkillDefinition,
)
from omni_connector.local import HttpServer
from omni_connector.manager.retry import DEFAULT_POLICIES
from omni_connector.models.events import UPDATED, encode_delete, encode_upsert
from omni_connector.server import create_app, services
from support.exchanges import Exchange
from support.mcp_servers import python_server
from support.recording import Recorder, RecordingProxy, recorded
from support.waiting import eventually

WAIT = 90.0
CSV = b"name,age\nada,36\n"
PERSON = PersonRecord(
    external_id="E1",
    email="ada@example.com",
    display_name="Ada Lovelace",
    given_name="Ada",
    middle_name="King",
    surname="Lovelace",
    job_title="Analyst",
    department="Engines",
    division="Research",
    company_name="Example",
    office_location="London",
    work_country="GB",
    employee_id="17",
    employee_type="staff",
    cost_center="4711",
    grade="9",
    band="B",
    confirmation_status="confirmed",
    employment_start_date="2026-01-01",
    employment_end_date="2026-12-31",
    phone="+44 1",
    is_active=True,
    top_department="All",
    manager_external_id="E0",
    source_updated_at="2026-08-01T12:00:00Z",
)


@define(eq=False)
class Target:
    """A manager to talk to.

    Attributes:
        url: its address.
        source_id: an active source with credentials, which no other connector serves.
        host: by which the manager reaches this machine.
        user_id: an administrator there, for actions; None leaves those out that need one.
        day: of an older manager, or None.
        configure: tells the manager the connector's address, where it takes no registrations.
        probe: has it ask about a run now; None where only time does that.
    """

    url: str
    source_id: str
    host: str = "127.0.0.1"
    user_id: str | None = None
    day: str | None = None
    configure: Callable[[str], None] | None = None
    probe: Callable[[str], None] | None = None


class Everything(Connector):
    """Says everything; what its next run does is put into ``plans``."""

    name = "contract-check"
    version = "1.0.0"
    display_name = "Contract check"
    description = "Says everything once"
    sync_modes = ["full", "incremental", "realtime"]
    source_types: list[str] = []
    search_operators = [SearchOperator(operator="status", attribute_key="status", value_type="text")]
    extra_schema = {"type": "object", "properties": {"labels": {"type": "array"}}}
    attributes_schema = {"type": "object", "properties": {"owner": {"type": "string", "format": "email"}}}
    mcp_server = None

    def __init__(self, source_type: str, *, mirrors: bool) -> None:
        self.source_types = [source_type]
        self.plans: queue.SimpleQueue[Callable[[Any], None]] = queue.SimpleQueue()
        if mirrors:
            self.mcp_server = python_server("library")

    @property
    def actions(self) -> list[ActionDefinition]:
        text = {"type": "object", "properties": {"text": {"type": "string"}}}
        return [
            ActionDefinition(name="ping", description="Check.", mode="read", input_schema=text),
            ActionDefinition(name="file", description="A file.", mode="read", required_scopes=["files"]),
            ActionDefinition(name="admin", description="For few.", admin_only=True, hidden=True),
            ActionDefinition(name="odd", description="Declared, not implemented.", mode="read"),
        ]

    @property
    def skills(self) -> list[SkillDefinition]:
        return [
            SkillDefinition(id="contract-static", title="Static", description="A text", content="Do it."),
            SkillDefinition(id="contract-dynamic", title="Dynamic"),
        ]

    def sync(self, source_config: Any, credentials: Any, state: Any, ctx: Any) -> None:
        try:
            plan = self.plans.get_nowait()
        except queue.Empty:  # Resumed, or started by somebody else.
            return
        plan(ctx)

    def execute_action(self, action: str, params: Any, credentials: Any) -> Any:
        if action == "ping":
            return ActionResponse.success({"text": params.get("text")})
        if action == "file":
            from flask import Response

            return Response(b"\x00\xff", content_type="application/x-file", headers={"X-File-Name": "a"})
        if action == "admin":
            return ActionResponse.failure("not today")
        return ActionResponse.not_supported(action)

    def load_skill(self, skill_id: str, arguments: Any) -> str | None:
        return f"Do it with {arguments}." if skill_id == "contract-dynamic" else None

    def oauth_config(self) -> OAuthManifestConfig:
        return OAuthManifestConfig(
            provider="google",
            auth_endpoint="https://accounts.example.com/auth",
            token_endpoint="https://accounts.example.com/token",
            userinfo_endpoint="https://accounts.example.com/me",
            identity_scopes=["email"],
            scopes={self.source_types[0]: OAuthScopeSet(read=["r"], write=["w"])},
            extra_auth_params={"prompt": "consent"},
        )


def play(target: Target) -> list[Exchange]:
    """Say everything once; return what travelled in both directions."""
    recorder = Recorder()
    with RecordingProxy(target.url, recorder) as proxy:
        stage = _Stage(target, proxy.url, recorder)
        try:
            stage.play()
        finally:
            stage.close()
    return recorder.exchanges


class _AlreadyRunningError(Exception):
    """The manager has started such a run already."""


class _Stage:
    def __init__(self, target: Target, proxy_url: str, recorder: Recorder) -> None:
        self._target = target
        self._url = proxy_url
        self._http = requests.Session()
        self._http.trust_env = False
        once = DEFAULT_POLICIES.once
        self._client = SdkClient(proxy_url, policies=_evolved(answering=once, extraction=once))
        source = self.get(f"/sdk/source/{target.source_id}").json()
        self._connector = Everything(source["source_type"], mirrors=target.day is None)
        self._door = threading.Event()
        self._app: Any = None
        bind = "127.0.0.1" if target.host == "127.0.0.1" else "0.0.0.0"
        self._server = HttpServer(recorded(self._serve, recorder), host=bind, threads=12).start()
        self._own_url = f"http://{target.host}:{self._server.port}"
        settings = Settings(manager_url=proxy_url, connector_url=self._own_url)
        self._app = create_app(self._connector, settings=settings, register=False)
        self._service = next(iter(services(self._app).values()))
        self._door.set()

    def _serve(self, environ: Any, start_response: Any) -> Any:
        self._door.wait(WAIT)
        return self._app(environ, start_response)

    def close(self) -> None:
        self._service.close()
        self._server.close()
        self._client.close()
        self._http.close()

    # -- calls --------------------------------------------------------------------------------------------------

    def get(self, path: str) -> requests.Response:
        return self._http.get(self._url + path, timeout=WAIT)

    def post(self, path: str, body: Any = None) -> requests.Response:
        return self._http.post(self._url + path, json=body, timeout=WAIT)

    def run(self, mode: str, plan: Callable[[Any], None]) -> str:
        """Trigger a run that follows the plan; return its id once it has ended at the manager."""
        run_id = self.start(mode, plan)
        self.wait(run_id)
        return run_id

    def start(self, mode: str, plan: Callable[[Any], None]) -> str:
        self._connector.plans.put(plan)
        answer = self.post("/sync", {"source_id": self._target.source_id, "sync_mode": mode})
        if (
            mode == "realtime" and answer.status_code == 409
        ):  # A manager that ticks has started one by itself.
            raise _AlreadyRunningError
        assert answer.status_code == 200, answer.text
        return answer.json()["sync_run_id"]

    def wait(self, run_id: str) -> dict[str, Any]:
        """Follow the run's progress to its end."""
        last: dict[str, Any] = {}
        with self._http.get(f"{self._url}/sync/{run_id}/progress", stream=True, timeout=WAIT) as answer:
            for line in answer.iter_lines():
                if line.startswith(b"data:"):
                    last = json.loads(line[5:])
        return last

    @contextlib.contextmanager
    def holding(self, mode: str) -> Iterator[str]:
        """Keep a run in progress."""
        begun = threading.Event()

        def hold(ctx: Any) -> None:
            begun.set()
            ctx.sleep(WAIT)

        run_id = self.start(mode, hold)
        assert begun.wait(WAIT)
        yield run_id
        self.post(f"/sync/{run_id}/cancel")
        self.wait(run_id)

    # -- the scenes ---------------------------------------------------------------------------------------------

    def play(self) -> None:
        self.introduce()
        self.sync()
        self.stop()
        self.ask()
        self.drive()
        self.act()
        if self._target.day is None:
            self.mirror()
        self.look()

    def introduce(self) -> None:
        self._service.start()
        if self._target.configure is not None:
            self._target.configure(self._own_url)
        with contextlib.suppress(SdkClientError):  # Where there is no registration.
            self._client.register(self._service.checked_manifest())
        self._http.get(f"{self._own_url}/manifest", timeout=WAIT)
        self._http.get(f"{self._own_url}/health", timeout=WAIT)

    def sync(self) -> None:
        self.run("full", _whole_sync)
        self.run("incremental", lambda ctx: ctx.emit_deleted("page-2"))
        self.run("full", _failing)
        known = self.get("/schedules").json()
        assert any(one["source_id"] == self._target.source_id for one in known)

    def stop(self) -> None:
        with self.holding("full") as run_id:
            self._http.get(f"{self._own_url}/sync/{run_id}", timeout=WAIT)
            refused = self.post("/sync", {"source_id": self._target.source_id})
            assert refused.status_code == 409, refused.text
            self.post(f"/sync/{self._target.source_id}")
            if self._target.probe is not None:
                self._target.probe(run_id)
        self.post(f"/sync/{run_id}/cancel")  # It is over.
        self.post("/sync/unknown/cancel")
        self._http.post(f"{self._own_url}/cancel", json={"sync_run_id": "unknown"}, timeout=WAIT)
        self._connector.plans.put(lambda ctx: None)
        started = self.post(f"/sync/{self._target.source_id}")
        self.wait(started.json()["sync_run_id"])
        if self._target.day is None:
            with contextlib.suppress(_AlreadyRunningError), self.holding("realtime"):
                pass

    def ask(self) -> None:
        client, source_id = self._client, self._target.source_id
        source = client.source(source_id)
        client.credentials(source_id)
        client.sync_config(source_id)
        client.user_email(source_id)
        for call in (
            lambda: client.sources_by_type(source.source_type),
            lambda: client.connector_config("google"),
            lambda: client.connector_config("nobody"),
            lambda: client.source("unknown"),
            lambda: client.credentials("unknown"),
            lambda: client.user_email("unknown"),
            lambda: client.sync_config("unknown"),
            lambda: client.progress("unknown"),
            lambda: client.notify_webhook("unknown", "page.updated"),
        ):
            with contextlib.suppress(SdkClientError):
                call()

    def drive(self) -> None:
        """Runs that the connector opens by itself, and the calls that only they make."""
        client, source_id = self._client, self._target.source_id
        own = self._service.start_own_run(source_id, lambda ctx: ctx.emit_deleted("page-9"))
        self.wait(own)
        run_id = client.create_run(source_id, "full")
        with contextlib.suppress(RunConflictError):
            client.create_run(source_id)
        content_id = client.store_content(run_id, "by hand")
        document = Document(external_id="page-3", title="Page 3", content_id=content_id)
        client.send_event(
            run_id,
            source_id,
            encode_upsert(UPDATED, document, sync_run_id=run_id, source_id=source_id).body,
        )
        client.cancel_run(run_id)
        with contextlib.suppress(SdkClientError):  # The run is over; a new manager says so.
            client.send_events(
                run_id, source_id, [encode_delete("page-3", sync_run_id=run_id, source_id=source_id).body]
            )
        self._connector.plans.put(lambda ctx: None)
        self.wait(client.notify_webhook(source_id, "page.updated"))

    def act(self) -> None:
        source_id, user_id = self._target.source_id, self._target.user_id
        self.get("/actions")
        self.get(f"/actions?source_id={source_id}")
        for action in ("ping", "file", "odd", "unknown"):
            self.post("/action", {"source_id": source_id, "action": action, "params": {"text": "x"}})
        if user_id is None or self._target.day is not None:
            return
        self.post("/action", {"source_id": source_id, "user_id": user_id, "action": "ping"})
        self.post(
            "/action",
            {
                "source_type": self._connector.source_types[0],
                "user_id": user_id,
                "action": "ping",
                "params": {"text": "y"},
                "transient_credentials": {
                    "provider": "google",
                    "auth_type": "api_key",
                    "credentials": {"key": "k"},
                },
            },
        )
        self.post("/action", {"source_id": source_id, "user_id": user_id, "action": "admin"})

    def mirror(self) -> None:
        """MCP, skills, connected accounts."""
        source_id = self._target.source_id
        ready = {"source_id": source_id, "user_id": None, "provider": "google", "flow": "user_read"}
        self.post("/oauth/credential-ready", ready)
        eventually(lambda: self._service.manifest()["mcp_catalog_loaded"], seconds=WAIT)
        self._client.register(self._service.checked_manifest())
        assert self.get("/resources").json()["resources"]
        assert self.get("/prompts").json()["prompts"]
        assert self.get("/skills").json()["skills"]
        self.post("/resource", {"source_id": source_id, "uri": "library://rules"})
        self.post("/resource", {"source_id": source_id, "uri": "library://nothing"})
        subject = {"subject": "bees"}
        self.post("/prompt", {"source_id": source_id, "name": "recommend", "arguments": subject})
        self.post("/prompt", {"source_id": source_id, "name": "nothing"})
        for skill in ("contract-static", "contract-dynamic", "mcp:recommend", "nothing"):
            self.post("/skill", {"skill_id": skill, "source_id": source_id, "arguments": subject})
        self.post("/skill", {"skill_id": "contract-dynamic"})
        self.post("/action", {"source_id": source_id, "action": "find_book", "params": {"title": "1984"}})

    def look(self) -> None:
        for path in ("/health", "/connectors", "/schedules", "/sources", "/sources/active"):
            self.get(path)
        self.get(f"/sources/{self._target.source_id}")
        self.get("/sources/unknown")


def _whole_sync(ctx: Any) -> None:
    """Everything that a run can report."""
    ctx.increment_scanned(3)
    ctx.emit(
        Document(
            external_id="page-1",
            title="Page 1",
            content="Hello",
            metadata=DocumentMetadata(
                title="Page 1",
                author="Ada",
                created_at="2026-08-01T12:00:00Z",
                updated_at="2026-08-01T12:00:00+02:00",
                content_type="page",
                mime_type="text/plain",
                size=5,
                url="https://example.com/1",
                path="a/b",
                extra={"labels": ["x"]},
            ),
            permissions=DocumentPermissions(users=["ada@example.com"], groups=["eng@example.com"]),
            attributes={"status": "open"},
        )
    )
    ctx.emit_updated(Document(external_id="page-2", title="Page 2", content="Hello", attributes={}))
    ctx.emit_deleted("page-3")
    ctx.emit_group_membership("eng@example.com", ["ada@example.com"], "Engineering")
    ctx.emit_person_sync(PERSON)
    ctx.emit_person_deleted("bob@example.com")
    ctx.save_state({"page": 1})
    ctx.save_connector_state({"hook": "h1"})
    ctx.user_email()
    ctx.heartbeat()
    ctx.emit(Document(external_id="file", title="File", content=CSV, mime_type="text/csv", filename="a.csv"))
    for extract in (ctx.content_storage.extract_and_store_content, ctx.content_storage.extract_text):
        with contextlib.suppress(SdkClientError):  # Where nothing is extracted.
            extract(CSV, "text/csv", "a.csv")
    ctx.content_storage.save_binary(b"\x00\x01")
    ctx.complete({"page": 2})


def _failing(ctx: Any) -> None:
    ctx.fail("the source is gone")


def _evolved(**changes: Any) -> Any:
    import attrs

    return attrs.evolve(DEFAULT_POLICIES, **changes)
