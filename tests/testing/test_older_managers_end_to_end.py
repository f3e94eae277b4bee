"""One connector against managers of every age: what arrives, what is saved and what a second run makes of it is the same."""

from __future__ import annotations

import logging
import threading

import attrs
import pytest
from support.local_manager import QUICK, StillClock
from support.manager_dates import DATES, omni_manager, pytest_generate_tests, since

from omni_connector import Connector, Document, DocumentPermissions, PersonRecord, SdkClient
from omni_connector.local import LocalManager, Since
from omni_connector.testing import run_sync as run_sync_alone
from omni_connector.testing import serve_connector

__all__ = ["omni_manager", "pytest_generate_tests"]

EVERYBODY = DocumentPermissions(public=True)
WAIT = 60


class Pages(Connector):
    """Reads pages of documents, saves the number of the next page after each; can be told to break or to stay."""

    name = "pages"
    version = "1.0.0"
    sync_modes = ["full", "incremental"]
    source_types = ["web"]

    def __init__(self, *, breaks_at=None, stays_at=None):
        self.breaks_at, self.stays_at = breaks_at, stays_at
        self.staying = threading.Event()
        self.begun_at = []

    def sync(self, source_config, credentials, state, ctx):
        pages = source_config["pages"]
        first = (state or {}).get("page", 0)
        self.begun_at.append(first)
        for number in range(first, len(pages)):
            if number == self.breaks_at:
                raise OSError("the source is gone")
            if number == self.stays_at:
                self.staying.set()
                ctx.sleep(3600)
                ctx.raise_if_cancelled()
            for name, text in pages[number].items():
                ctx.increment_scanned()
                if text is None:
                    ctx.emit_deleted(name)
                else:
                    ctx.emit(Document(external_id=name, title=name, content=text, permissions=EVERYBODY))
            ctx.save_state({"page": number + 1})
        ctx.complete({"page": len(pages), "done": True})


PAGES = [{"a": "one", "b": "two"}, {"c": "three", "a": "one, changed"}, {"b": None, "d": "four"}]
ARRIVED = {"a": "one, changed", "c": "three", "d": "four"}


def contents(result):
    return {name: document.content for name, document in result.index.items()}


def test_documents_deletions_states_and_figures_are_the_same(run_sync):
    first = run_sync(Pages(), config={"pages": PAGES})
    assert (first.status, first.errors) == ("completed", [])
    assert contents(first) == ARRIVED
    assert (first.state, first.saved_state) == ({"page": 3, "done": True},) * 2
    assert (first.scanned, first.updated, first.deletions) == (6, 5, ["b"])
    connector = Pages()
    more = [*PAGES, {"e": "five", "a": None}]
    second = run_sync(connector, config={"pages": more}, mode="incremental")
    assert (connector.begun_at, second.mode, second.status) == ([3], "incremental", "completed")
    assert contents(second) == {"c": "three", "d": "four", "e": "five"}
    assert (second.state, second.scanned) == ({"page": 4, "done": True}, 2)


def test_a_run_that_fails_is_made_good_by_the_next(run_sync):
    failed = run_sync(Pages(breaks_at=1), config={"pages": PAGES})
    assert (failed.status, failed.error) == ("failed", "OSError: the source is gone")
    again = run_sync(Pages())
    assert (again.status, contents(again)) == ("completed", ARRIVED)
    assert again.state == {"page": 3, "done": True}


def test_a_run_that_has_no_news_keeps_the_cursor(run_sync):
    class Quiet(Pages):
        def sync(self, source_config, credentials, state, ctx):
            self.begun_at.append(state)

    run_sync(Pages(), config={"pages": PAGES})
    for _ in range(2):
        quiet = Quiet()
        assert run_sync(quiet, mode="incremental").status == "completed"
        assert quiet.begun_at == [{"page": 3, "done": True}]


@pytest.fixture
def clock():
    return StillClock()


@pytest.fixture
def ticking(tmp_path, day, clock):
    settings = attrs.evolve(QUICK, revision=day, registration_lifetime_seconds=10**6)
    with LocalManager(tmp_path / "ticking", settings=settings, clock=clock, schedule=False) as manager:
        yield manager


def register_again(served):
    """Do what happens every 30 s, for a clock that jumps."""
    if served.manager.takes_registrations:
        with SdkClient(served.manager.url) as client:
            client.register(served.service.checked_manifest())


def test_a_run_whose_process_is_gone_is_made_good(ticking, clock):
    lost = Pages(stays_at=2)
    with serve_connector(lost, ticking) as served:
        source = served.put_source(config={"pages": PAGES})
        run_id = ticking.trigger(source)
        assert lost.staying.wait(WAIT)
    assert ticking.run(run_id).is_running
    fresh = Pages()
    with serve_connector(fresh, ticking) as served:
        clock.advance(minutes=1)
        ticking.tick()
        if ticking.settings.has(Since.PROBES):  # The manager sends the lost run again ...
            ended = ticking.wait_for_run(run_id, WAIT)
        else:  # ... or gives it up, and the next one begins.
            clock.advance(minutes=61)
            ticking.tick()
            assert ticking.run(run_id).error_message == "Sync timed out (no activity detected)"
            register_again(served)
            ended = ticking.wait_for_run(ticking.trigger(source), WAIT)
    assert ended.status == "completed"
    assert {row.external_id: row.content for row in ticking.documents(source)} == ARRIVED
    assert ticking.cursor(source) == {"page": 3, "done": True}
    # Where a run has a checkpoint of its own, no page is read twice. Before, one cursor serves the whole source: it cannot
    # be told whether this run saved it, so the full run starts from nothing.
    assert fresh.begun_at == [2 if ticking.settings.has(Since.CHECKPOINTS) else 0]


@since(Since.PROBES)
def test_a_resumed_run_counts_on(ticking, clock):
    lost, fresh = Pages(stays_at=2), Pages()
    with serve_connector(lost, ticking) as served:
        run_id = ticking.trigger(served.put_source(config={"pages": PAGES}))
        assert lost.staying.wait(WAIT)
    with serve_connector(fresh, ticking):
        clock.advance(minutes=1)
        ticking.tick()
        run = ticking.wait_for_run(run_id, WAIT)
    # Without a checkpoint of its own a full run reads all pages again; what was counted before is taken back.
    assert run.documents_scanned == 6


def test_a_cancelled_run_stays_cancelled(omni_manager):
    class Stubborn(Pages):
        def sync(self, source_config, credentials, state, ctx):
            self.staying.set()
            ctx.sleep(3600)
            ctx.complete({"page": 9})  # Of which an older manager would make a completed run.

    connector = Stubborn()
    with serve_connector(connector, omni_manager) as served:
        source = served.put_source(config={})
        run_id = omni_manager.trigger(source)
        assert connector.staying.wait(WAIT)
        omni_manager.cancel(run_id)
    assert (omni_manager.run(run_id).status, omni_manager.cursor(source)) == ("cancelled", None)


class Social(Pages):
    """Also emits a person and a group, saves notes, and a file to be extracted."""

    def sync(self, source_config, credentials, state, ctx):
        ctx.emit_person_sync(PersonRecord(external_id="E1", email="ada@example.com"))
        ctx.emit_group_membership("eng@example.com", ["ada@example.com"])
        ctx.save_connector_state({"hook": 1})
        ctx.emit(Document(external_id="file", title="F", content=b"a,b\nc,d\n", mime_type="text/csv"))
        super().sync(source_config, credentials, state, ctx)


LACKING = {
    "without people": ["person events"],
    "without checkpoints": ["checkpoints", "person events"],
    "without batches": [
        "count of updates",
        "batches of events",
        "checkpoints",
        "person events",
    ],
    "of February": [
        "count of updates",
        "batches of events",
        "checkpoints",
        "connector state",
        "extraction of files",
        "group events",
        "person events",
    ],
}


@pytest.mark.parametrize("date", LACKING)
def test_what_is_missing_is_said_once_and_costs_nothing_else(tmp_path, caplog, date):
    from omni_connector.local import LocalSettings

    caplog.set_level(logging.INFO)
    settings = LocalSettings(revision=DATES[date])
    with LocalManager(tmp_path / "m", settings=settings, schedule=False) as manager:
        result = run_sync_alone(Social(), config={"pages": PAGES}, manager=manager)
        assert result.status == "completed"
        assert {name: text for name, text in contents(result).items() if name != "file"} == ARRIVED
        assert result.state == {"page": 3, "done": True}
        has_groups, has_files = (
            manager.settings.has(Since.GROUP_EVENTS),
            manager.settings.has(Since.REGISTRATION),
        )
        assert set(result.groups) == ({"eng@example.com"} if has_groups else set())
        assert ("file" in result.index) is has_files
        stages = [(error.kind, error.stage) for error in result.errors]
        assert ("person", "unsupported") in stages
        assert (("group", "unsupported") in stages) is not has_groups
        assert (("document", "content") in stages) is not has_files
    said = [
        record.getMessage()
        for record in caplog.records
        if "This manager is older than" in record.getMessage()
    ]
    assert sorted(line.split(" has no ")[1].split(":")[0] for line in said) == sorted(LACKING[date])
