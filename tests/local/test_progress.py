import json
import threading

import requests


def test_progress_is_streamed_until_the_run_ends(manager, api, run_id, source):
    with requests.get(f"{manager.url}/sync/{run_id}/progress", stream=True, timeout=60) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["cache-control"] == "no-cache"
        lines = answer.iter_lines()
        events = [next(lines)]
        assert next(lines) == b""
        api.post(f"/sdk/sync/{run_id}/scanned", {"count": 5})
        api.post(f"/sdk/sync/{run_id}/fail", {"error": "quota"})
        events += [line for line in lines if line]
    first, last = (json.loads(line.removeprefix(b"data: ")) for line in (events[0], events[-1]))
    assert first == {
        "sync_run_id": run_id,
        "source_id": source.id,
        "status": "running",
        "documents_scanned": 0,
        "documents_processed": 0,
        "documents_updated": 0,
        "started_at": "2026-08-01 12:00:00.123456 +00:00:00",
    }
    assert (last["status"], last["documents_scanned"], last["error_message"]) == ("failed", 5, "quota")
    assert last["completed_at"] == "2026-08-01 12:00:00.123456 +00:00:00"


def test_events_come_at_every_interval(manager, run_id):
    with requests.get(f"{manager.url}/sync/{run_id}/progress", stream=True, timeout=60) as answer:
        lines = (line for line in answer.iter_lines() if line)
        assert next(lines) == next(lines) == next(lines)


def test_an_ended_run_has_one_event_and_an_unknown_one_none(api, run_id):
    api.post(f"/sdk/sync/{run_id}/complete")
    answer = api.get(f"/sync/{run_id}/progress")
    assert answer.text.count("data: ") == 1
    for unknown in ("unknown", "%00"):
        answer = api.get(f"/sync/{unknown}/progress")
        assert (answer.status_code, answer.content) == (200, b"")


def test_streams_end_at_once_when_the_manager_closes(manager, run_id):
    with requests.get(f"{manager.url}/sync/{run_id}/progress", stream=True, timeout=60) as answer:
        lines = answer.iter_lines()
        next(lines)
        closing = threading.Thread(target=manager.close)
        closing.start()
        list(lines)
        closing.join(60)
        assert not closing.is_alive()
