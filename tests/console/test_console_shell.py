"""The frame of all pages: headers, theme, errors, navigation."""

from __future__ import annotations

import pytest
from support.browser import assert_accessible


@pytest.mark.slow
def test_the_frame_works_without_a_mouse_and_keeps_the_chosen_theme(site, page):
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.get_by_role("button", name="Dark").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.goto("/console/nothing")
    page.complaints.expected.append("404")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.get_by_role("heading", name="There is no such page").is_visible()
    assert_accessible(page)


@pytest.mark.slow
def test_the_policy_holds_in_the_browser(site, page):
    """A script or style that a document smuggles in is not executed."""
    page.goto("/")
    assert page.evaluate("window.htmx.config.allowEval") is False
    page.evaluate(
        """() => { const script = document.createElement('script'); script.textContent = 'window.smuggled = 1';
        document.body.append(script); }"""
    )
    assert page.evaluate("window.smuggled") is None
    page.complaints.expected.append("Content Security Policy")
    assert any("Content Security Policy" in each for each in page.complaints._found)


def test_every_answer_of_the_console_has_the_security_headers(site):
    for path in ("/", "/console/static/console.css", "/console/nothing"):
        answer = site.client.get(path)
        answer.close()  # The file.
        assert "default-src 'none'; script-src 'self'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_failure_shows_what_to_do_and_no_traceback(site, caplog):
    def fail():
        raise RuntimeError("secret-of-the-traceback")

    site.app.view_functions["sources.index"] = fail
    answer = site.client.get("/")
    assert answer.status_code == 500
    assert "The console has failed" in answer.text
    assert "report it as a bug" in answer.text
    assert "secret-of-the-traceback" not in answer.text
    assert "secret-of-the-traceback" in caplog.text


@pytest.mark.parametrize(
    ("referrer", "target"),
    [
        ("http://localhost/console/x?a=1", "/console/x?a=1"),
        ("http://localhost//evil.example", "/evil.example"),
        (None, "/"),
    ],
)
def test_the_theme_is_kept_and_the_way_back_stays_here(site, referrer, target):
    headers = {"Referer": referrer} if referrer else {}
    answer = site.client.post("/console/theme", data={"theme": "dark"}, headers=headers)
    assert (answer.status_code, answer.headers["Location"]) == (303, target)
    assert answer.headers["Set-Cookie"].startswith("omni_theme=dark;")
