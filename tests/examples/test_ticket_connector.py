"""The example for a REST API, at one whose tokens rotate and that limits rates."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.real_system import RealSystemTests
from support.ticket_api import CLIENT, TicketApi
from ticket_connector import TicketConnector

pytestmark = pytest.mark.slow  # The API makes its clients wait.


class Tickets:
    """Four tickets of two projects."""

    def __init__(self, api):
        self.api = api
        self.config = {"url": api.url}
        login = {"client_id": CLIENT[0], "client_secret": CLIENT[1]}
        self.credentials = {**login, "refresh_token": api.refresh_token}
        self.wrong_credentials = {
            "client_id": CLIENT[0],
            "client_secret": "wrong-secret-4",
            "refresh_token": "none-5",
        }
        self.secrets = api.tokens
        self.documents = {"aardvark": "T1", "badger": "T2", "cheetah": "T3", "dolphin": "T4"}
        self.finds = {
            "ann@example.com": {"aardvark", "badger", "cheetah"},
            "bob@example.com": {"dolphin"},
            "joe@example.com": set(),
        }
        api.projects = {
            "web": {"id": "web", "name": "Web", "members": ["ann@example.com"]},
            "app": {"id": "app", "name": "App", "members": ["bob@example.com"]},
        }
        for word, number in self.documents.items():
            project = "app" if word == "dolphin" else "web"
            api.save(number, title=f"About {word}", body=f"<p>Of the {word}.</p>", project=project)

    def change(self, word):
        self.api.save("T1", body=f"<p>Now of the {word}.</p>")
        return "T1"

    def delete(self):
        del self.api.tickets["T2"]
        return "T2"


@pytest.fixture
def api():
    with TicketApi() as api:
        yield api


@pytest.fixture
def system(api):
    return Tickets(api)


class InEachRun(TicketConnector):
    """Looks for deleted tickets in each run."""

    reconcile_every = timedelta(0)


class TestTickets(RealSystemTests):
    connector = InEachRun
    left = 2  # Those of the second page.

    def test_an_interrupted_run_resumes(self, omni_manager, system, monkeypatch):
        super().test_an_interrupted_run_resumes(omni_manager, system, monkeypatch)
        pages = [each for each in system.api.asked if "/tickets" in each]
        assert pages == ["/tickets?", "/tickets?cursor=2", "/tickets?cursor=2"]

    def test_it_passes_the_checks_of_every_connector(self, system, tmp_path):
        """They make many sources of one login, which a refresh token that can be used once does not allow."""
        system.api.is_lenient = True
        super().test_it_passes_the_checks_of_every_connector(system, tmp_path)
        assert any("/tickets" in each for each in system.api.asked)


def test_an_incremental_run_reads_only_what_was_updated(run_sync, system, api):
    run_sync(TicketConnector(), config=system.config, credentials=system.credentials)
    api.asked.clear()
    system.change("wolverine")
    system.delete()
    result = run_sync(TicketConnector(), mode="incremental")
    assert (result.status, set(result.documents), result.deletions) == ("completed", {"T1"}, [])
    assert [each for each in api.asked if "/tickets" in each] == [
        "/tickets?updated_since=2026-08-01T15%3A55%3A00Z"
    ]


def test_tokens_and_limits_are_respected(run_sync, system, api):
    """A long listing outlives access tokens, is told to wait, and meets errors."""
    for n in range(5, 60):
        api.save(f"T{n}", title="Long", body="list", project="web")
    result = run_sync(TicketConnector(), config=system.config, credentials=system.credentials)
    assert (result.status, len(result.documents)) == ("completed", 59)
    assert len(api.tokens) > 4
    assert api.too_early == 0
