"""The dlt bridge with sources that are written here; ``rest_api`` and ``sql_database`` are in test_real_dlt.py."""

import json
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from support.waiting import QUICKLY, eventually

from omni_connector import Document
from omni_connector.bridges import dlt as bridge
from omni_connector.bridges.dlt import DltConnector
from omni_connector.runtime.run_stack import thread_of_run
from omni_connector.testing import serve_connector

dlt = pytest.importorskip("dlt")
pytestmark = pytest.mark.slow  # To import dlt alone takes two seconds.


class Desk(DltConnector):
    """Two resources: tickets since a moment, people whole."""

    name = "desk"
    version = "1.0.0"

    def __init__(self):
        self.tickets = [ticket(n) for n in range(6)]
        self.people = [{"id": n, "name": f"Person {n}"} for n in range(12)]
        self.asked = []
        self.between = lambda: None

    def source(self, config, credentials):
        since = dlt.sources.incremental("updated", initial_value=moment(0), row_order=config.get("order"))

        @dlt.resource(primary_key="id")
        def tickets(updated=since):
            self.asked.append(updated.last_value)
            for each in self.tickets:
                if each["updated"] >= updated.last_value:
                    yield [each]
                    self.between()

        @dlt.resource
        def people():
            self.asked.append("people")
            yield self.people

        @dlt.source(name="desk")
        def desk():
            return people, tickets

        return desk()

    def document(self, row, resource):
        return Document(
            external_id=f"{resource}/{row['id']}", title=row["name"], content=str(row.get("updated", ""))
        )


def moment(n):
    return datetime(2026, 1, 1 + n, tzinfo=UTC)


def ticket(n, updated=None):
    return {"id": n, "name": f"Ticket {n}", "updated": moment(n if updated is None else updated)}


def test_incremental_resources_go_on_and_deletions_of_whole_ones_are_found(run_sync):
    desk = Desk()
    first = run_sync(desk, config={})
    assert (first.status, len(first.documents)) == ("completed", 18)
    assert first.documents["tickets/0"].permissions == {"public": False, "users": [], "groups": []}
    desk.tickets += [ticket(1, updated=9), ticket(10)]
    del desk.people[4], desk.tickets[0]
    desk.people[0]["name"] = "Ann"
    second = run_sync(desk, mode="incremental")
    assert set(second.documents) == {"tickets/1", "tickets/10", "people/0"}
    assert second.deletions == ["people/4"]
    assert desk.asked == ["people", moment(0), "people", moment(5)]


def test_a_reconciliation_finds_what_is_gone_from_incremental_resources(run_sync):
    desk = Desk()
    assert desk.reconcile_every == timedelta(days=1)
    run_sync(desk, config={})
    del desk.tickets[0]
    assert run_sync(desk, mode="incremental").deletions == []
    desk.reconcile_every = timedelta(0)
    result = run_sync(desk, mode="incremental")
    assert (set(result.documents), result.deletions) == (set(), ["tickets/0"])
    assert desk.asked[1::2] == [moment(0), moment(5), moment(0)]


def test_rows_that_were_not_read_are_read_again_by_the_next_run_and_stay(run_sync, pass_a_day):
    desk = Desk()
    run_sync(desk, config={})
    pass_a_day()
    del desk.tickets[0]
    name = desk.people[3].pop("name")
    broken = run_sync(desk)
    assert broken.deletions == ["tickets/0"]
    del desk.tickets[0]
    desk.people[3]["name"] = name
    assert run_sync(desk, mode="incremental").deletions == ["tickets/1"]
    run_sync(desk, mode="incremental")
    assert desk.asked[1::2] == [moment(0), moment(0), moment(0), moment(5)]


def test_a_row_that_was_not_read_before_an_interruption_stays_after_it(omni_manager, monkeypatch):
    monkeypatch.setattr(bridge.Pace, "is_due", lambda self: True)
    go_on, desk = threading.Event(), Desk()
    try:
        with serve_connector(desk, omni_manager) as served:
            source = served.put_source(config={"order": "asc"})
            omni_manager.wait_for_run(omni_manager.trigger(source, "full"), 60)
            del desk.tickets[1]["name"]
            rows = iter(range(100))
            desk.between = lambda: next(rows) == 3 and go_on.wait(60)
            run_id = omni_manager.trigger(source, "full")
            # The last state before the source waits: it stays.
            eventually(lambda: "2026-01-04" in json.dumps(omni_manager.run(run_id).checkpoint))
    finally:
        go_on.set()
    with serve_connector(desk, omni_manager):
        omni_manager.tick()
        assert omni_manager.wait_for_run(run_id, 60).status == "completed"
    assert desk.asked[-1] > moment(1)  # It was resumed.
    assert "tickets/1" in {each.external_id for each in omni_manager.documents()}


def test_append_only_resources_and_limited_ones_delete_nothing(run_sync):
    class Limited(Desk):
        append_only = ["tickets"]

        def source(self, config, credentials):
            source = super().source(config, credentials)
            source.people.add_limit(1)
            return source

    desk = Limited()
    run_sync(desk, config={})
    del desk.tickets[0], desk.people[0]
    assert run_sync(desk).deletions == []


def test_an_interrupted_run_goes_on_after_the_resources_that_it_has_read(run_sync, monkeypatch):
    desk = Desk()
    desk.between = lambda: 1 / 0
    first = run_sync(desk, config={})
    assert first.status == "failed"
    assert "tickets" in first.error
    assert first.saved_state["finished"] == ["people"]


@pytest.mark.parametrize(("order", "states"), [("asc", 6), (None, 0)])
def test_states_between_pages_are_saved_only_where_rows_come_in_the_order_of_the_cursor(order, states):
    from omni_connector.bridges.dlt_extraction import Extraction, Reached

    desk = Desk()
    reading = Extraction(
        make=lambda: desk.source({"order": order}, {}).with_resources("tickets"),
        saved={},
        skipped=frozenset(),
        begun=[],
        due=lambda: True,
    )
    pages = [each for each in reading.pages() if isinstance(each, Reached)]
    assert len(pages) == states + 1
    assert [each.finished for each in pages] == [{}] * states + [{"tickets": True}]


@pytest.mark.parametrize("kind", ["with rows made from it", "with a state of its own"])
def test_no_state_is_saved_between_pages_that_would_leave_rows_out(kind):
    """A resource whose rows others are made from, and one that remembers more than its cursor."""
    from omni_connector.bridges.dlt_extraction import Extraction, Reached

    since = dlt.sources.incremental("updated", initial_value=moment(0), row_order="asc")

    @dlt.resource(primary_key="id")
    def tickets(updated=since):
        for n in range(3):
            if kind == "with a state of its own":
                dlt.current.resource_state()["page"] = n
            yield [ticket(n)]

    @dlt.transformer(data_from=tickets)
    def comments(found):
        for each in found:
            yield {"id": each["id"], "name": "Comment"}

    made = [tickets, comments] if kind == "with rows made from it" else [tickets]

    @dlt.source(name="desk")
    def desk():
        return made

    skipped: frozenset[str] = frozenset()
    reading = Extraction(make=desk, saved={}, skipped=skipped, begun=[], due=lambda: True)
    pages = [each for each in reading.pages() if isinstance(each, Reached)]
    assert [set(each.finished) for each in pages] == [{each.name for each in made}]


def test_rows_that_are_marked_as_deleted_are(run_sync):
    class Marked(Desk):
        def source(self, config, credentials):
            source = super().source(config, credentials)
            source.people.apply_hints(columns={"gone": {"hard_delete": True}})
            return source.with_resources("people")

    desk = Marked()
    run_sync(desk, config={})
    desk.people[3]["gone"] = True
    assert run_sync(desk, mode="incremental").deletions == ["people/3"]


def test_dlt_reads_no_settings_of_its_own_writes_no_files_and_sends_nothing(run_sync, tmp_path, monkeypatch):
    class Secretive(Desk):
        def source(self, config, credentials):
            @dlt.source
            def desk(api_key: str = dlt.secrets.value):
                return dlt.resource([{"id": api_key}], name="people")

            return desk()

    monkeypatch.setenv("SOURCES__API_KEY", "from the environment")
    monkeypatch.chdir(tmp_path)
    Path(".dlt").mkdir()
    Path(".dlt/secrets.toml").write_text('[sources]\napi_key = "from a file"\n')
    before = set(tmp_path.rglob("*"))
    result = run_sync(Secretive(), config={})
    assert result.status == "failed"
    assert "dlt misses api_key" in result.error
    assert "give them to the source in source()" in result.error
    made = set(tmp_path.rglob("*")) - before
    assert not [path for path in made if "dlt" in path.name]
    from dlt.common.runtime import anon_tracker

    assert anon_tracker._ANON_TRACKER_ENDPOINT is None


def test_a_cancelled_run_ends_although_the_source_waits(omni_manager):
    waiting, go_on = threading.Event(), threading.Event()
    desk = Desk()
    desk.between = lambda: (waiting.set(), go_on.wait(60))
    try:
        with serve_connector(desk, omni_manager) as served:
            run_id = omni_manager.trigger(served.put_source(config={}), "full")
            assert waiting.wait(60)
            omni_manager.cancel(run_id)
            thread = thread_of_run(run_id)
            assert thread is None or thread.join(QUICKLY) or not thread.is_alive()
    finally:
        go_on.set()


def test_what_is_no_source_and_a_missing_extra_are_named(run_sync, monkeypatch):
    class Wrong(Desk):
        def source(self, config, credentials):
            return {"rows": []}

    assert "source() returned dict: return a dlt source" in run_sync(Wrong(), config={}).error
    monkeypatch.setattr(bridge.importlib.util, "find_spec", lambda name: None)
    assert "Type: pip install 'omni-connector[dlt]'" in run_sync(Wrong(), config={}).error


def test_sources_that_are_read_at_once_keep_their_rows_and_states_apart():
    from omni_connector.bridges.dlt_extraction import Extraction, Reached, Rows

    def source(owner):
        since = dlt.sources.incremental("id", initial_value=0)

        @dlt.resource(name="tickets")
        def tickets(updated=since):
            dlt.current.resource_state()["owner"] = owner
            for n in range(100):
                yield [{"id": n, "owner": owner}]

        return tickets

    found = {}

    def read(owner):
        reading = Extraction(
            make=partial(source, owner), saved={}, skipped=frozenset(), begun=[], due=lambda: False
        )
        pages = list(reading.pages())
        owners = {row["owner"] for page in pages if isinstance(page, Rows) for row in page.rows}
        states = [
            page.state["sources"]["tickets"]["resources"] for page in pages if isinstance(page, Reached)
        ]
        found[owner] = (owners, [state["tickets"]["owner"] for state in states], len(pages))

    threads = [threading.Thread(target=read, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: ({n}, [n], 101) for n in range(4)}
