"""``GET /metrics`` and ``GET /ready`` under gunicorn with two workers, during a sync: whichever worker is asked, it is the truth."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families as parse
from support.pausing import InTwoHalves, meet
from support.processes import start_gunicorn
from support.waiting import eventually

ASKED = 8
"""Scrapes on new connections: that one worker alone answers them all is as likely as 1 : 128."""

HALF = InTwoHalves.half


@pytest.fixture
def pipes(tmp_path):
    for name in ("first", "second"):
        os.mkfifo(tmp_path / name)
    return tmp_path / "first", tmp_path / "second"


class Scrapes:
    """Scrapes a connector, and sees that no counter ever goes back."""

    def __init__(self, address):
        self.url = address.url
        self.seen = {}

    def __call__(self):
        answer = requests.get(f"{self.url}/metrics", timeout=60)
        assert answer.status_code == 200, answer.text
        found = {}
        for family in parse(answer.text):
            for sample in family.samples:
                labels = {name: each for name, each in sample.labels.items() if name != "connector"}
                key = (sample.name.removeprefix("omni_connector_"), *sorted(labels.items()))
                found[key] = sample.value
                if family.type in {"counter", "histogram"}:
                    assert sample.value >= self.seen.get(key, 0), key
                    self.seen[key] = sample.value
        gone = {key for key in self.seen if key not in found}
        assert not gone
        return found

    def value(self, name, **labels):
        return self().get((name, *sorted(labels.items())))

    def agree(self, name, value, **labels):
        """Wait until this value is there, and see that all workers say it."""
        key = (name, *sorted(labels.items()))
        eventually(lambda: self().get(key) == value)
        assert {self().get(key) for _ in range(ASKED)} == {value}


@pytest.mark.slow
def test_a_scrape_of_two_workers_during_a_sync_is_the_truth(manager, address, pipes):
    first, second = pipes
    env = {
        "CONNECTOR_MANAGER_URL": manager.url,
        "TEST_MEETING_POINT": str(first),
        "TEST_SECOND_MEETING_POINT": str(second),
    }
    with start_gunicorn(address, "support.pausing:InTwoHalves", "--workers", "2", env=env) as process:
        manager.wait_for_connector(process, "web")
        scrape = Scrapes(address)
        scrape.agree("processes", 2, version=version(scrape))
        source = manager.add_source("web", {})
        run = manager.trigger(source)
        meet(first)
        running = int(process.wait_for(r"sync in (\d+)")[1])

        # In the middle of the sync.
        scrape.agree("documents_total", HALF, kind="emitted")
        scrape.agree("runs_in_progress", 1, mode="full")
        scrape.agree("manager_up", 1)
        uploads = {"endpoint": "/sdk/content", "status": "200"}
        scrape.agree("manager_request_duration_seconds_count", HALF, **uploads)
        ready = [requests.get(f"{address.url}/ready", timeout=60) for _ in range(ASKED)]
        assert {(each.status_code, each.json()["status"]) for each in ready} == {(200, "ready")}

        # The other worker is killed: what it has counted stays, and its successor goes on with it.
        health = {"endpoint": "/health", "method": "GET", "status": "200"}
        for _ in range(ASKED):
            requests.get(f"{address.url}/health", timeout=60)
        count = "http_request_duration_seconds_count"
        eventually(lambda: scrape.value(count, **health) >= ASKED)
        before = scrape.value(count, **health)
        (other,) = workers(process) - {running}
        os.kill(other, signal.SIGKILL)
        eventually(lambda: len(workers(process) - {other}) == 2)
        scrape.agree("processes", 2, version=version(scrape))
        assert scrape.value(count, **health) >= before

        # After its end, held against what the manager has.
        meet(second)
        assert manager.wait(run)["status"] == "completed"
        documents = len(manager.documents(source))
        assert documents == 2 * HALF
        for kind in ("scanned", "emitted", "updated"):
            scrape.agree("documents_total", documents, kind=kind)
        scrape.agree("runs_total", 1, mode="full", outcome="completed")
        scrape.agree("manager_request_duration_seconds_count", documents, **uploads)
        scrape.agree("buffered_documents", 0)
        found = scrape()
        assert ("runs_in_progress", ("mode", "full")) not in found
        batches = found[
            "manager_request_duration_seconds_count", ("endpoint", "/sdk/events/batch"), ("status", "200")
        ]
        assert found["batches_total",] == batches
        success = found["last_success_timestamp_seconds", ("source_id", source)]

    # A new server at the same address goes on.
    with start_gunicorn(address, "support.pausing:InTwoHalves", "--workers", "2", env=env) as process:
        manager.wait_for_connector(process, "web")
        scrape.agree("runs_total", 1, mode="full", outcome="completed")
        scrape.agree("last_success_timestamp_seconds", success, source_id=source)


def version(scrape):
    return next(dict(key[1:])["version"] for key in scrape() if key[0] == "processes")


def workers(process):
    """Return the children of gunicorn's master that live."""
    pid = process.popen.pid
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return {int(child) for child in children.read_text().split()}
