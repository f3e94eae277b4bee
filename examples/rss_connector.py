"""Index the entries of RSS and Atom feeds.

    omni-connector run examples/rss_connector.py --set 'feeds=["https://planetpython.org/rss20.xml"]'
    omni-connector search asyncio

Settings of the source:

``feeds``            addresses of the feeds.
``public``           true, unless set to false: everybody finds the entries.
``users``            or only these, by e-mail address.
``timeout_seconds``  how long fetching one feed may take, from the first byte to the last; 30 unless given.

The state holds, for each feed, what its server said about the version that was read (ETag, Last-Modified) and a
fingerprint of every entry in it. An incremental run asks each server only for something newer and sends only entries
that are new or different; a full run reads and sends everything. Entries that the manager refused are sent again by the
next run. An entry that drops out of its feed stays: a feed shows the latest entries, not all that are valid.

A feed that cannot be read is reported as an error, skipped, and read again by the next run. The run fails when none could
be read.
"""

import calendar
import datetime as dt
import hashlib
import io
import logging
import time
from html.parser import HTMLParser
from typing import Any

import feedparser  # type: ignore[import-untyped]
import requests
import urllib3

from omni_connector import (
    ActionDefinition,
    ActionResponse,
    ConfigurationError,
    Connector,
    ConnectorError,
    Document,
    DocumentMetadata,
    DocumentPermissions,
    InvalidValueError,
    SearchOperator,
    SyncContext,
)

log = logging.getLogger(__name__)

USER_AGENT = "omni-rss-connector/1.0 (+https://github.com/getomnico/omni)"
TIMEOUT_SECONDS = 30.0
MAX_FEED_SIZE = 16 * 1024 * 1024
LONGEST_ID = 500
NOT_MODIFIED = 304

HARMLESS = (feedparser.CharacterEncodingOverride, feedparser.NonXMLContentType)
"""What feedparser says of feeds whose server names the wrong encoding or type; it reads them all the same."""

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
"""Types of texts in a feed that are markup; any other is shown as it is, angle brackets included."""

State = dict[str, Any]
Entry = dict[str, Any]


class FeedError(ConnectorError):
    """A feed cannot be read."""


class RssConnector(Connector):
    """Reads feeds."""

    name = "rss"
    version = "1.0.0"
    display_name = "RSS"
    description = "Entries of RSS and Atom feeds"
    sync_modes = ["full", "incremental"]
    source_types = ["web"]
    search_operators = [SearchOperator(operator="tag", attribute_key="tags")]
    actions = [
        ActionDefinition(
            name="validate_feed",
            description="Say whether an address is that of a feed, and what is in it",
            mode="read",
            input_schema={
                "type": "object",
                "properties": {"url": {"type": "string", "description": "Address of the feed"}},
                "required": ["url"],
            },
        )
    ]

    def sync(self, source_config: State, _credentials: State, state: State | None, ctx: SyncContext) -> None:
        """Read one feed after the other; save the state after each."""
        urls = feed_urls(source_config)
        audience = {"public": source_config.get("public", True), "users": source_config.get("users")}
        permissions = DocumentPermissions(**audience)
        timeout = float(source_config.get("timeout_seconds", TIMEOUT_SECONDS))
        noted: State = {}
        if state and state.get("audience") == audience:  # Else everything has to be sent again.
            noted = state["feeds"]
        feeds = {url: noted[url] for url in urls if url in noted}
        failed = []
        with requests.Session() as session:
            for url in urls:
                before = feeds.get(url, {}) if ctx.sync_mode == "incremental" else {}
                try:
                    feed = fetch(session, url, before, timeout)
                except FeedError as error:
                    ctx.emit_error(url, error)
                    failed.append(f"{url}: {error}")
                    continue
                if feed is not None:
                    feeds[url] = emit_feed(feed, url, before.get("entries", {}), permissions, ctx)
                ctx.save_state({"audience": audience, "feeds": feeds})
        if len(failed) == len(urls):
            raise FeedError(f"None of the feeds could be read. {'; '.join(failed)}")
        ctx.complete()

    def execute_action(self, action: str, params: State, credentials: State) -> ActionResponse:  # noqa: ARG002 - none needed.
        """Run ``validate_feed``."""
        if action != "validate_feed":
            return ActionResponse.not_supported(action)
        try:
            [url] = feed_urls({"feeds": [params.get("url")]})
            with requests.Session() as session:
                feed = fetch(session, url, {}, TIMEOUT_SECONDS)
        except ConnectorError as error:
            return ActionResponse.failure(str(error))
        assert feed is not None  # noqa: S101 - only a conditional request can be answered by "not modified".
        return ActionResponse.success(
            {
                "title": feed.title,
                "entries": len(feed.entries),
                "format": feed.format,
                "warning": feed.warning,
            }
        )


class Feed:
    """A feed as its server gave it."""

    def __init__(self, url: str, response: requests.Response, content: bytes) -> None:
        if not content.strip():
            raise FeedError("This is not a feed: the answer is empty")
        # Relative ids and links are seen from the address in the settings: that of a redirection may change.
        headers = {"content-type": response.headers.get("content-type", ""), "content-location": url}
        try:
            parsed = feedparser.parse(io.BytesIO(content), response_headers=headers)
        except Exception as error:  # Of any kind, where a feed is damaged badly enough.
            raise FeedError(f"This is not a feed: {error}") from error
        if not parsed.version and not parsed.entries:
            reason = parsed.get("bozo_exception", "no RSS or Atom in it")
            raise FeedError(f"This is not a feed: {reason}")
        self.etag = response.headers.get("etag")
        self.modified = response.headers.get("last-modified")
        self.title = text_of(parsed.feed.get("title_detail"))
        self.format: str = parsed.version
        self.entries: list[Entry] = parsed.entries
        # Many feeds are not well-formed; what could be read of them is still worth having.
        trouble = parsed.get("bozo_exception")
        self.warning = None if trouble is None or isinstance(trouble, HARMLESS) else str(trouble)


def feed_urls(config: State) -> list[str]:
    """Return the addresses in the settings, each once.

    Raises:
        ConfigurationError: there are none, or one is no http address.
    """
    urls = config.get("feeds")
    urls = [urls] if isinstance(urls, str) else urls
    if not isinstance(urls, list) or not urls:
        raise ConfigurationError('feeds: give a list of addresses, such as ["https://example.com/feed.xml"].')
    for url in urls:
        if not isinstance(url, str) or not url.startswith(("http://", "https://")):
            raise ConfigurationError(
                f"feeds: {url!r} is not an address that begins with http:// or https://."
            )
    return list(dict.fromkeys(urls))


def fetch(session: requests.Session, url: str, before: State, timeout_seconds: float) -> Feed | None:
    """Return the feed, or None when it is as it was ``before``.

    Raises:
        FeedError: it cannot be read.
    """
    headers = {"User-Agent": USER_AGENT}
    if before.get("etag"):
        headers["If-None-Match"] = before["etag"]
    if before.get("modified"):
        headers["If-Modified-Since"] = before["modified"]
    deadline = time.monotonic() + timeout_seconds
    try:
        with session.get(url, headers=headers, timeout=timeout_seconds, stream=True) as response:
            if response.status_code == NOT_MODIFIED:
                return None
            response.raise_for_status()
            content = read_body(response, deadline)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        # The second kind: what is wrong with an address, or breaks while the body is read.
        raise FeedError(f"It could not be fetched: {error}") from error
    feed = Feed(url, response, content)
    if feed.warning:
        log.warning("%s is not well-formed (%s); %d entries were read", url, feed.warning, len(feed.entries))
    return feed


def read_body(response: requests.Response, deadline: float) -> bytes:
    """Return the body, read as it arrives: a server that sends a byte now and then never runs into a time-out.

    Raises:
        FeedError: it is too large, or not complete at ``deadline`` (``time.monotonic()``).
    """
    content = bytearray()
    while chunk := response.raw.read1(64 * 1024, decode_content=True):
        content += chunk
        if len(content) > MAX_FEED_SIZE:
            raise FeedError(f"It is larger than {MAX_FEED_SIZE} bytes")
        if time.monotonic() > deadline:
            raise FeedError("It timed out: the server sends it too slowly (see timeout_seconds)")
    return bytes(content)


def emit_feed(
    feed: Feed, url: str, known: dict[str, str], permissions: DocumentPermissions, ctx: SyncContext
) -> State:
    """Send what is new or different in a feed; return what to note of it once the manager has it."""
    fingerprints = emit_entries(feed, url, known, permissions, ctx)
    refused = {error.document_id for error in ctx.flush()}
    noted = {name: fingerprint for name, fingerprint in fingerprints.items() if name not in refused}
    if refused:  # Without these the server would say that nothing has changed.
        return {"etag": None, "modified": None, "entries": noted}
    return {"etag": feed.etag, "modified": feed.modified, "entries": noted}


def emit_entries(
    feed: Feed, url: str, known: dict[str, str], permissions: DocumentPermissions, ctx: SyncContext
) -> dict[str, str]:
    """Send the entries that are new or different; return the fingerprints of all."""
    fingerprints = {}
    for entry in feed.entries:
        ctx.increment_scanned()
        entry_id = id_of(url, entry)
        if entry_id in fingerprints:
            continue  # Some feeds repeat themselves; the first is the latest.
        try:
            document = to_document(entry_id, entry, feed, permissions)
        except InvalidValueError as error:
            ctx.emit_error(entry_id, error)
            continue
        fingerprints[entry_id] = digest(document.title, str(document.content), entry.get("link", ""))
        if entry_id not in known:
            ctx.emit(document)
        elif known[entry_id] != fingerprints[entry_id]:
            ctx.emit_updated(document)
    return fingerprints


def to_document(entry_id: str, entry: Entry, feed: Feed, permissions: DocumentPermissions) -> Document:
    """Return an entry as a document."""
    parts = entry.get("content") or [entry.get("summary_detail")]
    published = entry.get("published_parsed")
    updated = entry["updated_parsed"] if "updated_parsed" in entry else published  # noqa: SIM401 - its get() warns.
    return Document(
        external_id=entry_id,
        title=text_of(entry.get("title_detail")) or entry.get("link") or "Untitled",
        content="\n\n".join(text_of(part) for part in parts),
        metadata=DocumentMetadata(
            url=entry.get("link"),
            author=entry.get("author"),
            created_at=moment(published),
            updated_at=moment(updated),
            extra={"feed": feed.title},
        ),
        permissions=permissions,
        attributes={"tags": [tag["term"] for tag in entry.get("tags", []) if tag.get("term")]},
    )


def id_of(url: str, entry: Entry) -> str:
    """Return an id that stays: the entry's own, else its address, else made of what it says.

    An entry's own id need only be unique within its feed.
    """
    own = entry.get("id") or entry.get("link") or digest(entry.get("title", ""), entry.get("summary", ""))
    entry_id = f"{digest(url)[:12]}:{own}"
    return entry_id if len(entry_id) <= LONGEST_ID else f"{digest(url)[:12]}:{digest(own)}"


def digest(*texts: str) -> str:
    """Return a fingerprint of the texts."""
    return hashlib.sha256("\0".join(texts).encode(errors="replace")).hexdigest()


def moment(parsed: Any) -> dt.datetime | None:
    """Return a time as feedparser gives it (UTC), or None where there is none or it makes no sense."""
    if parsed is None:
        return None
    try:
        return dt.datetime.fromtimestamp(calendar.timegm(parsed), tz=dt.UTC)
    except (OverflowError, ValueError, OSError):
        return None


BLOCK_NAMES = """
address article aside blockquote br caption center dd details div dl dt fieldset figcaption figure footer form
h1 h2 h3 h4 h5 h6 header hr legend li main nav ol option p pre section summary table tbody tfoot thead tr ul
"""
BLOCKS = frozenset(BLOCK_NAMES.split())
"""Elements that stand on lines of their own."""

CELLS = frozenset({"td", "th"})
"""Elements that stand beside each other, apart."""


class TextExtractor(HTMLParser):
    """Collects the text of HTML, a line for each block."""

    SILENT = frozenset({"script", "style"})

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a line, or an element that shows nothing."""
        del attrs
        self.silent += tag in self.SILENT
        self.parts.append(gap(tag))

    def handle_endtag(self, tag: str) -> None:
        """End it."""
        self.silent -= tag in self.SILENT and self.silent > 0
        self.parts.append(gap(tag))

    def handle_data(self, data: str) -> None:
        """Take text."""
        if not self.silent:
            self.parts.append(data)


def gap(tag: str) -> str:
    """Return what parts the text before a tag from the text behind it."""
    return "\n" if tag in BLOCKS else " " if tag in CELLS else ""


def text_of(detail: Entry | None) -> str:
    """Return a text of a feed, as feedparser describes it; only markup is stripped."""
    if detail is None:
        return ""
    value: str = detail.get("value", "")
    return plain_text(value) if detail.get("type") in HTML_TYPES else single_blanks(value)


def plain_text(html: str) -> str:
    """Return the text of a piece of HTML, blanks and empty lines made single."""
    extractor = TextExtractor()
    extractor.feed(html)
    extractor.close()
    return single_blanks("".join(extractor.parts))


def single_blanks(text: str) -> str:
    """Return a text without empty lines and with single blanks."""
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


if __name__ == "__main__":
    RssConnector().serve()
