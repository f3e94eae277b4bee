"""Debian's Chromium without a window, and what is wrong with a page that it shows."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

CHROMIUM = shutil.which("chromium")
WIDTHS = {"wide": {"width": 1280, "height": 800}, "phone": {"width": 380, "height": 760}}
THEMES = ("light", "dark")

OPTIONS = ["--no-sandbox", "--disable-dev-shm-usage", "--force-color-profile=srgb"]


@contextmanager
def open_browser(*options):
    """Yield a browser that was started with further options of Chromium's."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*OPTIONS, *options])
        try:
            yield browser
        finally:
            browser.close()


class Complaints:
    """What happened on a page and should not have: messages on the browser's console, errors, requests to other hosts.

    ``expected`` holds texts that a message may contain, such as the status of a page that is to fail.
    """

    def __init__(self, page, url):
        self._host = urlsplit(url).netloc
        self._found = []
        self.expected = []
        page.on("console", self._console)
        page.on("pageerror", self._page_error)
        page.on("request", self._request)

    @property
    def found(self):
        return [each for each in self._found if not any(text in each for text in self.expected)]

    def _console(self, message):
        if message.type in {"error", "warning"}:
            self._found.append(f"console: {message.text}")

    def _page_error(self, error):
        self._found.append(f"error: {error}")

    def _request(self, request):
        target = urlsplit(request.url)
        if target.scheme != "data" and target.netloc != self._host:
            self._found.append(f"request to another host: {request.url}")


def accessibility_problems(page):
    """Return what axe finds wrong with the page as it is shown now, a line each."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(Axe().axe_script)
    found = page.evaluate("axe.run({resultTypes: ['violations']}).then(results => results.violations)")
    return [
        f"{each['id']}: {each['help']}: {node['html'][:200]}: {node['failureSummary']}"
        for each in found
        for node in each["nodes"]
    ]


def overflowing(page):
    """Return how many pixels of the page are beyond the right edge of the window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def choose(page, theme):
    """Show the page in a theme, as the switch does."""
    page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)


def assert_accessible(page):
    """Look at the page in both themes and at both widths: axe finds nothing, and nothing is beyond the edge."""
    for width, size in WIDTHS.items():
        page.set_viewport_size(size)
        for theme in THEMES:
            choose(page, theme)
            assert accessibility_problems(page) == [], f"{page.url}, {width}, {theme}"
        assert overflowing(page) == 0, f"{page.url} is wider than the window of {size['width']} pixels"
    page.set_viewport_size(WIDTHS["wide"])
