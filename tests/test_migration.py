"""The migration guide's connector runs at every step, type-checks, and does the same at each."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
import requests
from fastapi import FastAPI
from flask import Flask, jsonify, request
from starlette.testclient import TestClient
from support.type_checkers import BY_EACH_CHECKER, type_problems

from omni_connector.local import HttpServer
from omni_connector.server import close_services
from omni_connector.testing import call_action, run_sync, wait_for_sync

ROOT = Path(__file__).resolve().parents[1]
GUIDE = (ROOT / "docs" / "how-to" / "migration.md").read_text()
UNCHANGED, AS_ASGI, HARNESS, CONTENTS, BLOCKING = re.findall(
    r"^```python\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL
)
_method = re.search(r"^    async def emit_page\(.*?(?=^    async def )", UNCHANGED, re.MULTILINE | re.DOTALL)
WITH_CONTENTS = UNCHANGED.replace(_method[0], CONTENTS + "\n")
STEPS = {"unchanged": UNCHANGED, "contents": WITH_CONTENTS, "blocking": BLOCKING}

PAGES = [
    {
        "id": str(number),
        "title": f"Page {number}",
        "body": f"The text of page {number}.",
        "author": "Ann",
        "changed": f"2026-08-{number:02}T12:00:00Z",
        "url": f"https://wiki.example.com/{number}",
        "space": "team" if number % 2 else "all",
        "readers": ["Ann@Example.com"] if number % 3 == 0 else [],
    }
    for number in range(1, 13)
]
BROKEN = {**PAGES[0], "id": "broken", "title": None, "changed": "2026-08-05T13:00:00Z"}


@pytest.fixture
def wiki():
    """A wiki whose API gives five pages at a time, to those who have the token."""
    app = Flask("wiki")

    @app.get("/api/pages")
    def pages():
        if request.headers.get("Authorization") != "Bearer t":
            return jsonify({}), 401
        found = [page for page in [*PAGES, BROKEN] if page["changed"] > request.args["since"]]
        start = int(request.args["cursor"] or 0)
        following = str(start + 5) if start + 5 < len(found) else None
        return jsonify({"pages": found[start : start + 5], "next": following})

    with HttpServer(app, name="test-wiki") as server:
        yield server.url


@pytest.fixture(params=STEPS)
def connector(request):
    """The connector of each step."""
    return load(STEPS[request.param])()


def load(source):
    namespace = {"__name__": "wiki_connector"}
    exec(compile(source, "migration.md", "exec"), namespace)
    return namespace["WikiConnector"]


def test_a_step_syncs_the_wiki(connector, wiki):
    result = run_sync(connector, config={"base_url": wiki}, credentials={"token": "t"})

    assert result.status == "completed"
    assert result.state == {"changed": "2026-08-12T12:00:00Z"}
    assert result.scanned == 13
    assert set(result.documents) == {page["id"] for page in PAGES}, "one bad page costs one page"
    third = result.documents["3"]
    assert (third.title, third.content, third.url) == (
        "Page 3",
        "The text of page 3.",
        "https://wiki.example.com/3",
    )
    assert third.permissions == {"public": False, "users": ["ann@example.com"], "groups": []}
    assert third.attributes == {"space": "team"}
    assert third.metadata["updated_at"] == "2026-08-03T12:00:00Z"
    assert result.documents["4"].permissions["public"] is True


def test_a_step_goes_on_from_its_checkpoint(connector, wiki, omni_manager):
    options = {"config": {"base_url": wiki}, "credentials": {"token": "t"}, "manager": omni_manager}
    run_sync(connector, **options)
    following = run_sync(connector, mode="incremental", **options)
    assert (following.status, following.scanned) == ("completed", 0)


def test_a_step_fails_without_a_token(connector, wiki):
    result = run_sync(connector, config={"base_url": wiki}, credentials={})
    assert result.status == "failed"
    assert "token" in result.error


def test_a_step_fails_when_the_wiki_refuses(connector, wiki):
    result = run_sync(connector, config={"base_url": wiki}, credentials={"token": "wrong"})
    assert result.status == "failed"
    assert "401" in result.error


def test_the_actions_of_a_step_answer(connector, wiki, omni_manager):
    def act(action, credentials):
        return call_action(
            connector,
            action,
            {"space": "team"},
            config={"base_url": wiki},
            credentials=credentials,
            manager=omni_manager,
        )

    assert act("count_pages", {"token": "t"}).result == {"pages": 7}
    export = act("export_space", {"token": "t"})
    assert (export.status_code, export.headers["x-file-name"]) == (200, "team.csv")
    assert export.headers["content-type"].startswith("text/csv")
    assert export.body.decode().splitlines()[0] == "1,Page 1"
    refused = act("count_pages", {"other": "x"})
    assert (refused.status_code, refused.error) == (401, "Missing 'token' in credentials")


def test_a_step_announces_the_same(connector):
    manifest = asyncio.run(manifest_of(connector))
    actions = {action["name"]: action for action in manifest["actions"]}
    assert [action["admin_only"] for action in actions.values()] == [False, True]
    assert all(action["source_types"] == ["web"] for action in actions.values())
    assert manifest["search_operators"] == [
        {"operator": "space", "attribute_key": "space", "value_type": "text"}
    ]


async def manifest_of(connector):
    found = connector.get_manifest("http://me:8000")
    return (await found).to_wire()


def test_an_unknown_action_is_not_supported(connector):
    async def use():
        return await connector.execute_action("else", {}, {})

    assert asyncio.run(use()).status_code == 404


@BY_EACH_CHECKER
@pytest.mark.parametrize("step", STEPS)
def test_a_step_passes_type_checkers(step, checker, tmp_path):
    assert type_problems(checker, tmp_path / "wiki_connector.py", STEPS[step]) == ""


def test_the_blocking_step_needs_no_asgi_framework():
    assert not re.search(r"async|await|fastapi|httpx", BLOCKING)


def mounted(monkeypatch):
    monkeypatch.setenv("CONNECTOR_MANAGER_URL", "http://manager.invalid:8090")
    namespace = {"WikiConnector": load(UNCHANGED), "__name__": "own_app"}
    exec(compile(AS_ASGI, "migration.md", "exec"), namespace)
    return namespace


def test_the_line_for_an_application_of_ones_own_serves(monkeypatch):
    with TestClient(mounted(monkeypatch)["app"]) as client:
        assert client.get("/connectors/wiki/health").json() == {"status": "healthy", "service": "wiki"}


def test_it_can_be_mounted_in_fastapi(monkeypatch):
    namespace = mounted(monkeypatch)
    fastapi_app = FastAPI()
    fastapi_app.mount("/all", namespace["app"])
    with TestClient(namespace["app"]), TestClient(fastapi_app) as client:  # The inner one closes the threads.
        assert client.get("/all/connectors/wiki/health").json()["service"] == "wiki"
    close_services(namespace["flask_app"])


def test_the_harness_serves_the_connector_with_uvicorn(wiki, monkeypatch):
    for name in ("CONNECTOR_MANAGER_URL", "CONNECTOR_HOST_NAME", "PORT"):
        monkeypatch.setenv(name, "")  # Set by the code of the document, and taken back here.
    namespace = {"WikiConnector": load(UNCHANGED), "__name__": "conftest"}
    exec(compile(HARNESS, "migration.md", "exec"), namespace)

    async def use():
        async with namespace["harness"]() as harness:
            source = await harness.seed().create_source("web", {"base_url": wiki})
            await harness.seed().create_credentials(source, {"token": "t"})
            url = f"{harness.connector_manager_url}/sync"
            body = {"source_id": source, "sync_mode": "full"}
            started = await asyncio.to_thread(requests.post, url, json=body, timeout=30)
            return await wait_for_sync(harness.db_pool, started.json()["sync_run_id"])

    row = asyncio.run(use())
    assert (row["status"], row["documents_scanned"]) == ("completed", 13)


def measured(workload, latency, variant):
    """Documents a second, as the results have them."""
    results = (ROOT / "benchmarks" / "RESULTS.md").read_text()
    row = rf"^\| {workload} \| {latency} \| {variant} \| ([\d,]+) "
    (figure,) = re.findall(row, results, re.MULTILINE)
    return int(figure.replace(",", ""))


def test_the_figures_are_true_of_the_results():
    text = " ".join(GUIDE.split())
    assert "saves, then emits, delivers fewer than 200 documents a second" in text
    assert "more than 5,000 with the extra `curl`, and more than 1,000 without it" in text
    assert measured("sequential", 5, "sdk_sequential") < 200
    assert measured("pipelined", 5, "sdk_pipelined") > 5_000
    assert measured("without libcurl", 5, "sdk_session") > 1_000
    assert "With 20 ms, it is fewer than 50, more than 2,000 and more than 1,000" in text
    assert measured("sequential", 20, "sdk_sequential") < 50
    assert measured("pipelined", 20, "sdk_pipelined") > 2_000
    assert measured("without libcurl", 20, "sdk_session") > 1_000
    assert "deliver more than half of what a blocking\n  connector" in GUIDE
    blocking = measured("pipelined", 0, "sdk_pipelined")
    assert measured("async gather of 16", 0, "sdk_async") > blocking / 2
