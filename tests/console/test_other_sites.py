"""What a page of another site can do to the manager, in a real browser: open a link to the console, and nothing else."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from support.browser import CHROMIUM, open_browser

from omni_connector.local import HttpServer

EVIL = "evil.example"
"""A name that the browser of this module takes to this machine, as one that was rebound."""


@pytest.fixture(params=["127.0.0.1", EVIL])
def evil_address(request):
    """Another server of this machine, which is on the same site, and one of another site."""

    def answer(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/html")])
        return [b"<!doctype html><title>Evil</title><link rel=icon href=data:,><p>Evil"]

    with HttpServer(answer, threads=2) as server:
        yield f"http://{request.param}:{server.port}/"


@pytest.fixture(scope="module")
def browser():
    """One for which the rebound name leads here."""
    if CHROMIUM is None:
        pytest.skip("needs Debian's chromium, which .ci/run installs")
    with open_browser(f"--host-resolver-rules=MAP {EVIL} 127.0.0.1") as browser:
        yield browser


@pytest.fixture
def evil_page(browser, evil_address):
    """A page of another site."""
    page = browser.new_page()
    page.goto(evil_address)
    yield page
    page.close()


TRY = """async ([url, options]) => {
    try { const answer = await fetch(url, options); return answer.type + ' ' + answer.status + ' ' + await answer.text(); }
    catch (error) { return 'refused'; }
}"""


@pytest.mark.slow
def test_another_site_reads_nothing_changes_nothing_and_frames_nothing(site, evil_page, evil_address):
    source = site.add_source()
    secret = f"{site.url}/sdk/source/{source.id}/sync-config"
    refused_elsewhere = f"{site.url}/local/sources/{source.id}"
    # What it may read.
    assert evil_page.evaluate(TRY, [secret, {}]) == "refused"
    assert evil_page.evaluate(TRY, [secret, {"mode": "no-cors"}]) == "opaque 0 "
    assert evil_page.evaluate(TRY, [refused_elsewhere, {"method": "PATCH", "body": "{}"}]) == "refused"
    # What it may change: a simple form needs no permission of ours to be sent.
    for path, body in (
        ("/local/tick", ""),
        (f"/console/sources/{source.id}/delete", ""),
        ("/sync", "source_id=x"),
    ):
        with evil_page.expect_navigation() as navigation:
            evil_page.evaluate(
                """([url, body]) => { const form = document.createElement('form'); form.method = 'post'; form.action = url;
                form.innerHTML = '<input name=a>'; document.body.append(form); form.submit(); }""",
                [site.url + path, body],
            )
        assert navigation.value.status == 403, path
        evil_page.go_back()
    assert not site.manager.source(source.id).is_deleted
    # What it may frame, and what it may link to.
    with evil_page.expect_response(f"{site.url}/") as framed:
        evil_page.evaluate(
            "url => { const frame = document.createElement('iframe'); frame.src = url; document.body.append(frame); }",
            f"{site.url}/",
        )
    assert framed.value.status == 403
    for url, expected in ((f"{site.url}/", 200), (secret, 403)):
        evil_page.goto(evil_address)
        with evil_page.expect_navigation() as navigation:
            evil_page.evaluate("url => { location.href = url }", url)
        assert navigation.value.status == expected, url


@pytest.mark.slow
@pytest.mark.parametrize("evil_address", [EVIL], indirect=True)
def test_a_name_that_was_rebound_to_this_machine_is_refused(site, evil_page):
    source = site.add_source()
    rebound = f"http://{EVIL}:{urlsplit(site.url).port}"
    assert evil_page.goto(f"{rebound}/console/nothing").status == 403
    answer = evil_page.evaluate(TRY, [f"{rebound}/sdk/source/{source.id}/sync-config", {}])
    assert answer.startswith("basic 403 Refused: the host 'evil.example' is not this manager's.")
    assert "wiki-s3cret-token" not in answer
