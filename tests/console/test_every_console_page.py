"""All pages of the console, found by following links: each is right for the browser and for people who use aids."""

from __future__ import annotations

import pytest
from support.browser import WIDTHS, Complaints, assert_accessible
from support.console_pages import all_pages, telling_site

LEAST_PAGES = 13


@pytest.mark.slow
def test_every_page_is_accessible_fits_a_phone_and_asks_no_other_host(browser, tmp_path):
    with telling_site(tmp_path / "data") as site:
        context = browser.new_context(base_url=site.url, viewport=WIDTHS["wide"], reduced_motion="reduce")
        page = context.new_page()
        complaints = Complaints(page, site.url)
        addresses = all_pages(site)
        assert len(addresses) >= LEAST_PAGES
        for address in addresses.values():
            assert page.goto(address).status == 200, address
            assert page.title() != " · Omni console", address
            assert page.get_by_role("heading", level=1).count() == 1, address
            assert_accessible(page)
        context.close()
    assert complaints.found == []
