"""How long the console's pages take with 100,000 documents: ``PYTHONPATH=tests python -m benchmarks.console_pages``.

Each page is asked for as a browser does, on a connection that is kept. The time is the server's: from the request to the last byte. The
CPU time, of this process as a whole, says what it is on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import http
import http.client
import statistics
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from support.console_pages import all_pages
from support.console_site import ConsoleSite

from omni_connector.console.runs import RunNews

LIMIT_MS = 300
TIMES = 7
BATCH = 500
CONTENT = "All of it is made up, and long enough to be a page of a wiki with several paragraphs. "
WORDS = (
    "budget",
    "holidays",
    "laptop",
    "incident",
    "release",
    "salary",
    "reading",
    "planning",
    "retrospective",
    "on-call",
)


def fill(site: ConsoleSite, count: int) -> None:
    """Add sources with so many documents, their groups, and a second run that changes some of them."""
    services = site.manager.app.extensions["omni_local_manager"]
    for name, share in (("Company wiki", 0.8), ("Archive", 0.15), ("Subsidiary", 0.05)):
        source = site.add_source(name)
        numbers = range(int(count * share))
        for each_run, chosen in (("full", numbers), ("incremental", numbers[::20])):
            run = services.runs.create(source.id, each_run, "manual")
            for start in range(0, len(chosen), BATCH):
                part = chosen[start : start + BATCH]
                events = [_event(services, run, source.id, number, name) for number in part]
                _send(site, run.id, source.id, events)
            _send(site, run.id, source.id, _groups(run.id, source.id, count))
            services.runs.complete(run.id)


def begin_large_run(site: ConsoleSite, count: int) -> str:
    """Begin a run that sends so many documents of the first source, those that are there again; return its id."""
    services = site.manager.app.extensions["omni_local_manager"]
    source = next(each for each in site.manager.sources() if each.name == "Company wiki")
    run = services.runs.create(source.id, "full", "manual")
    known = int(count * 0.8)
    for start in range(0, count, BATCH):
        numbers = range(start, min(count, start + BATCH))
        events = [_event(services, run, source.id, each % known, source.name) for each in numbers]
        _send(site, run.id, source.id, events)
    return run.id


def _send(site, run_id, source_id, events):  # noqa: ANN001, ANN202 - dicts of the wire.
    body = {"sync_run_id": run_id, "source_id": source_id, "events": events}
    answer = site.manager.app.test_client().post("/sdk/events/batch", json=body)
    if answer.status_code != http.HTTPStatus.OK:
        raise RuntimeError(answer.text)


def _event(services, run, source_id, number, name):  # noqa: ANN001, ANN202 - a dict of the wire.
    word = WORDS[number % len(WORDS)]
    text = f"{name} {number} {word} {run.sync_type}. {CONTENT * 24}"
    is_public = number % 4 == 0
    return {
        "type": "document_created",
        "sync_run_id": run.id,
        "source_id": source_id,
        "document_id": f"page-{number}",
        "content_id": services.contents.save(text, run.id),
        "metadata": {"title": f"{word.capitalize()} {number}", "url": f"https://wiki.example.com/{number}"},
        "permissions": {
            "public": is_public,
            "users": [f"person{number % 2000}@example.com"],
            "groups": [f"team{number % 300}@example.com"],
        },
        "attributes": {"space": word, "version": number % 7},
    }


def _groups(run_id, source_id, count):  # noqa: ANN001, ANN202 - likewise.
    return [
        {
            "type": "group_membership_sync",
            "sync_run_id": run_id,
            "source_id": source_id,
            "group_email": f"team{number}@example.com",
            "group_name": f"Team {number}",
            "member_emails": [
                "ann@example.com",
                *(f"person{(number * 7 + each) % 2000}@example.com" for each in range(20)),
            ],
        }
        for number in range(min(300, count))
    ]


def measure(site: ConsoleSite, pages: dict[str, str]) -> list[tuple[str, str, float, float]]:
    """Return name, address, and the median milliseconds of each page: passed, and of CPU."""
    connection = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=60)
    rows = []
    for name, address in pages.items():
        taken, worked = [], []
        for _ in range(TIMES):
            begun, cpu = time.perf_counter(), time.process_time()
            connection.request("GET", address)
            answer = connection.getresponse()
            answer.read()
            taken.append((time.perf_counter() - begun) * 1000)
            worked.append((time.process_time() - cpu) * 1000)
        rows.append((name, address, statistics.median(taken), statistics.median(worked)))
    connection.close()
    return rows


def measure_looks(site: ConsoleSite, run_id: str) -> tuple[float, float]:
    """Return the median milliseconds of a look at a run that a live page shows: passed, and of CPU."""
    taken, worked = [], []
    with site.app.test_request_context():
        news = RunNews(run_id, 0)
        for _ in range(TIMES):
            begun, cpu = time.perf_counter(), time.process_time()
            news.look()
            taken.append((time.perf_counter() - begun) * 1000)
            worked.append((time.process_time() - cpu) * 1000)
    return statistics.median(taken), statistics.median(worked)


def main() -> int:
    """Print the table; the exit status is 1 when a page takes too long."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--keep", type=Path, help="Directory of the data, filled if it is new.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        directory = options.keep or Path(folder) / "omni"
        is_new = not directory.exists()
        with ConsoleSite(directory) as site:
            begun = time.monotonic()
            if is_new:
                fill(site, options.documents)
                begin_large_run(site, options.documents)
            seconds = time.monotonic() - begun
            pages = all_pages(site)
            large = site.manager.running()[0].id
            rows = measure(site, {**pages, "a large run": f"/console/runs/{large}"})
            rows.append(("a live look at it", "", *measure_looks(site, large)))
            rows.sort(key=_median, reverse=True)
    lines = [f"{options.documents:,} documents, filled in {seconds:.0f} s", ""]
    lines += ["| page | ms | CPU ms | address |", "|---|---|---|---|"]
    for name, address, median, worked in rows:
        verdict = " MISSED" if median > LIMIT_MS else ""
        lines.append(f"| {name} | {median:.0f}{verdict} | {worked:.0f} | `{address}` |")
    print(*lines, sep="\n")  # noqa: T201 - a command prints.
    return 1 if any(median > LIMIT_MS for _, _, median, _ in rows) else 0


def _median(row: tuple[str, str, float, float]) -> float:
    return row[2]


if __name__ == "__main__":
    sys.exit(main())
