"""Something to see in the console, and the addresses of all its pages."""

from __future__ import annotations

import json
import logging
import re
from contextlib import contextmanager
from html import unescape
from urllib.parse import urljoin, urlsplit

from omni_connector.console.run_logs import RunLogs
from omni_connector.telemetry.log_context import RunContextFilter
from omni_connector.telemetry.logs import JsonLines
from support.console_site import ConsoleSite

FILLED_IN = (
    "/console/search?q=budget",
    "/console/search?q=page",
    "/console/search?q=page&person=ann@example.com",
    "/console/documents?person=ann@example.com",
    "/console/documents?change=changed",
    "/console/documents?who=private&group=team7@example.com",
    "/console/person?email=ann@example.com",
    "/console/person?email=ann@example.com&show=withheld",
    "/console/person?email=eve@elsewhere.example",
    "/console/sources/new?type=confluence",
)
"""Pages as somebody has filled in their forms; those of modules that are not there are left out."""

_LINK = re.compile(r'<a\b[^>]*\bhref="([^"]+)"')
_MOST_PAGES = 200


@contextmanager
def telling_site(data_dir):
    """Yield a site with sources in every state: scheduled, failing, running at this moment, without a connector; and with logs."""
    with ConsoleSite(data_dir) as site, logs_kept() as site.console.logs:
        wiki = site.add_source(pages=40, behaviour="has refusals")
        site.manager.set_source(wiki.id, sync_interval_seconds=3600)
        site.sync(wiki)
        site.manager.set_source(wiki.id, config={**wiki.config, "pages": 44})
        site.sync(wiki, "incremental")
        failing = site.add_source("Old wiki", behaviour="fails", base_url="https://old.example.com")
        site.sync(failing)
        site.manager.add_source(
            source_type="web", name="Handbook", config={"base_url": "https://handbook.example.com"}
        )
        running = site.add_source("Wiki of the subsidiary", behaviour="waits", pages=60)
        site.begin(running)
        yield site


@contextmanager
def logs_kept():
    """Yield what is kept of the log of this process, as ``dev`` keeps that of the connector's."""
    logs = RunLogs()
    handler = _Keeping(logs)
    ours = logging.getLogger("omni_connector")
    level = ours.level
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)
    try:
        yield logs
    finally:
        ours.removeHandler(handler)
        ours.setLevel(level)


class _Keeping(logging.Handler):
    """Hands on what it is given as the lines of the log that ``dev`` reads."""

    def __init__(self, logs):
        super().__init__()
        self._logs = logs
        self.setFormatter(JsonLines())
        self.addFilter(RunContextFilter())

    def emit(self, record):
        self._logs.add(json.loads(self.format(record)))


def all_pages(site):
    """Return the address of one page for each of the console's views, by the view's name; of runs, one in each state.

    They are found by following links.
    """
    adapter = site.app.url_map.bind("localhost")
    client = site.client
    found, waiting = {}, ["/", *FILLED_IN]
    while waiting and len(found) < _MOST_PAGES:
        address = waiting.pop(0)
        parts = urlsplit(address)
        if parts.scheme or parts.netloc or not adapter.test(parts.path, "GET"):
            continue
        view, arguments = adapter.match(parts.path, "GET")
        name = view + (f"-{parts.query}" if address in FILLED_IN else "")
        if view == "runs.run":
            name += f"-{site.manager.run(arguments['run_id']).status}"
        if name in found or name == "static":
            continue
        answer = client.get(address)
        if answer.mimetype == "text/html":
            found[name] = address
            waiting += [urljoin(address, unescape(link)) for link in _LINK.findall(answer.text)]
        answer.close()
    return found
