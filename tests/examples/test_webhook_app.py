import hashlib
import hmac
import http.server
import json
import threading
import urllib.error
import urllib.request

import pytest
from support.processes import ListeningSocket, start_application

TICKETS = [{"id": "1", "subject": "Printer", "text": "It smokes."}]
SECRET = "s3cret"


@pytest.fixture
def tickets():
    """A ticket system: a JSON API on a free port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(TICKETS).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def app(omni_manager):
    """The application under gunicorn, as its docstring says; its address."""
    with ListeningSocket() as address:
        env = {"CONNECTOR_MANAGER_URL": omni_manager.url}
        with start_application(address, "webhook_app:create_app()", env=env):
            omni_manager.wait_for_connector("web")
            yield address.url


@pytest.fixture
def source(omni_manager, tickets):
    return omni_manager.add_source(
        source_type="web", config={"url": tickets}, credentials={"webhook_secret": SECRET}
    ).id


def send(app, source, event, secret=SECRET):
    """Send a webhook; return status and body of the answer."""
    body = json.dumps(event).encode()
    signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    request = urllib.request.Request(
        f"{app}/webhooks/tickets/{source}",
        body,
        {"X-Signature": signature, "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_ticket_that_comes_with_its_webhook_is_indexed_at_once(app, omni_manager, source):
    omni_manager.wait_for_run(omni_manager.trigger(source))
    omni_manager.set_source(source, checkpoint={"kept": True})
    status, answer = send(
        app,
        source,
        {"type": "ticket.updated", "ticket": {"id": "7", "subject": "Ink", "text": "It is empty."}},
    )
    assert status == 202
    run = omni_manager.wait_for_run(answer["sync_run_id"])
    assert (run.status, run.sync_type, run.documents_updated) == ("completed", "incremental", 1)
    assert omni_manager.document(source, "7").content == "It is empty."
    assert omni_manager.source(source).checkpoint == {"kept": True}

    status, answer = send(app, source, {"type": "ticket.deleted", "id": "7"})
    assert (status, omni_manager.wait_for_run(answer["sync_run_id"]).status) == (202, "completed")
    assert omni_manager.document(source, "7") is None
    assert omni_manager.document(source, "1").content == "It smokes."


@pytest.mark.slow
def test_for_anything_else_the_manager_is_asked_for_a_sync(app, omni_manager, source):
    status, answer = send(app, source, {"type": "project.renamed"})
    run = omni_manager.wait_for_run(answer["sync_run_id"])
    assert (status, run.status, run.trigger_type) == (202, "completed", "webhook")
    assert [document.external_id for document in omni_manager.documents(source)] == ["1"]


def test_what_is_not_signed_or_not_known_is_refused(app, omni_manager, source):
    assert send(app, source, {"type": "x"}, secret="wrong") == (401, {"error": "the signature is wrong"})
    assert send(app, "nowhere", {"type": "x"}) == (404, {"error": "no such source"})
    assert omni_manager.runs(source) == []


@pytest.mark.slow
def test_while_a_sync_is_in_progress_the_sender_shall_try_again(app, omni_manager, source):
    created = omni_manager.app.test_client().post(
        "/sdk/sync/create", json={"source_id": source, "sync_type": "full"}
    )
    for event in ({"type": "ticket.deleted", "id": "1"}, {"type": "project.renamed"}):
        assert send(app, source, event) == (503, {"error": "a sync is in progress"})
    omni_manager.cancel(created.json["sync_run_id"])
    status, answer = send(app, source, {"type": "ticket.deleted", "id": "1"})
    assert status == 202
    assert omni_manager.wait_for_run(answer["sync_run_id"]).status == "completed"
