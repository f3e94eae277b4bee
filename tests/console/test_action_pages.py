"""The pages of actions, skills, MCP catalogues and manifests."""

from __future__ import annotations

import pytest
import requests
from support.browser import assert_accessible


def form_of(site, name):
    connector = site.manager.manifests()[0]["connector_id"]
    return f"/console/actions/run?connector={connector}&name={name}"


def run(site, name, **typed):
    source = site.add_source()
    answer = site.client.post(form_of(site, name), data={"source": source.id, **typed})
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


@pytest.mark.slow
def test_an_action_is_run_with_its_form(site, page):
    page.goto("/console/actions/")
    assert_accessible(page)
    page.get_by_role("link", name="page_history").click()
    assert page.get_by_role("heading", name="No source to run it on").is_visible()
    site.add_source()
    page.reload()
    page.get_by_label("Versions").fill("many")
    page.get_by_label("Page").fill("7")
    page.get_by_role("button", name="Run page_history").click()
    assert page.get_by_text("a whole number is required").is_visible()
    assert page.get_by_label("Page").input_value() == "7"
    assert_accessible(page)
    page.get_by_label("Versions").fill("2")
    page.get_by_role("button", name="Run page_history").click()
    assert '"page": "7"' in page.get_by_role("region", name="Result").text_content()
    assert_accessible(page)
    page.goto("/console/actions/")
    page.get_by_role("link", name="export_space").click()
    page.get_by_label("Space").select_option("design")
    page.get_by_role("button", name="Run export_space").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download design.csv").click()
    assert download.value.path().read_text() == "page,title\n1,Salary bands\n"
    for path in (
        "/console/skills/",
        "/console/skills/skill?id=wiki_style",
        "/console/mcp/",
        "/console/manifest/",
    ):
        page.goto(path)
        assert_accessible(page)


def test_actions_are_listed_with_what_they_do(site):
    text = site.client.get("/console/actions/").text
    assert "List the last versions of a page." in text
    assert "administrators only" in text


def test_a_result_is_kept_and_the_action_is_not_run_again(site):
    place = run(site, "page_history", **{"param.page": "7", "param.versions": "1"})
    for _ in range(2):
        assert "bob@example.com" in site.client.get(place).text
    assert site.client.get("/console/actions/results/nothing").status_code == 404


def test_an_error_is_readable_and_a_file_is_handed_out_and_not_executed(site):
    assert "the wiki is read-only until Friday" in site.client.get(run(site, "rebuild")).text
    place = run(site, "export_space", **{"param.space": "people"})
    assert "1,Salary bands" in site.client.get(place).text
    file = site.client.get(f"{place}/file?shown=1")
    assert file.headers["Content-Disposition"] == "attachment; filename=people.csv"
    assert (file.content_type, file.text) == ("application/octet-stream", "page,title\n1,Salary bands\n")


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({"param.page": "7", "source": ""}, "source: choose one"),
        ({"source": "x"}, "text is required"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_run(site, typed, message):
    site.add_source()
    answer = site.client.post(form_of(site, "page_history"), data=typed)
    assert (answer.status_code, message in answer.text) == (200, True), answer.text
    assert site.client.get(form_of(site, "nothing")).status_code == 404


def test_skills_show_their_text(site):
    assert "Answering from the wiki" in site.client.get("/console/skills/").text
    assert (
        "Quote the page&#39;s title, and link to it."
        in site.client.get("/console/skills/skill?id=wiki_style").text
    )
    assert site.client.get("/console/skills/skill?id=nothing").status_code == 404


def test_the_manifest_says_what_omni_would_not_take(site):
    text = site.client.get("/console/manifest/").text
    assert "Omni's manager takes all of it." in text
    register(site, source_types=["own_type"])
    text = site.client.get("/console/manifest/").text
    assert "Omni has no source type own_type" in text
    assert "&#34;connector_id&#34;: &#34;other&#34;" in text


def test_the_catalogue_shows_tools_resources_and_prompts(site):
    register(
        site,
        mcp_enabled=True,
        resources=[{"uri_template": "wiki://{page}", "name": "One page"}],
        prompts=[{"name": "summary", "arguments": [{"name": "page", "required": True}]}],
        skills=[{"id": "dynamic", "title": "Loaded", "mcp_prompt": "summary"}],
    )
    assert "needs a source" in site.client.get("/console/mcp/").text
    source = site.manager.add_source(source_type="web", name="Other", credentials={})
    text = site.client.get("/console/mcp/").text
    assert 'value="wiki://{page}"' in text
    assert 'name="argument.page"' in text
    for path in (
        "mcp/resource?uri=wiki://1",
        "mcp/prompt?name=summary&argument.page=1",
        "skills/skill?id=dynamic",
    ):
        answer = site.client.get(f"/console/{path}&source={source.id}")
        assert (answer.status_code, 'role="alert"' in answer.text) == (200, True)  # It has no MCP server.


def register(site, **fields):
    manifest = {
        "name": "other",
        "display_name": "Other",
        "version": "1",
        "sync_modes": ["full"],
        "connector_id": "other",
        "connector_url": site.manager.manifests()[0]["connector_url"],
        "source_types": ["web"],
        **fields,
    }
    requests.post(f"{site.url}/sdk/register", json=manifest, timeout=60).raise_for_status()
