"""From an empty console to what one person finds, and why: as somebody goes who has just written a connector."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect


@pytest.mark.slow
def test_from_an_empty_console_to_what_one_person_finds(site, page):
    page.goto("/")
    page.get_by_role("link", name="Add a source").first.click()
    page.get_by_label("Base URL").fill("https://wiki.example.com")
    page.get_by_label("Pages").fill("8")
    page.get_by_label("Token").fill("wiki-s3cret-token")
    page.get_by_role("button", name="Add the source").click()
    page.get_by_role("button", name="Sync now: full").click()
    (source,) = site.manager.sources()
    site.manager.wait_for_run(site.manager.runs(source.id)[-1].id)

    page.goto("/")
    page.get_by_role("link", name="8 documents of Company wiki").click()
    expect(page.get_by_role("heading", name="Documents", level=1)).to_be_visible()
    page.get_by_role("link", name="Holidays and leave").click()
    expect(page.get_by_role("heading", name="Holidays and leave", level=1)).to_be_visible()
    expect(page.get_by_text("design@example.com").first).to_be_visible()

    page.get_by_role("link", name="As a person", exact=True).click()
    page.get_by_label("E-mail address").fill("ann@example.com")
    page.get_by_role("button", name="Show what this person finds").click()
    row = page.get_by_role("row").filter(has_text="Holidays and leave")
    expect(row).to_contain_text("design@example.com")
    page.get_by_label("E-mail address").fill("stranger@elsewhere.example")
    page.get_by_role("button", name="Show what this person finds").click()
    expect(page.get_by_role("row").filter(has_text="How we plan a quarter")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="Holidays and leave")).to_have_count(0)

    page.get_by_role("navigation", name="Main").get_by_role("link", name="Search").click()
    page.get_by_role("searchbox").fill("holidays")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Holidays and leave")).to_be_visible()
