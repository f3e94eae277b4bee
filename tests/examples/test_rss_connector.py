import contextlib
import re
import socket
import threading

import pytest
import rss_connector
from flask import Flask, Response, request
from rss_connector import RssConnector, plain_text
from support.refusing import refusing

from omni_connector.local import HttpServer, LocalManagerError
from omni_connector.testing import call_action

ENTRY = """
<item><guid isPermaLink="false">{guid}</guid><title>{title}</title><link>https://news.example/{guid}</link>
<author>ann@example.com (Ann)</author><category>sea</category>
<pubDate>Tue, 04 Aug 2026 12:00:00 GMT</pubDate>
<description>&lt;p&gt;The {title} &amp;amp; more&lt;/p&gt;&lt;script&gt;x()&lt;/script&gt;</description></item>
"""


def rss(*entries, title="News"):
    items = "".join(ENTRY.format(guid=guid, title=text) for guid, text in entries)
    return f'<rss version="2.0"><channel><title>{title}</title>{items}</channel></rss>'


class Newspaper:
    """A server of feeds: what each says can be changed, and what it was asked is kept."""

    def __init__(self):
        self.feeds = {"news": rss(("1", "boat"), ("2", "tide"))}
        self.statuses = {}
        self.asked = []
        app = Flask(__name__)
        app.add_url_rule("/<name>", view_func=self.feed)
        self.server = HttpServer(app, threads=2).start()

    def feed(self, name):
        self.asked.append(name)
        response = Response(
            self.feeds[name], self.statuses.get(name, 200), content_type="application/rss+xml"
        )
        response.add_etag()
        return response.make_conditional(request)

    def url(self, name="news"):
        return f"{self.server.url}/{name}"


@pytest.fixture
def newspaper():
    newspaper = Newspaper()
    yield newspaper
    newspaper.server.close()


@pytest.fixture
def sync(run_sync, newspaper):
    """Sync feeds of the newspaper by name."""

    def run(*names, mode="full", **settings):
        feeds = [newspaper.url(name) for name in names or ["news"]]
        return run_sync(RssConnector(), config={"feeds": feeds, **settings}, mode=mode)

    return run


def titles(result):
    return sorted(document.title for document in result.documents.values())


def test_every_entry_arrives_with_what_is_known_about_it(sync):
    result = sync()
    assert (result.status, result.scanned, titles(result)) == ("completed", 2, ["boat", "tide"])
    [boat] = [document for document in result.documents.values() if document.title == "boat"]
    assert (boat.content, boat.url) == ("The boat & more", "https://news.example/1")
    assert boat.external_id.endswith(":1")
    assert boat.metadata["created_at"] == "2026-08-04T12:00:00Z"
    assert boat.metadata["author"] == "ann@example.com (Ann)"
    assert (boat.attributes, boat.permissions["public"]) == ({"tags": ["sea"]}, True)


def test_a_feed_that_did_not_change_is_asked_for_and_not_sent(sync, newspaper):
    sync()
    result = sync(mode="incremental")
    assert (result.mode, result.events, result.scanned) == ("incremental", [], 0)
    assert newspaper.asked == ["news", "news"]


def test_the_time_of_the_last_change_serves_where_there_is_no_etag(run_sync):
    asked = []
    app = Flask(__name__)

    @app.get("/")
    def feed():
        asked.append(request.headers.get("If-Modified-Since"))
        when = "Tue, 04 Aug 2026 12:00:00 GMT"
        return Response(rss(("1", "a")), 304 if asked[-1] == when else 200, headers={"Last-Modified": when})

    with HttpServer(app, threads=2) as server:
        run_sync(RssConnector(), config={"feeds": [server.url]})
        assert run_sync(RssConnector(), mode="incremental").events == []
    assert asked == [None, "Tue, 04 Aug 2026 12:00:00 GMT"]


def test_an_incremental_run_sends_new_and_changed_entries(sync, newspaper):
    sync()
    newspaper.feeds["news"] = rss(("3", "wind"), ("2", "high tide"), ("1", "boat"))
    result = sync(mode="incremental")
    assert {event["metadata"]["title"]: event["type"] for event in result.events} == {
        "wind": "document_created",
        "high tide": "document_updated",
    }


def test_an_entry_that_drops_out_of_its_feed_stays(sync, newspaper):
    sync()
    newspaper.feeds["news"] = rss(("2", "tide"))
    result = sync(mode="incremental")
    assert (result.deletions, len(result.index)) == ([], 2)


def test_a_full_run_sends_everything_again(sync):
    sync()
    assert titles(sync(mode="full")) == ["boat", "tide"]


def test_another_audience_sends_everything_again(sync):
    sync()
    result = sync(mode="incremental", public=False, users=["ann@example.com"])
    assert {tuple(document.permissions["users"]) for document in result.documents.values()} == {
        ("ann@example.com",)
    }
    assert len(result.documents) == 2


def test_equal_ids_of_two_feeds_do_not_meet(sync, newspaper):
    newspaper.feeds["more"] = rss(("1", "another boat"))
    assert titles(sync("news", "more")) == ["another boat", "boat", "tide"]


def test_entries_without_an_id_are_known_by_their_address_or_text(sync, newspaper):
    newspaper.feeds["news"] = (
        "<rss version='2.0'><channel><title>N</title>"
        "<item><title>linked</title><link>https://news.example/a</link></item>"
        "<item><title>bare</title><description>text</description></item></channel></rss>"
    )
    first = sync()
    assert titles(first) == ["bare", "linked"]
    assert any(name.endswith(":https://news.example/a") for name in first.documents)
    newspaper.feeds["news"] += "<!-- changed -->"
    assert sync(mode="incremental").events == []


def test_an_id_that_is_too_long_is_shortened(sync, newspaper):
    newspaper.feeds["news"] = rss(("x" * 600, "long"))
    assert titles(sync()) == ["long"]


def test_an_entry_that_is_in_its_feed_twice_is_sent_once(sync, newspaper):
    newspaper.feeds["news"] = rss(("1", "new"), ("1", "old"))
    assert titles(sync()) == ["new"]


def test_atom_is_read_as_well(sync, newspaper):
    newspaper.feeds["news"] = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title><entry><id>urn:1</id><title>one</title>'
        '<content type="html">&lt;h1&gt;Head&lt;/h1&gt;body</content></entry></feed>'
    )
    [document] = sync().documents.values()
    assert (document.title, document.content) == ("one", "Head\nbody")


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ('<title type="text">Use &lt;col&gt; and &lt;b&gt;</title>', "Use <col> and <b>"),
        ("<title>List&lt;String&gt;</title>", "List<String>"),
        ('<title type="html">&lt;b&gt;Bold&lt;/b&gt; &amp;lt;col&amp;gt;</title>', "Bold <col>"),
        (
            '<title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><b>Bold</b></div></title>',
            "Bold",
        ),
    ],
)
def test_only_markup_is_stripped_from_a_title(sync, newspaper, title, shown):
    newspaper.feeds["news"] = (
        f'<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title><entry><id>urn:1</id>{title}'
        f"{title.replace('title', 'summary')}</entry></feed>"
    )
    [document] = sync().documents.values()
    assert (document.title, document.content) == (shown, shown)


def test_a_title_of_an_rss_feed_may_hold_angle_brackets(sync, newspaper):
    newspaper.feeds["news"] = rss(("1", "List&lt;String&gt;"))
    assert titles(sync()) == ["List<String>"]


@pytest.mark.parametrize("body", ["", " \n"])
def test_an_empty_answer_is_an_error(sync, newspaper, body):
    newspaper.feeds["news"] = body
    assert "This is not a feed: the answer is empty" in sync().error


@pytest.mark.parametrize(
    "url",
    [
        "http://connector..manager/feed",
        "http://[::1/feed",
        "http://" + "a" * 70 + ".example/",
        "http://",
        "http://a:b/",
    ],
)
def test_an_address_that_can_be_none_is_skipped_with_an_error(run_sync, newspaper, url):
    result = run_sync(RssConnector(), config={"feeds": [url, newspaper.url()]})
    assert (result.status, titles(result)) == ("completed", ["boat", "tide"])
    [error] = result.errors
    assert (error.document_id, error.stage) == (url, "connector")
    assert error.reason.startswith("FeedError: It could not be fetched: ")


@pytest.mark.parametrize("url", ["news.example", "ftp://news.example"])
def test_what_is_no_address_of_the_web_is_skipped_with_an_error(run_sync, newspaper, url):
    result = run_sync(RssConnector(), config={"feeds": [url, newspaper.url()]})
    assert (result.status, titles(result)) == ("completed", ["boat", "tide"])
    assert "begins with http://" in result.errors[0].reason


@pytest.mark.parametrize("framing", ["Content-Length: 100000", "Transfer-Encoding: chunked", "slow head"])
def test_a_feed_that_drips_is_given_up_in_time(run_sync, newspaper, framing):
    """Each byte comes well within the time-out of a read."""
    stop = threading.Event()

    def drip(server):
        connection, _ = server.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            if framing != "slow head":
                connection.sendall(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode())
            while not stop.wait(0.02):
                connection.sendall(b"1\r\n<\r\n" if "chunked" in framing else b"<")

    with socket.create_server(("127.0.0.1", 0)) as server:
        dripping = threading.Thread(target=drip, args=[server])
        dripping.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/feed"
        try:
            result = run_sync(RssConnector(), config={"feeds": [url, newspaper.url()], "timeout_seconds": 2})
        finally:
            stop.set()
            dripping.join()
    assert (result.status, titles(result)) == ("completed", ["boat", "tide"])
    assert [(error.document_id, "timed out" in error.reason) for error in result.errors] == [(url, True)]


def test_an_entry_that_the_manager_refused_is_sent_again(sync, newspaper):
    name = rss_connector.id_of(newspaper.url(), {"id": "1"})
    with refusing(name):
        first = sync()
    assert (first.status, titles(first), len(first.index)) == ("completed", ["tide"], 1)
    assert titles(sync(mode="incremental")) == ["boat"]
    assert sync(mode="incremental").events == []


def test_a_feed_that_fails_costs_itself_and_is_read_by_the_next_run(sync, newspaper):
    newspaper.feeds["more"] = rss(("9", "wind"))
    newspaper.statuses["more"] = 500
    first = sync("more", "news")
    assert (first.status, titles(first)) == ("completed", ["boat", "tide"])
    [error] = first.errors
    assert error.document_id == newspaper.url("more")
    assert "was answered 500" in error.reason
    newspaper.statuses.clear()
    assert titles(sync("more", "news", mode="incremental")) == ["wind"]


def test_what_is_known_of_a_feed_survives_its_failure(sync, newspaper):
    newspaper.feeds["more"] = rss(("9", "wind"))
    sync("news", "more")
    newspaper.statuses["news"] = 503
    sync("news", "more", mode="incremental")
    newspaper.statuses.clear()
    assert sync("news", "more", mode="incremental").events == []


def test_the_run_fails_when_no_feed_could_be_read(sync, newspaper):
    newspaper.statuses["news"] = 404
    result = sync()
    assert result.status == "failed"
    assert "None of the feeds could be read" in result.error
    assert "404" in result.error


def test_a_feed_that_is_not_well_formed_gives_what_can_be_read(sync, newspaper, caplog):
    newspaper.feeds["news"] = rss(("1", "boat")).replace("</channel></rss>", "<item><title>cut")
    result = sync()
    assert "boat" in titles(result)
    assert "is not well-formed" in caplog.text


def test_an_entry_that_cannot_be_sent_costs_itself(sync, newspaper):
    newspaper.feeds["news"] = rss(("a&#0;b", "odd"), ("1", "boat"))
    result = sync()
    assert (result.status, titles(result), len(result.errors)) == ("completed", ["boat"], 1)
    assert "NUL" in result.errors[0].reason


def test_a_feed_that_is_damaged_beyond_reading_is_an_error(sync, newspaper):
    newspaper.feeds["news"] = rss(("&#xD800;", "boat"))
    assert "This is not a feed" in sync().error


def test_a_page_that_is_no_feed_is_an_error(sync, newspaper):
    newspaper.feeds["news"] = "<!doctype html><html><body>Hello</body></html>"
    assert "This is not a feed" in sync().error


def test_a_feed_that_is_too_large_is_an_error(sync, monkeypatch):
    monkeypatch.setattr(rss_connector, "MAX_FEED_SIZE", 100)
    assert "larger than 100 bytes" in sync().error


def test_a_server_that_does_not_answer_costs_its_feed(run_sync, newspaper):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/feed"
        config = {"feeds": [url, newspaper.url()], "timeout_seconds": 1.5}
        result = run_sync(RssConnector(), config=config)
    assert (result.status, titles(result)) == ("completed", ["boat", "tide"])
    assert [error.document_id for error in result.errors] == [url]
    assert "timed out" in result.errors[0].reason.lower()


@pytest.mark.parametrize("date", ["Tue, 04 Aug 99999 12:00:00 GMT", "0001-01-01T00:00:00+12:00"])
def test_an_entry_with_an_impossible_date_has_none(sync, newspaper, date):
    newspaper.feeds["news"] = rss(("1", "boat")).replace("Tue, 04 Aug 2026 12:00:00 GMT", date)
    [document] = sync().documents.values()
    assert document.metadata["created_at"] is None


@pytest.mark.parametrize(
    ("feeds", "said"),
    [
        (None, "feeds: an array is required, not null"),
        ([], "Length of 'feeds' must be >= 1"),
        ([1], "feeds[0]: text is required, not a whole number"),
    ],
)
def test_a_run_with_wrong_settings_is_refused_with_a_reason(run_sync, feeds, said):
    with pytest.raises(LocalManagerError, match=re.escape(said)):
        run_sync(RssConnector(), config={"feeds": feeds})


def test_a_feed_can_be_validated(newspaper, omni_manager):
    answer = call_action(RssConnector(), "validate_feed", {"url": newspaper.url()}, manager=omni_manager)
    assert answer.status == "success"
    assert answer.result == {"title": "News", "entries": 2, "format": "rss20", "warning": None}


@pytest.mark.parametrize("path", ["missing", "page"])
def test_an_address_that_is_no_feed_is_not_valid(newspaper, omni_manager, path):
    newspaper.feeds |= {"page": "<html></html>", "missing": ""}
    newspaper.statuses["missing"] = 404
    answer = call_action(RssConnector(), "validate_feed", {"url": newspaper.url(path)}, manager=omni_manager)
    assert (answer.status_code, answer.status) == (400, "error")
    assert answer.error


def test_an_action_that_it_does_not_have_is_refused():
    response = RssConnector().execute_action("burn", {}, {})
    assert (response.status, response.status_code) == ("error", 404)


def test_a_run_that_is_cancelled_stops(run_sync):
    cancelled = threading.Event()
    app = Flask(__name__)

    @app.get("/<name>")
    def feed(name):
        if name == "2" and not cancelled.is_set():
            cancelled.set()
            [running] = run_sync.manager.runs("source-of-rss")
            run_sync.manager.cancel(running.id)
        return rss((name, f"title {name}"))

    with HttpServer(app, threads=4) as server:
        result = run_sync(RssConnector(), config={"feeds": [f"{server.url}/{n}" for n in (1, 2, 3)]})
    assert (result.status, titles(result)) == ("cancelled", ["title 1"])


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("plain", "plain"),
        ("a &lt; b &amp; c", "a < b & c"),
        ("<p>one</p><p>two<br>three</p>", "one\ntwo\nthree"),
        ("<b>bold</b> and <i>not</i>", "bold and not"),
        (
            "<table><tr><td>Berlin</td><td>Paris</td></tr><tr><th>Rome</th><th>Oslo</th></tr></table>",
            "Berlin Paris\nRome Oslo",
        ),
        ("<dl><dt>Term</dt><dd>Meaning</dd></dl>", "Term\nMeaning"),
        (
            "<figure><figcaption>One</figcaption></figure><details><summary>Two</summary>x</details>",
            "One\nTwo\nx",
        ),
        ("<style>p {}</style>seen<script>x()</script></script> too", "seen too"),
        ("", ""),
    ],
)
def test_html_becomes_text(html, text):
    assert plain_text(html) == text
