"""The pages of runs: live, ended, failed, cancelled."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime
from urllib.request import urlopen

import pytest
from attrs import define, evolve
from playwright.sync_api import expect
from support.browser import assert_accessible
from support.console_pages import logs_kept
from support.waiting import eventually

from omni_connector.console import run_view
from omni_connector.console.connector_process import ConnectorPhase, ConnectorState, Failure
from omni_connector.console.live_streams import MOST_STREAMS, Event, LiveStreams
from omni_connector.console.run_chart import RunChart
from omni_connector.console.run_logs import RunLogs
from omni_connector.console.run_rates import Rate
from omni_connector.console.runs import RunNews
from omni_connector.console.tracebacks import causes, folded
from omni_connector.run_reports import write_report

TRACEBACK = """RuntimeError: page 200 (caused by KeyError: 'token')
Traceback (most recent call last):
  File "/srv/notes.py", line 34, in sync
    token = credentials["token"]
            ~~~~~~~~~~~^^^^^^^^^
KeyError: 'token'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/x/site-packages/omni_connector/runtime/worker.py", line 158, in _do
    self._call()
  File "/srv/notes.py", line 36, in sync
    raise RuntimeError("page 200") from error
RuntimeError: page 200
of the wiki"""


def record(run_id, text, **more):
    return {
        "sync_run_id": run_id,
        "message": text,
        "level": "INFO",
        "time": "2026-11-30T03:04:05.678+00:00",
        **more,
    }


def test_the_errors_of_a_traceback_are_told_apart_with_their_places():
    found = causes(f"Sync failed: {TRACEBACK}")
    assert [(each.error, each.file, each.line, each.code) for each in found] == [
        (
            "RuntimeError: page 200\nof the wiki",
            "/srv/notes.py",
            36,
            'raise RuntimeError("page 200") from error',
        ),
        ("KeyError: 'token'", "/srv/notes.py", 34, 'token = credentials["token"]'),
    ]
    assert causes("no traceback here") == []


def test_of_a_traceback_the_frames_of_others_can_be_folded():
    frames = folded(f"Sync failed: {TRACEBACK}").splitlines()
    assert [line for line in frames if "File" in line or "..." in line] == [
        '  File "/srv/notes.py", line 34, in sync',
        "  ... 1 frame of omni_connector",
        '  File "/srv/notes.py", line 36, in sync',
    ]
    assert frames[-2:] == ["RuntimeError: page 200", "of the wiki"]
    others = TRACEBACK.replace("/srv/", "/x/site-packages/urllib3/")
    assert folded(others) == others


def test_a_chart_says_in_words_what_it_shows():
    chart = RunChart.of([Rate(0, 1, 10), Rate(1, 2, 30), Rate(2, 4, 0)])
    assert chart.words == "Documents per second over 4 s: 0 at the end, 30 at most."
    assert chart.line == "0,81.3 75.0,81.3 225.0,4.0 450.0,120.0 600,120.0"
    assert RunChart.of([Rate(0, 1, 10)]) is None


class TestStreams:
    def test_a_page_beyond_the_limit_is_shown_the_state_once_and_comes_back_later(self):
        streams = LiveStreams(lambda seconds: False, most=1)
        look = lambda: ([Event(name="state", data="a\nb", number=7)], False)  # noqa: E731
        first = streams.stream(look)
        assert next(first) == b"retry: 500\n\n"
        assert list(streams.stream(look)) == [
            b"retry: 3000\n\n",
            b"event: state\ndata: a\ndata: b\nid: 7\n\n",
        ]
        first.close()  # The browser has gone.
        third = streams.stream(look)
        assert next(third) == b"retry: 500\n\n"
        third.close()

    @pytest.mark.parametrize(("closes", "seconds"), [(True, 60.0), (False, 0.0)])
    def test_a_stream_ends_when_the_manager_closes_and_when_its_time_is_over(self, closes, seconds):
        streams = LiveStreams(lambda seconds: closes, seconds=seconds)
        assert list(streams.stream(lambda: ([], False)))[1:] == []

    def test_silence_is_broken_now_and_then_so_that_a_browser_that_has_gone_is_noticed(self):
        looks = iter([([], False)] * 4 + [([], False), ([], True)])
        sent = list(LiveStreams(lambda seconds: False).stream(lambda: next(looks)))
        assert sent == [b"retry: 500\n\n", b": no news\n\n"]


def test_open_pages_do_not_keep_the_manager_from_answering(site):
    source = site.add_source(behaviour="waits")
    run_id = site.begin(source)
    port = int(site.url.rpartition(":")[2])
    request = f"GET /console/runs/{run_id}/live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    opened = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(24)]
    try:
        for each in opened:
            each.sendall(request)
        answers = []
        for each in opened:
            text = b""
            while b"retry: " not in text:
                text += each.recv(65536)
            answers.append(b"retry: 500" in text)
        assert sum(answers) == MOST_STREAMS
        with urlopen(f"{site.url}/health", timeout=60) as answer:
            assert json.load(answer) == {"status": "healthy"}
    finally:
        for each in opened:
            each.close()

    def has_place():
        with urlopen(f"{site.url}/console/runs/{run_id}/live", timeout=60) as answer:
            return answer.readline() == b"retry: 500\n"

    site.manager.cancel(run_id)
    assert eventually(has_place), "the places of pages that have gone are free again"


def test_the_news_of_a_run_are_its_state_its_lines_and_its_end(site):
    site.console.logs = logs = RunLogs()
    source = site.add_source(behaviour="waits")
    run_id = site.begin(source)
    logs.add(record(run_id, "started", event="sync_started"))
    with site.app.test_request_context():
        news = RunNews(run_id, after=0)
        events, is_over = news.look()
        assert [each.name for each in events] == ["state", "lines"]
        assert 'class="badge running"' in events[0].data
        assert not is_over
        site.connector.go_on.set()
        site.manager.wait_for_run(run_id)
        logs.add(
            record(
                run_id, "completed", event="sync_ended", outcome="completed", stage_seconds={"reading": 1.0}
            )
        )
        events, is_over = news.look()
        assert [each.name for each in events] == ["state", "lines", "ended"]
        assert "Reading the source" in events[0].data
        assert is_over


def test_a_failed_run_shows_each_cause_with_its_place(site):
    site.console.logs = logs = RunLogs()
    run = site.sync(site.add_source(behaviour="fails"))
    assert "refuses the token" in site.client.get(f"/console/runs/{run.id}").text
    logs.add(record(run.id, f"Sync of source x failed: {TRACEBACK}", level="ERROR"))
    logs.add(
        record(
            run.id,
            "Document 'page-8' did not arrive as it should (connector): 500",
            level="WARNING",
            document_id="page-8",
        )
    )
    text = site.client.get(f"/console/runs/{run.id}").text
    assert (
        text.index("RuntimeError: page 200")
        < text.index("caused by")
        < text.index("KeyError: &#39;token&#39;")
    )
    assert "/srv/notes.py, line 34, in sync" in text
    assert "page-8" in text


def test_what_the_connector_reported_is_counted_and_shown_with_a_log_and_with_a_report(site):
    source = site.add_source(behaviour="has refusals")
    with logs_kept() as site.console.logs:
        run = site.sync(source)
        report = site.console.report(run.id)
    assert [each["reason"] for each in report["errors"]] == ["The wiki answered 500 for this page."] * 2
    with_log = site.client.get(f"/console/runs/{run.id}").text
    assert '<strong class="bad">4</strong>' in site.client.get("/").text  # Two more were refused.
    site.console.logs = None
    assert '<strong class="bad">2</strong>' in site.client.get("/").text
    write_report(site.manager.data_dir, run.id, report)
    assert '<strong class="bad">4</strong>' in site.client.get("/").text
    for text in (with_log, site.client.get(f"/console/runs/{run.id}").text):
        assert text.count("The wiki answered 500 for this page.</td>") == 2
        assert text.count("The manager refused it: unknown content_id") == 2
        assert "in a later run" not in text
    site.manager.set_source(source.id, config=source.config | {"behaviour": "well"})
    site.sync(source)
    assert site.client.get(f"/console/runs/{run.id}").text.count("(arrived in a later run)") == 2


def test_the_list_is_filtered_and_comes_in_pages(site, monkeypatch):
    monkeypatch.setattr("omni_connector.console.runs.SHOWN_RUNS", 2)
    one, other = site.add_source("One"), site.add_source("Other", behaviour="fails")
    runs = [site.sync(one) for _ in range(3)]
    failed = site.sync(other)
    text = site.client.get("/console/runs").text
    assert text.index(f"run-{failed.id}") < text.index(f"run-{runs[2].id}")
    assert f"run-{runs[1].id}" not in text
    older = site.client.get(f"/console/runs?before={runs[2].id}").text
    assert f"run-{runs[0].id}" in older
    assert f"run-{failed.id}" not in older
    text = site.client.get(f"/console/runs?status=failed&source={other.id}").text
    assert f"run-{failed.id}" in text
    assert f"run-{runs[2].id}" not in text
    last = site.client.get(f"/console/runs/{runs[2].id}").text
    assert f"/console/documents?run={runs[1].id}&amp;change=unchanged" in last  # Of the run before.
    first = site.client.get(f"/console/runs/{runs[0].id}").text
    assert "<summary>New: 22</summary>" in first
    assert first.count('<li><a href="/console/documents/one?') == run_view.SHOWN_DOCUMENTS
    assert "All 22 new documents" in first


def test_a_run_without_a_sign_of_life_says_so(site, monkeypatch):
    monkeypatch.setattr(run_view, "SILENT_SECONDS", -1.0)
    run_id = site.begin(site.add_source(behaviour="waits"))
    assert "No sign of life for" in site.client.get(f"/console/runs/{run_id}").text
    assert site.client.get("/console/runs/unknown").status_code == 404


def test_a_realtime_run_says_that_it_goes_on(site):
    services = site.manager.app.extensions["omni_local_manager"]
    run = services.runs.create(site.add_source().id, "realtime", "scheduled")
    assert "a realtime run goes on until it is cancelled" in site.client.get(f"/console/runs/{run.id}").text
    run = services.runs.create(site.add_source("Other").id, "full", "scheduled")
    assert "a realtime run" not in site.client.get(f"/console/runs/{run.id}").text


@pytest.mark.parametrize(("starts", "words"), [(1, None), (2, "resumed once"), (3, "resumed 2 times")])
def test_a_run_says_how_often_it_was_resumed(site, starts, words):
    site.console.logs = logs = RunLogs()
    run = site.sync(site.add_source())
    for _ in range(starts):
        logs.add(record(run.id, "started", event="sync_started"))
    text = site.client.get(f"/console/runs/{run.id}").text
    assert words in text if words else ", resumed" not in text


@define
class KnownProcess:
    """The process of a connector, in a state that the test gives."""

    state: ConnectorState
    restarted: int = 0

    def restart(self):
        self.restarted += 1


BROKEN = ConnectorState(
    target="notes.py",
    phase=ConnectorPhase.FAILED,
    since=datetime(2026, 11, 30, tzinfo=UTC),
    starts=2,
    failure=Failure(
        problems=["SyntaxError: invalid syntax"],
        file="/srv/words.py",
        line=3,
        code="TITLE = <b>",
        traceback="Traceback (most recent call last):",
    ),
)


def test_a_run_whose_connector_is_not_running_says_so(site):
    run_id = site.begin(site.add_source(behaviour="waits"))
    site.console.connector = KnownProcess(BROKEN)
    assert "The connector is not running. This run goes on" in site.client.get(f"/console/runs/{run_id}").text
    site.console.connector.state = evolve(BROKEN, phase=ConnectorPhase.SERVING, failure=None)
    assert "The connector is not running" not in site.client.get(f"/console/runs/{run_id}").text


def test_no_run_is_started_while_the_connector_cannot_run(site):
    source = site.add_source()
    site.console.connector = KnownProcess(BROKEN)
    text = site.client.post(f"/console/sources/{source.id}/sync", follow_redirects=True).text
    assert "No run was started: the connector is not running, see above." in text
    assert site.manager.runs(source.id) == []
    site.console.declared = {"other": {}}
    site.client.post(f"/console/sources/{source.id}/sync")
    assert len(site.manager.runs(source.id)) == 1  # Of a connector that was started elsewhere.


@pytest.mark.slow
def test_what_keeps_a_connector_from_starting_is_on_top_of_each_page_until_it_starts(site, page):
    site.console.connector = process = KnownProcess(BROKEN)
    page.goto("/console/documents")
    banner = page.get_by_role("region", name="The connector cannot be started")
    expect(banner).to_contain_text("/srv/words.py, line 3")
    expect(banner).to_contain_text("TITLE = <b>")
    expect(banner).to_contain_text("SyntaxError: invalid syntax")
    assert_accessible(page)
    banner.get_by_role("button", name="Start it again").click()
    page.wait_for_url("**/console/documents")
    assert process.restarted == 1
    process.state = evolve(BROKEN, phase=ConnectorPhase.STARTING, failure=None, starts=3)
    expect(page.get_by_text("notes.py is starting.")).to_be_visible()
    process.state = evolve(process.state, phase=ConnectorPhase.SERVING)
    expect(page.get_by_text("notes.py is starting.")).to_have_count(0)
    process.state = evolve(BROKEN, phase=ConnectorPhase.ENDED, starts=3)
    expect(page.get_by_role("region", name="The connector has ended")).to_be_visible()


@pytest.mark.slow
def test_a_run_is_seen_from_its_middle_to_its_end_without_loading_the_page_again(site, page):
    site.console.logs = logs = RunLogs()
    run_id = site.begin(site.add_source(behaviour="waits"))
    logs.add(record(run_id, "the first line", event="sync_started"))
    page.goto(f"/console/runs/{run_id}")
    page.locator("#status .badge.running").wait_for()
    page.evaluate("document.body.dataset.kept = 'yes'")
    logs.add(record(run_id, "a warning", level="WARNING"))
    page.get_by_text("a warning").wait_for()
    page.get_by_label("Show").select_option("from WARNING")
    page.get_by_text("the first line").wait_for(state="hidden")
    site.connector.go_on.set()
    page.locator("#status .badge.completed").wait_for()
    page.get_by_text("The run has ended: completed.").wait_for(state="attached")
    assert page.evaluate("document.body.dataset.kept") == "yes"
    assert page.get_by_role("button", name="Cancel").count() == 0
    assert_accessible(page)


@pytest.mark.slow
def test_a_run_is_cancelled_from_its_page(site, page):
    run_id = site.begin(site.add_source(behaviour="waits"))
    page.goto(f"/console/runs/{run_id}")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("The run was cancelled.").wait_for()
    page.locator("#status .badge.cancelled").wait_for()
    assert site.manager.run(run_id).status == "cancelled"


@pytest.mark.slow
def test_a_run_that_fails_while_it_is_watched_says_why(site, page):
    source = site.add_source(behaviour="fails", pages=400)
    run_id = site.manager.trigger(source.id, "full")
    page.goto(f"/console/runs/{run_id}")
    page.get_by_text("refuses the token: log in to the wiki").wait_for()
    page.get_by_role("link", name="Runs", exact=True).first.click()
    page.locator(f"#run-{run_id}").wait_for()
    assert_accessible(page)
