"""A console with a connector beside it, and a browser that looks at it."""

from __future__ import annotations

import pytest
from support.browser import CHROMIUM, WIDTHS, Complaints, open_browser
from support.console_site import ConsoleSite


@pytest.fixture
def site(tmp_path):
    with ConsoleSite(tmp_path / "data") as site:
        yield site


@pytest.fixture(scope="module")
def browser():
    """One for a module: a browser that stays open holds an event loop, which other tests could not start then."""
    if CHROMIUM is None:
        pytest.skip("needs Debian's chromium, which .ci/run installs")
    with open_browser() as browser:
        yield browser


@pytest.fixture
def page(browser, site):
    """A page at 1280 pixels; at the end it must have caused no errors and no requests to other hosts.

    ``page.complaints.expected`` takes texts of messages that are right, such as the status of a page that is to fail.
    """
    context = browser.new_context(base_url=site.url, viewport=WIDTHS["wide"], reduced_motion="reduce")
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.complaints = Complaints(page, site.url)
    yield page
    found = page.complaints.found
    context.close()
    assert found == []
