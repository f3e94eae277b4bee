"""The code on the pages of docs/how-to that have no test of their own elsewhere does what the pages say."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
from support.processes import ListeningSocket, start_application
from support.source_server import Answer, SourceServer

from omni_connector import Connector, Document, action, register_secret
from omni_connector.testing import serve_connector

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "how-to"
QUICK_START = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (PAGES / page).read_text(), re.MULTILINE | re.DOTALL)


def names_of(page: str, number: int = 0, **given: object) -> dict[str, object]:
    """Run one block of a page; return what it defines."""
    names: dict[str, object] = {"__name__": "page", **given}
    exec(compile(blocks(page)[number], f"docs/how-to/{page}", "exec"), names)
    return names


def test_permissions_are_those_of_the_page(run_sync):
    result = run_sync(names_of("permissions.md")["Wiki"]())
    assert result.status == "completed"
    assert [result.documents[name].permissions for name in "123"] == [
        {"public": True, "users": [], "groups": []},
        {"public": False, "users": [], "groups": ["engineering@wiki.example.com"]},
        {"public": False, "users": ["ann@example.com"], "groups": []},
    ]


def test_files_are_indexed(run_sync, tmp_path):
    (tmp_path / "todo.txt").write_text("milk")
    result = run_sync(names_of("files.md")["Folder"](), config={"folder": str(tmp_path)})
    assert result.documents[f"{tmp_path}/todo.txt"].content.strip() == "milk"
    assert names_of("files.md", 1)["text"] == "Deploying\n\nMerge, then press Deploy."


def test_the_realtime_run_sends_what_is_new_and_ends_when_it_is_asked(run_sync, tmp_path):
    notes = names_of("realtime.md")["Notes"]()
    (tmp_path / "todo.txt").write_text("milk")
    assert run_sync(notes, config={"folder": str(tmp_path)}).documents["todo.txt"].content == "milk"
    sent = []
    ctx = SimpleNamespace(
        sync_mode="realtime",
        state=None,
        emit=lambda document: sent.append(document.external_id),
        save_state=lambda state: sent.append(state["seen"] > 0),
        sleep=lambda _: len(sent) < 3,
    )
    notes.sync({"folder": str(tmp_path)}, {}, None, ctx)
    assert sent == ["todo.txt", True, True]


def test_requests_are_sent_at_the_rate_of_the_page(run_sync):
    ticket = {"id": "7", "title": "Printer", "owner": "ann@example.com"}
    with SourceServer([Answer([ticket])]) as server:
        result = run_sync(names_of("rate-limits.md")["Tickets"](), config={"url": server.url})
    assert result.documents["7"].title == "Printer"


def test_refused_documents_are_left_out_of_the_state(run_sync):
    items = [SimpleNamespace(id=name, version=1, title=name, body="text") for name in "abc"]
    given = {"read_items": lambda _: items, "Document": Document}
    page = names_of("refused-documents.md", **given)

    class Items(Connector):
        name = "items"
        version = "1.0.0"
        source_types = ["web"]
        sync_modes = ["full", "incremental"]
        sync = page["sync"]

    assert run_sync(Items()).state == {"done": {"a": 1, "b": 1, "c": 1}}
    states = []
    refusing = SimpleNamespace(flush=lambda: [SimpleNamespace(document_id="b")], save_state=states.append)
    page["save"](refusing, {"a": 1, "b": 1})
    assert states == [{"done": {"a": 1}}]


def test_secrets_appear_nowhere(run_sync):
    connector = names_of("secrets.md", log_in=lambda *_: "s3ssion-key-4711")["Notes"]
    result = run_sync(connector(), credentials={"user": "ann", "password": "correct horse"})
    assert (result.status, "*** and *** appear nowhere" in result.error) == ("failed", True)


def test_fresh_credentials_are_asked_for():
    connected = []
    page = names_of("secrets.md", 1, connect=connected.append)
    page["sync"](None, {}, {"access_token": "old"}, None, SimpleNamespace(credentials=lambda *, fresh: fresh))
    assert connected == ["old"]


def test_a_refresh_token_that_changes_is_kept(omni_manager):
    used = []

    def refresh(token):
        used.append(token)
        return f"access with {token}", f"{token}+"

    page = names_of("secrets.md", 2, action=action, register_secret=register_secret, refresh=refresh)

    class Rotating(Connector):
        name = "rotating"
        version = "1.0.0"
        source_types = ["web"]
        sync = page["sync"]
        send = page["send"]

    with serve_connector(Rotating(), omni_manager) as served:
        source = served.put_source(credentials={"refresh_token": "from the login"})
        assert omni_manager.wait_for_run(omni_manager.trigger(source)).status == "completed"
        assert served.call_action("send", {"text": "hello"}, source_id=source).error is None
    assert used == ["from the login", "from the login+"]


def test_the_document_of_a_webhook_is_emitted():
    emitted = []
    service = SimpleNamespace(start_own_run=lambda _, work: work(SimpleNamespace(emit=emitted.append)))
    names_of("webhooks.md", 1, service=service, source_id="s", document_of=str.upper, event="note")
    assert emitted == ["NOTE"]


def test_the_test_of_the_page_passes(tmp_path, monkeypatch, omni_manager):
    (tmp_path / "my_connector.py").write_text(QUICK_START[1] + QUICK_START[0])
    monkeypatch.syspath_prepend(tmp_path)
    page = names_of("testing.md")
    page["test_an_incremental_run_reads_nothing_again"](omni_manager)
    sys.modules.pop("my_connector", None)


@pytest.mark.slow
def test_a_webhook_starts_a_sync(tmp_path, omni_manager):
    (tmp_path / "webhook_receiver.py").write_text(blocks("webhooks.md")[0])
    env = {"CONNECTOR_MANAGER_URL": omni_manager.url, "PYTHONPATH": str(tmp_path)}
    with (
        ListeningSocket() as address,
        start_application(address, "webhook_receiver:create_app()", env=env),
        requests.Session() as session,
    ):
        omni_manager.wait_for_connector("web")
        source = omni_manager.add_source(source_type="web", credentials={"webhook_secret": "s3cret"}).id

        def send(secret):
            return session.post(
                f"{address.url}/webhooks/notes/{source}", headers={"X-Secret": secret}, timeout=30
            )

        assert send("wrong").status_code == 401
        omni_manager.wait_for_run(send("s3cret").json()["sync_run_id"])
        assert [document.title for document in omni_manager.documents(source)] == ["Note"]


def test_each_page_with_code_has_a_test():
    """A page that is added must be run somewhere."""
    elsewhere = {
        "actions.md", "mcp.md", "deploying.md", "flask.md", "deletions.md", "incremental.md", "big-sources.md",
        "bridges.md", "checking.md", "migration.md", "settings.md", "sources.md", "testing-with-faults.md",
    }  # fmt: skip
    here = set(re.findall(r'"([\w-]+\.md)"', Path(__file__).read_text()))
    assert {page.name for page in PAGES.glob("*.md") if blocks(page.name)} <= here | elsewhere
