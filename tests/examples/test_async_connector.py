import threading

import pytest
from async_connector import ApiConnector
from flask import Flask, request
from support.refusing import refusing

from omni_connector.local import HttpServer
from omni_connector.testing import serve_connector


class Api:
    """A server of items; its cursors are places in the list of changes."""

    def __init__(self):
        self.changes = [item(n) for n in range(1, 6)]
        self.asked = []
        self.gone = set()
        self.answers = []  # Statuses to answer with before the items.
        self.on_request = lambda: None
        app = Flask(__name__)
        app.add_url_rule("/items", view_func=self.items)
        app.add_url_rule("/items/<name>", view_func=self.item)
        self.server = HttpServer(app, threads=2).start()
        self.config = {"url": self.server.url, "page_size": 2}

    def items(self):
        self.asked.append((request.args.get("cursor"), request.headers.get("authorization")))
        self.on_request()
        if self.answers:
            return "busy", self.answers.pop(0), {"Retry-After": "0"}
        start, limit = int(request.args.get("cursor", 0)), int(request.args["limit"])
        end = min(start + limit, len(self.changes))
        return {
            "items": self.changes[start:end],
            "next_cursor": str(end),
            "has_more": end < len(self.changes),
        }

    def item(self, name):
        self.asked.append((name, None))
        found = [change for change in self.changes if change["id"] == name]
        return ("gone", 404) if name in self.gone else found[-1]


def item(n, **changes):
    text = {"id": str(n), "title": f"Item {n}", "content": f"text {n}", "url": f"https://api.example/{n}"}
    return {**text, "updated_at": "2026-08-01T12:00:00+02:00", **changes}


@pytest.fixture
def api():
    api = Api()
    yield api
    api.server.close()


def test_every_item_of_every_page_arrives(run_sync, api):
    result = run_sync(ApiConnector(), config=api.config)
    assert (result.status, result.scanned, result.state["cursor"]) == ("completed", 5, "5")
    assert {name: document.content for name, document in result.documents.items()} == {
        str(n): f"text {n}" for n in range(1, 6)
    }
    first = result.documents["1"]
    assert (first.title, first.url, first.permissions["public"]) == ("Item 1", "https://api.example/1", True)
    assert first.metadata["updated_at"] == "2026-08-01T12:00:00+02:00"
    assert [cursor for cursor, _ in api.asked] == [None, "2", "4"]


def test_an_incremental_run_goes_on_from_its_cursor(run_sync, api):
    run_sync(ApiConnector(), config=api.config)
    api.changes += [item(6), item(2, title="Changed"), {"id": "3", "deleted": True}]
    result = run_sync(ApiConnector(), mode="incremental")
    assert {name: document.title for name, document in result.documents.items()} == {
        "6": "Item 6",
        "2": "Changed",
    }
    assert (result.deletions, len(result.index)) == (["3"], 5)


def test_changes_of_one_item_on_one_page_stay_in_order(run_sync, api):
    """A deletion needs no content, so that it would be the first to arrive if items were sent at the same time."""
    api.config["page_size"] = 10
    api.changes += [{"id": "1", "deleted": True}, {"id": "2", "deleted": True}, item(2, title="Back")]
    result = run_sync(ApiConnector(), config=api.config)
    assert [event["document_id"] for event in result.events] == ["1", "2", "3", "4", "5", "1", "2", "2"]
    assert (result.deletions, result.index["2"].title) == (["1", "2"], "Back")
    assert "1" not in result.index


def test_an_incremental_run_without_news_changes_nothing(run_sync, api):
    first = run_sync(ApiConnector(), config=api.config)
    second = run_sync(ApiConnector(), mode="incremental")
    assert (second.events, second.state["cursor"]) == ([], first.state["cursor"])


def test_a_full_run_starts_from_the_beginning(run_sync, api):
    run_sync(ApiConnector(), config=api.config)
    assert len(run_sync(ApiConnector()).documents) == 5


def test_the_token_is_sent(run_sync, api):
    run_sync(ApiConnector(), config=api.config, credentials={"token": "t"})
    assert {token for _, token in api.asked} == {"Bearer t"}


def test_an_api_that_is_overloaded_is_asked_again(run_sync, api):
    api.answers = [429, 503]
    assert run_sync(ApiConnector(), config=api.config).status == "completed"
    assert len(api.asked) == 5


@pytest.mark.parametrize("answers", [[401], [503] * 6])
def test_an_api_that_refuses_fails_the_run(run_sync, api, answers, monkeypatch):
    monkeypatch.setattr("urllib3.Retry.get_backoff_time", lambda _: 0.0)
    api.answers = list(answers)
    result = run_sync(ApiConnector(), config=api.config)
    assert result.status == "failed"
    assert f"/items?limit=2 was answered {answers[0]}" in result.error


@pytest.mark.parametrize("cursors", [["a", "a"], ["a", "b", "a"]])
def test_an_api_that_sends_the_same_pages_again_fails_the_run(run_sync, cursors):
    app = Flask(__name__)
    left = list(cursors)

    @app.get("/items")
    def items():
        return {"items": [], "next_cursor": left.pop(0), "has_more": True}

    with HttpServer(app, threads=2) as server:
        result = run_sync(ApiConnector(), config={"url": server.url})
    assert (result.status, left) == ("failed", [])
    assert "The page at 'a' was read before" in result.error


def test_items_that_the_manager_refused_are_read_again(run_sync, api):
    api.changes = [item(n) for n in range(1, 21)]
    with refusing("3", "4"):
        first = run_sync(ApiConnector(), config=api.config)
    assert (first.status, len(first.index), first.state) == (
        "completed",
        18,
        {"cursor": "20", "refused": ["3", "4"]},
    )
    api.changes.append(item(21))
    api.gone.add("4")
    second = run_sync(ApiConnector(), mode="incremental")
    assert (set(second.documents), second.deletions) == ({"3", "21"}, ["4"])
    assert second.state["refused"] == []


def test_an_item_that_cannot_be_sent_costs_itself(run_sync, api):
    api.changes[1] = {"id": "2", "title": "No content"}
    api.changes[2] = item(3, updated_at="yesterday")
    result = run_sync(ApiConnector(), config=api.config)
    assert (result.status, set(result.documents)) == ("completed", {"1", "4", "5"})
    assert sorted(error.document_id for error in result.errors) == ["2", "3"]


@pytest.mark.parametrize("url", [None, "api.example.com"])
def test_an_address_that_is_none_fails_the_run_with_a_reason(run_sync, url):
    result = run_sync(ApiConnector(), config={"url": url})
    assert result.status == "failed"
    assert "--set url=https://api.example.com" in result.error


def test_a_full_run_that_was_interrupted_goes_on_where_it_was(omni_manager, api):
    reached, go_on = threading.Event(), threading.Event()

    def stop_at_the_third_page():
        if len(api.asked) == 3:
            reached.set()
            go_on.wait(60)

    class Interrupted(ApiConnector):
        async def sync(self, source_config, credentials, state, ctx):
            ctx._run.state.on_stop(go_on.set)
            await super().sync(source_config, credentials, state, ctx)

    api.on_request = stop_at_the_third_page
    with serve_connector(Interrupted(), omni_manager) as served:
        run_id = omni_manager.trigger(served.put_source(config=api.config))
        assert reached.wait(60)
    api.asked.clear()
    with serve_connector(ApiConnector(), omni_manager):
        omni_manager.tick()
        assert omni_manager.wait_for_run(run_id, 60).status == "completed"
    assert [cursor for cursor, _ in api.asked] == ["4"]
    assert {document.external_id for document in omni_manager.documents()} == set("12345")
