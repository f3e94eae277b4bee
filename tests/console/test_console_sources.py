"""The pages of sources: from an empty list to a deleted source, and no secret on any of them."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from support.browser import assert_accessible

SECRET = "wiki-s3cret-token"


@pytest.mark.parametrize(
    ("base_url", "said"),
    [
        ("ftp://nowhere", "The connection failed: ftp://nowhere is no web address."),
        ("https://wiki.example.com", "The connector reaches Wiki with these settings."),
    ],
)
def test_the_connection_of_a_source_is_tested_on_its_page(site, base_url, said):
    source = site.add_source("Wiki")
    site.manager.set_source(source.id, config={"base_url": base_url})
    where = f"/console/sources/{source.id}"
    assert "Test the connection" in site.client.get(where).text
    assert said in site.client.post(f"{where}/test", follow_redirects=True).text
    note = site.client.post(f"{where}/test", headers={"HX-Request": "true"})
    assert note.text.strip().startswith('<p class="flash')
    assert said in note.text


@pytest.mark.slow
def test_a_source_is_added_corrected_synced_changed_reset_and_deleted(site, page):
    page.goto("/")
    expect(page.get_by_role("heading", name="No sources yet")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("link", name="Add a source").first.click()
    page.get_by_label("Name").fill("Wiki of the team")
    page.get_by_label("Since").fill("soon")
    page.get_by_label("Pages").fill("12")
    page.get_by_label("Token").fill(SECRET)
    page.complaints.expected.append("400")
    page.get_by_role("button", name="Add the source").click()
    expect(page.get_by_role("alert")).to_contain_text("2 values are not right")
    assert page.get_by_label("Base URL").get_attribute("aria-invalid") == "true"
    expect(page.get_by_text("text is required, and missing")).to_be_visible()
    expect(page.get_by_text('an ISO 8601 date and time or null is required, not "soon"')).to_be_visible()
    assert_accessible(page)
    page.get_by_label("Base URL").fill("https://wiki.example.com")
    page.get_by_label("Since").fill("")
    page.get_by_label("Token").fill(SECRET)
    page.get_by_role("button", name="Add the source").click()
    expect(page.get_by_role("status").filter(has_text="Wiki of the team was added.")).to_be_visible()
    tested = page.get_by_role("status").filter(has_text="The connector reaches Wiki of the team")
    expect(tested).to_be_visible()
    assert "saved" not in page.url, "a reload tests again"
    (source,) = site.manager.sources()
    assert source.config == {"base_url": "https://wiki.example.com", "pages": 12}
    assert site.manager.credential(source.id).credentials == {"token": SECRET}

    page.get_by_role("button", name="Sync now: full").click()
    site.manager.wait_for_run(site.manager.runs(source.id)[-1].id)
    page.goto(f"/console/sources/{source.id}")
    expect(page.get_by_label("Overview")).to_contain_text("11")

    page.get_by_role("link", name="Edit settings").click()
    page.get_by_label("Archived").check()
    page.get_by_role("button", name="Save").click()
    expect(tested).to_be_visible()
    assert site.manager.source(source.id).config["archived"] is True
    assert site.manager.credential(source.id).credentials == {"token": SECRET}

    page.get_by_role("link", name="Reset the state").click()
    page.get_by_role("button", name="Reset the state").click()
    assert not site.manager.source(source.id).has_checkpoint
    page.get_by_role("link", name="Delete the source").click()
    page.get_by_role("button", name="Delete the source").click()
    expect(page.get_by_role("heading", name="No sources yet")).to_be_visible()
    site.manager.tick()
    assert site.manager.sources() == []


@pytest.mark.slow
def test_a_failed_run_says_so_and_a_running_one_can_be_cancelled(site, page):
    failing = site.add_source("Old wiki", behaviour="fails")
    site.sync(failing)
    waiting = site.add_source("Slow wiki", behaviour="waits")
    run_id = site.begin(waiting)
    page.goto("/")
    row = page.get_by_role("row", name="Slow wiki")
    expect(row).to_contain_text("running")
    page.goto(f"/console/sources/{waiting.id}")
    page.get_by_role("button", name="Cancel the run").click()
    expect(page.get_by_role("status").filter(has_text="was cancelled")).to_be_visible()
    assert site.manager.wait_for_run(run_id).status == "cancelled"
    page.goto(f"/console/sources/{failing.id}")
    failure = page.locator(".note", has_text="The last run failed")
    expect(failure).to_contain_text("refuses the token")


def test_the_list_renews_itself(site):
    site.add_source()
    fragment = site.client.get("/", headers={"HX-Target": "sources"}).text
    assert fragment.lstrip().startswith('<div id="sources" hx-get="/"')


def test_a_source_of_a_foreign_connector_is_edited_as_json_and_its_secrets_stay(site):
    source = site.manager.add_source(
        source_type="web",
        name="Site",
        config={"url": "https://x.example", "api_key": "k-s3cret"},
        credentials={"pin": "1234"},
    )
    address = f"/console/sources/{source.id}/edit"
    assert "(not shown)" in site.client.get(address).text
    fields = {
        "name": "Site",
        "interval": "60",
        "is_active": "true",
        "config": '{"url": "https://y.example", "api_key": "(not shown)"}',
    }
    assert site.client.post(address, data=fields).status_code == 303
    changed = site.manager.source(source.id)
    assert changed.config == {"url": "https://y.example", "api_key": "k-s3cret"}
    assert changed.sync_interval_seconds == 60
    assert site.manager.credential(source.id).credentials == {"pin": "1234"}
    refused = site.client.post(address, data=fields | {"config": "{", "interval": "soon"})
    assert refused.status_code == 400
    assert "a JSON object is required" in refused.text
    assert "a whole number of seconds is required" in refused.text


def test_no_page_shows_a_secret(site):
    source = site.add_source()
    run = site.sync(source)
    services = site.manager.app.extensions["omni_local_manager"]
    services.runs.save_checkpoint(run.id, {"access_token": "k-s3cret", "copy": SECRET})
    site.manager.set_source(
        source.id, config={**source.config, "api_key": "k-s3cret"}, connector_state={"copy": SECRET}
    )
    for path in (
        "/",
        f"/console/sources/{source.id}",
        f"/console/sources/{source.id}/edit",
        f"/console/sources/{source.id}/edit?json=1",
        f"/console/runs/{run.id}",
    ):
        text = site.client.get(path).text
        assert SECRET not in text, path
        assert "k-s3cret" not in text, path


def test_empty_credentials_are_none(site):
    source = site.manager.add_source(source_type="web", name="Site", credentials={})
    text = site.client.get(f"/console/sources/{source.id}").text
    assert ("<dt>Credentials</dt><dd>none</dd>" in text, "remote_mcp" in text) == (True, False)
    assert "Credentials are stored" not in site.client.get(f"/console/sources/{source.id}/edit").text


def test_what_a_connector_says_of_its_settings_is_shown_at_the_field(site):
    """Its own validators have the last word; what they say is in the failed run."""
    source = site.add_source(pages="many")
    with pytest.raises(Exception, match="whole number"):
        site.manager.trigger(source.id)
    text = site.client.get(f"/console/sources/{source.id}/edit").text
    assert "The last run failed because of these settings." in text
    assert 'id="f-config-pages-error">a whole number is required, not text' in text


def test_a_change_from_elsewhere_is_refused(site):
    source = site.add_source()
    client = site.app.test_client()
    for headers in ({}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "same-site"}):
        answer = client.post(f"/console/sources/{source.id}/delete", headers=headers)
        assert answer.status_code == 403
        assert "own pages only" in answer.text
    assert not site.manager.source(source.id).is_deleted
    assert (
        client.post(
            f"/console/sources/{source.id}/delete", headers={"Sec-Fetch-Site": "same-origin"}
        ).status_code
        == 303
    )


def test_an_unknown_source_is_a_page_that_says_so(site):
    answer = site.client.get("/console/sources/nothing")
    assert answer.status_code == 404
    assert "Source not found: nothing" in answer.text
