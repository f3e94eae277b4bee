"""A small wiki with a REST API, for the tutorial. Start it with ``python wiki_server.py``.

It behaves like the API of a real product: requests need a token, lists come in pages, at most twenty requests a second are
answered, some pages are open to few people only, and one page cannot be read. Everything is kept in memory: start it
again to have the first pages back.
"""

import argparse
import itertools
import time
from collections import deque
from threading import Lock
from typing import Any

import waitress
from flask import Flask, Response, abort, jsonify, request

TOKEN = "wiki-token-4711"  # noqa: S105 - of a wiki that holds nothing
PAGES_PER_LIST = 5
REQUESTS_PER_SECOND = 20

SPACES = [
    {
        "id": "handbook",
        "name": "Handbook",
        "members": ["ann@acme.example", "bob@acme.example", "carol@acme.example"],
    },
    {"id": "engineering", "name": "Engineering", "members": ["ann@acme.example", "bob@acme.example"]},
    {"id": "people", "name": "People team", "members": ["ann@acme.example"]},
]

# Space, title, text, and the only readers of the page if they are fewer than the members of its space.
PAGES: list[tuple[str, str, str, list[str] | None]] = [
    ("handbook", "Welcome to Acme", "Your first week: pick up your badge and your laptop.", None),
    ("handbook", "Working hours", "Work when it suits your team, and tell it when you are away.", None),
    (
        "handbook",
        "Expenses",
        "Send each invoice within a month. Travel needs no approval below 200 euros.",
        None,
    ),
    ("handbook", "Holidays", "You have 30 days a year. Enter them in the calendar.", None),
    ("handbook", "Offices", "Berlin, Lyon and Porto. Visitors sign in at the desk.", None),
    ("handbook", "Laptops", "Choose your laptop from the list. It is yours after four years.", None),
    ("engineering", "Deploying the shop", "Merge, wait for the checks, then press Deploy.", None),
    ("engineering", "On call", "One week each. Hand over on Monday at ten.", None),
    ("engineering", "Database backups", "Every night at two. Practise the restore every month.", None),
    ("engineering", "Incident of 3 March", "The disk of the invoice database was full.", None),
    ("engineering", "Code review", "Small changes, kind words, an answer within a day.", None),
    ("engineering", "Network plan", "This page is being imported.", None),
    ("engineering", "Root passwords", "They are in the safe of the Berlin office.", ["bob@acme.example"]),
    ("people", "Hiring", "Two interviews, one exercise, an answer within a week.", None),
    ("people", "Salary bands", "Five bands, reviewed every January.", None),
    ("people", "Parental leave", "Tell the people team three months ahead.", None),
    ("people", "Leaving", "Return the laptop and the badge on your last day.", None),
    ("people", "Reviews", "Twice a year, written, and talked about in person.", None),
]
LOCKED = "Network plan"


class Wiki:
    """The pages, and the limits of the API."""

    def __init__(self) -> None:
        self.pages: dict[str, dict[str, Any]] = {}
        self.requests_per_second = REQUESTS_PER_SECOND
        self._minutes = itertools.count()
        self._times: deque[float] = deque()
        self._lock = Lock()
        for number, (space, title, text, readers) in enumerate(PAGES, 1):
            html = f"<h1>{title}</h1><p>{text}</p>"
            fields = {"space": space, "title": title, "html": html, "readers": readers}
            self.change(f"page-{number}", locked=title == LOCKED, **fields)

    def change(self, page_id: str, **fields: Any) -> dict[str, Any]:
        """Add or change a page."""
        before = self.pages.get(page_id, {"version": 0})
        hours, minutes = divmod(next(self._minutes), 60)
        self.pages[page_id] = {
            **before,
            **fields,
            "id": page_id,
            "url": f"https://wiki.acme.example/{page_id}",
            "version": before["version"] + 1,
            "updated_at": f"2026-11-02T{8 + hours:02}:{minutes:02}:00Z",
        }
        return self.pages[page_id]

    def admit(self) -> None:
        """Check the token and the rate of a request."""
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            abort(error(401, "The token is missing or wrong."))
        with self._lock:
            now = time.monotonic()
            while self._times and self._times[0] <= now - 1:
                self._times.popleft()
            if len(self._times) >= self.requests_per_second:
                answer = error(429, f"At most {self.requests_per_second} requests a second.")
                answer.headers["Retry-After"] = "1"
                abort(answer)
            self._times.append(now)

    # -- the endpoints ----------------------------------------------------------------------------------------------

    def list_spaces(self) -> Response:
        """``GET /api/spaces``."""
        return jsonify(spaces=SPACES)

    def list_pages(self) -> Response:
        """``GET /api/pages?cursor=...``: five pages without their text; ``next`` is the cursor of the next five."""
        start = request.args.get("cursor", 0, int)
        listed = sorted(self.pages.values(), key=lambda page: int(page["id"].removeprefix("page-")))
        end = start + PAGES_PER_LIST
        hidden = ("html", "locked")
        pages = [
            {key: value for key, value in page.items() if key not in hidden} for page in listed[start:end]
        ]
        return jsonify(pages=pages, next=str(end) if end < len(listed) else None)

    def read_page(self, page_id: str) -> Response:
        """``GET /api/pages/ID``: one page with its text."""
        if page_id not in self.pages:
            abort(error(404, "There is no such page."))
        if self.pages[page_id]["locked"]:
            abort(error(423, "The page is locked while it is imported."))
        return jsonify(self.pages[page_id])

    def write_page(self, page_id: str) -> Response:
        """``PUT /api/pages/ID``: change fields of a page."""
        if page_id not in self.pages:
            abort(error(404, "There is no such page."))
        return jsonify(self.change(page_id, **request.get_json()))

    def delete_page(self, page_id: str) -> Response:
        """``DELETE /api/pages/ID``."""
        if self.pages.pop(page_id, None) is None:
            abort(error(404, "There is no such page."))
        return Response(status=204)


def error(status: int, message: str) -> Response:
    """Return the answer to a request that fails."""
    answer = jsonify(error=message)
    answer.status_code = status
    return answer


def create_app(wiki: Wiki) -> Flask:
    """Return the API of a wiki."""
    app = Flask(__name__)
    app.before_request(wiki.admit)
    app.add_url_rule("/api/spaces", view_func=wiki.list_spaces)
    app.add_url_rule("/api/pages", view_func=wiki.list_pages)
    app.add_url_rule("/api/pages/<page_id>", view_func=wiki.read_page)
    app.add_url_rule("/api/pages/<page_id>", view_func=wiki.write_page, methods=["PUT"])
    app.add_url_rule("/api/pages/<page_id>", view_func=wiki.delete_page, methods=["DELETE"])
    return app


def main() -> None:
    """Serve a wiki until Ctrl-C."""
    parser = argparse.ArgumentParser(description="A small wiki with a REST API.")
    parser.add_argument("--port", type=int, default=9000)
    port = parser.parse_args().port
    print(
        f"The wiki answers at http://127.0.0.1:{port}/api/pages. Its token is {TOKEN}. Stop it with Ctrl-C."
    )
    waitress.serve(create_app(Wiki()), host="127.0.0.1", port=port, threads=8)


if __name__ == "__main__":
    main()
