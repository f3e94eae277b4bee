"""The pages of documents, people, groups and searches: from a run to who finds what and why, and nothing a source says is markup."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect
from support.browser import assert_accessible, overflowing
from support.local_manager import Api

from omni_connector.local import search

HOSTILE = {
    "script": (
        "<script>window.smuggled = 1</script>",
        "<script>window.smuggled = 2</script><img src=x onerror=alert(1)>",
    ),
    "a/b%2Fc?d=e&f#g": ("Slashes and %2F", "text"),
    "\u202egnp.exe": ("\u202eright to left \u2067isolate", "\u202etext"),
    "🦊 \"quoted\" 'id'": ("🦊 fox", "emoji"),
    "": ("", "nothing but a text"),
    "../../etc/passwd": ("dots", "x"),
    "big": ("T" * 5000, "word " * 1_000_000),
    "x" * 500: ("longest id", "x"),
}


def emit(site, source, *documents):
    """Send documents as a connector does: id, title, content, and what else is to be in the event."""
    api = Api(site.url)
    try:
        run_id = api.post("/sdk/sync/create", {"source_id": source.id, "sync_type": "full"}).json()[
            "sync_run_id"
        ]
        common = {"sync_run_id": run_id, "source_id": source.id}
        events = []
        for external_id, title, content, more in documents:
            saved = api.post("/sdk/content", {"sync_run_id": run_id, "content": content}).json()
            events.append(
                {
                    "type": "document_created",
                    **common,
                    "document_id": external_id,
                    "content_id": saved["content_id"],
                    "metadata": {
                        "title": title,
                        "url": "javascript:alert(1)",
                        "extra": {"note": "</pre><script>"},
                    },
                    "permissions": {"public": True, "users": [], "groups": []},
                    **more,
                }
            )
        answer = api.post("/sdk/events/batch", {**common, "events": events})
        assert answer.status_code == 200, answer.text
        api.post(f"/sdk/sync/{run_id}/complete")
        return run_id
    finally:
        api.close()


def address(source, external_id, **more):
    return "/console/documents/one?" + urlencode({"source": source.id, "id": external_id, **more})


def test_documents_are_filtered_by_the_address_alone(site):
    source = site.add_source(pages=12)
    run = site.sync(source)
    get = site.client.get
    everything = get("/console/documents").text
    assert "11 documents." in everything
    assert "4 documents match these filters." in get("/console/documents?who=public").text
    for query in (
        "group=design@example.com",
        "person=ann@example.com&who=private",
        f"run={run.id}&change=new&source={source.id}",
    ):
        text = get(f"/console/documents?{query}").text
        assert "match these filters" in text, query
    assert "No document matches" in get("/console/documents?errors=1").text
    assert (
        get("/console/documents?after=x&way=a-b&change=nothing&after=99999999999999999999999").status_code
        == 200
    )


def test_pages_lead_forward_and_back(site):
    source = site.add_source(visibility="public")
    emit(site, source, *[(f"d{number:03}", f"D{number}", "same", {}) for number in range(120)])
    seen, url = [], "/console/documents"
    for _ in range(3):
        text = site.client.get(url).text
        seen.append(text.count('<th scope="row">'))
        before, url = url, next((part.split('"')[0] for part in text.split('rel="next" href="')[1:]), None)
        url = url and url.replace("&amp;", "&")
    assert seen == [50, 50, 20]
    last = site.client.get(before).text
    previous = last.split('rel="prev" href="')[1].split('"')[0].replace("&amp;", "&")
    assert "D50" in site.client.get(previous).text
    assert "after=50" in previous


def test_a_person_a_document_and_a_search_say_why(site):
    source = site.add_source(pages=12)
    site.sync(source)
    get = site.client.get
    ann = get("/console/person?email=Ann@example.com").text
    assert "Its permissions name the group design@example.com, of which ann@example.com is a member." in ann
    assert "It is public: everyone finds it." in ann
    dana = get("/console/person?email=eve@example.org&show=withheld").text
    assert "which has 2 members, but not eve@example.org." in dana
    assert "is no e-mail address" in get("/console/person?email=ann").text
    page = get(address(source, "page-1", person="bob@example.com")).text
    assert "design@example.com</bdi></a> (2 people)" in page
    assert "Yes: <bdi>bob@example.com</bdi> finds it." in page
    regardless = get("/console/search?q=holidays").text
    assert "<strong>regardless of permissions</strong>" in regardless
    assert "<mark>Holidays</mark>" in regardless
    assert "does not find them" in get("/console/search?q=holidays&person=eve@example.org").text
    assert "Try fewer words" in get("/console/search?q=zebra").text
    assert "space:" in get("/console/search?q=space:people").text
    assert "is no operator here" in get("/console/search?q=spaces:people").text
    groups = get("/console/groups?q=DESIGN").text
    assert "design@example.com" in groups
    assert "engineering@example.com" not in groups
    assert "2 members" in get(f"/console/groups/one?source={source.id}&email=design@example.com").text
    assert "cleo@example.com" in get("/console/groups/people").text
    assert (
        get("/console/person/addresses?email=cle").text.strip()
        == '<option value="cleo@example.com"></option>'
    )
    for missing in (
        address(source, "none"),
        "/console/documents/one",
        "/console/groups/one",
        "/console/documents/one/text",
    ):
        assert get(missing).status_code == 404


def test_a_search_that_is_too_broad_says_so_on_its_page(site, monkeypatch):
    site.sync(site.add_source(pages=2))
    monkeypatch.setattr(search, "OPERATIONS_BETWEEN_LOOKS", 1)
    monkeypatch.setattr(search, "SEARCH_SECONDS", -1.0)
    answer = site.client.get("/console/search?q=h*")
    assert (answer.status_code, "The search is too broad" in answer.text) == (200, True)
    assert "Nothing found" not in answer.text


def test_a_refused_document_and_a_deleted_one_are_explained(site):
    source = site.add_source()
    emit(site, source, ("bad", "Damaged", "x", {"content_id": "unknown"}))
    emit(site, source, ("gone", "Gone", "x", {}), ("no-title", "", "x", {}))
    emit(site, source, *((each, "", "", {"type": "document_deleted"}) for each in ("gone", "no-title")))
    get = site.client.get
    assert "unknown content_id" in get(address(source, "bad")).text
    assert "Damaged" in get("/console/documents?errors=1").text
    listed = get("/console/documents?change=deleted").text
    assert ("<bdi>Gone</bdi>" in listed, listed.count("<bdi>no-title</bdi>")) == (True, 1)
    gone = get(address(source, "gone", person="ann@example.com")).text
    assert "This document is deleted." in gone
    assert "emitted its deletion" in gone


@pytest.mark.slow
def test_hostile_documents_are_shown_as_text(site, page):
    source = site.add_source("<b>Wiki</b> \u202e")
    emit(site, source, *[(key, title, content, {}) for key, (title, content) in HOSTILE.items()])
    page.goto("/console/documents")
    links = page.locator("#documents tbody th a")
    assert links.count() == len(HOSTILE)
    assert overflowing(page) == 0
    for number, (key, (_, content)) in enumerate(HOSTILE.items()):
        page.goto("/console/documents")
        links.nth(number).click()
        expect(page.get_by_role("heading", name="Content")).to_be_visible()
        shown = page.get_by_role("region", name="Content of the document").inner_text()
        assert shown[:40] == content.strip()[:40], key
        assert page.evaluate("window.smuggled") is None
        assert page.locator("a[href^='javascript']").count() == 0
        raw = page.request.get(page.get_by_role("link", name="Text only").get_attribute("href"))
        assert raw.headers["content-type"] == "text/plain; charset=utf-8"
        assert raw.headers["x-content-type-options"] == "nosniff"
        assert raw.headers["content-security-policy"].startswith("sandbox")
        assert raw.text()[:40] == content.strip()[:40], key
        if key in {"script", "big", ""}:
            assert_accessible(page)
    page.goto("/console/search?q=script")
    assert page.evaluate("window.smuggled") is None


@pytest.mark.slow
def test_from_a_run_to_what_a_person_finds_with_the_keyboard_only(site, page):
    source = site.add_source()
    site.sync(source)
    page.goto("/")
    page.get_by_role("link", name="Documents", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="22 documents")).to_be_visible()
    assert_accessible(page)
    page.get_by_label("Visible to").focus()
    page.keyboard.press("ArrowDown")  # Changes the choice, and the list follows without another key.
    expect(page.get_by_text("7 documents match these filters.")).to_be_visible()
    assert "who=public" in page.url
    page.get_by_role("link", name="As a person").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="As a person")).to_be_visible()
    assert_accessible(page)
    page.get_by_label("E-mail address").focus()
    page.keyboard.type("ann@example.com")
    page.keyboard.press("Enter")
    row = page.get_by_role("row", name="Holidays and leave").first
    expect(row).to_contain_text("the group design@example.com, of which ann@example.com is a member")
    assert_accessible(page)
    row.get_by_role("link").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Could this person find it?").focus()
    page.keyboard.type("cleo@example.com")
    page.keyboard.press("Enter")
    expect(
        page.get_by_role("status").filter(has_text="No: cleo@example.com does not find it.")
    ).to_be_visible()
    assert_accessible(page)
    page.goto("/console/search")
    page.get_by_label("Words").focus()
    page.keyboard.type("holidays")
    page.keyboard.press("Enter")
    expect(page.locator("mark").first).to_have_text("Holidays")
    assert_accessible(page)
    for path in (
        "/console/groups",
        "/console/groups/people",
        "/console/person?email=ann@example.com&show=withheld",
    ):
        page.goto(path)
        assert_accessible(page)


@pytest.mark.slow
def test_the_pages_work_without_script(site, browser):
    source = site.add_source()
    site.sync(source)
    context = browser.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/console/documents")
    page.get_by_label("Visible to").select_option("public")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("7 documents match these filters.")).to_be_visible()
    page.goto("/console/search")
    page.get_by_label("Words").fill("holidays")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("mark").first).to_have_text("Holidays")
    context.close()
