"""What is kept of runs while the console is open."""

from __future__ import annotations

from attrs import define

from omni_connector.console.run_logs import KEPT_LINES, KEPT_RUNS, RunLogs
from omni_connector.console.run_rates import KEPT_SAMPLES, Rate, RunRates, recent_rate


def line(run_id, text="text", **more):
    return {"sync_run_id": run_id, "message": text, "level": "INFO", **more}


def test_the_last_lines_of_the_last_runs_are_kept():
    logs = RunLogs()
    for number in range(KEPT_LINES + 5):
        logs.add(line("R0", str(number)))
    found = logs.of("R0")
    assert (len(found.lines), found.dropped, found.lines[-1].text) == (KEPT_LINES, 5, str(KEPT_LINES + 4))
    assert [each.text for each in logs.of("R0", after=found.lines[-2].number).lines] == [str(KEPT_LINES + 4)]
    for number in range(KEPT_RUNS):
        logs.add(line(f"other-{number}"))
    assert logs.of("R0") is None


def test_a_run_that_begins_again_counts_its_starts_and_forgets_its_end():
    logs = RunLogs()
    logs.add(line("R", event="sync_started"))
    logs.add(line("R", event="sync_ended", outcome="interrupted", scanned=3))
    logs.add(line("R", event="sync_started"))
    found = logs.of("R")
    assert (found.starts, found.outcome, found.figures) == (2, "", {})


@define
class Counted:
    id: str = "R"
    documents_scanned: int = 0
    documents_processed: int = 0


def test_rates_are_what_was_counted_between_two_looks_and_stay_few():
    now, run = [0.0], Counted()
    rates = RunRates(lambda: [run], clock=lambda: now[0])
    for _ in range(KEPT_SAMPLES * 3):
        rates.look()
        rates.look()  # A moment later: nothing is added.
        now[0] += 1.0
        run.documents_processed += 10
    found = rates.of(run)
    assert len(found) <= KEPT_SAMPLES
    assert {rate.per_second for rate in found} == {10.0}
    assert found[0].begin == 0.0
    assert found[-1].end > KEPT_SAMPLES * 2
    assert rates.of(Counted(id="other")) == []


def test_the_rate_that_is_shown_is_not_nothing_between_two_batches():
    batches = [Rate(float(second), second + 1.0, 0.0 if second % 5 else 100.0) for second in range(60)]
    assert recent_rate(batches) == 20.0
    assert recent_rate(batches[:2]) == 50.0


def test_withheld_deletions_are_among_the_errors_of_a_run():
    logs = RunLogs()
    text = "Source 'wiki: old' (S): 2 of 2 documents were not found any more."
    logs.add(line("R", text, level="WARNING", event="deletions_withheld", scope="S"))
    reason = "2 of 2 documents were not found any more."
    assert logs.of("R").report()["errors"] == [{"document_id": "S", "stage": "withheld", "reason": reason}]
