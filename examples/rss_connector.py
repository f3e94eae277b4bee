"""Index the entries of RSS and Atom feeds.

    omni-connector run examples/rss_connector.py --set feeds=https://planetpython.org/rss20.xml
    omni-connector search asyncio

    omni-connector run examples/rss_connector.py --help  # Lists the settings.

The state holds, for each feed, its ETag and Last-Modified headers and a fingerprint of every entry. An incremental run
asks each server only for a newer version, and emits only entries that are new or changed; a full run reads and emits
everything. An entry that drops out of its feed stays: a feed lists only its latest entries.

A feed that cannot be read is reported as an error, and the next run tries again. The run fails when no feed could be
read. An entry that the manager rejects is emitted again by the next run.
"""

import asyncio
import calendar
import datetime as dt
import hashlib
import io
import logging
from html.parser import HTMLParser
from typing import Any

import feedparser  # type: ignore[import-untyped]
import httpx
from attrs import define, field, validators

from omni_connector import (
    ActionResponse,
    Connector,
    ConnectorError,
    Document,
    DocumentMetadata,
    DocumentPermissions,
    ErrorLimits,
    InvalidValueError,
    SearchOperator,
    SyncContext,
    action,
    setting,
)

log = logging.getLogger(__name__)

USER_AGENT = "omni-rss-connector/1.0 (+https://github.com/getomnico/omni)"
MAX_FEED_SIZE = 16 * 1024 * 1024
LONGEST_ID = 500
NOT_MODIFIED = 304

HARMLESS = (feedparser.CharacterEncodingOverride, feedparser.NonXMLContentType)
"""What feedparser reports when the server names the wrong encoding or type; it reads such feeds nevertheless."""

HTML = {"text/html", "application/xhtml+xml"}
"""Types of texts, as feedparser gives them; the others are plain text."""

State = dict[str, Any]
Entry = dict[str, Any]


class FeedError(ConnectorError):
    """A feed cannot be read."""


@define
class Settings:
    """Which feeds are read, and for whom."""

    feeds: list[str] = field(
        validator=validators.min_len(1), metadata={"description": "Addresses of the feeds."}
    )
    public: bool = setting("All users find the entries.", default=True)
    users: list[str] | None = setting("Or only these, by e-mail address.", default=None)
    timeout_seconds: float = setting("For fetching one feed, to its last byte.", default=30.0)


class RssConnector(Connector[Settings]):
    """Reads feeds."""

    name = "rss"
    version = "1.0.0"
    display_name = "RSS"
    description = "Entries of RSS and Atom feeds"
    sync_modes = ["full", "incremental"]
    source_types = ["web"]
    # However many feeds and entries fail, the others are indexed, and the next run tries again.
    error_limits = ErrorLimits(share=None)
    search_operators = [SearchOperator(operator="tag", attribute_key="tags")]

    def sync(self, config: Settings, _credentials: State, state: State | None, ctx: SyncContext) -> None:
        """Read one feed after the other; save the state after each."""
        urls = list(dict.fromkeys(config.feeds))
        audience = {"public": config.public, "users": config.users}
        permissions = DocumentPermissions(public=config.public, users=config.users)
        # With another audience, everything must be emitted again. A fresh full run has no state at all.
        noted: State = state["feeds"] if state and state.get("audience") == audience else {}
        feeds = {url: noted[url] for url in urls if url in noted}
        failed = []
        for url in urls:
            ctx.raise_if_cancelled()
            before = feeds.get(url, {}) if ctx.sync_mode == "incremental" else {}
            try:
                feed = fetch(url, before, config.timeout_seconds)
            except FeedError as error:
                ctx.emit_error(url, error)
                failed.append(f"{url}: {error}")
                continue
            if feed is not None:
                entries = emit_entries(feed, url, before.get("entries", {}), permissions, ctx)
                feeds[url] = without_rejected(ctx, feed, entries)
            ctx.save_state({"audience": audience, "feeds": feeds})
        if len(failed) == len(urls):
            raise FeedError(f"None of the feeds could be read. {'; '.join(failed)}")
        ctx.complete()

    @action(mode="read")
    def validate_feed(self, url: str) -> ActionResponse | State:
        """Say whether an address is that of a feed, and what is in it.

        Args:
            url: Address of the feed.
        """
        try:
            feed = fetch(url, {}, Settings(feeds=[url]).timeout_seconds)
        except FeedError as error:
            return ActionResponse.failure(str(error))
        assert feed is not None  # noqa: S101 - only a conditional request can be answered by "not modified".
        return {
            "title": feed.title,
            "entries": len(feed.entries),
            "format": feed.format,
            "warning": feed.warning,
        }


class Feed:
    """A feed and the headers that came with it.

    Raises:
        FeedError: it is no feed.
    """

    def __init__(self, url: str, response: httpx.Response) -> None:
        # Relative ids and links are resolved against the address in the settings: that of a redirection may change.
        headers = {"content-type": response.headers.get("content-type", ""), "content-location": url}
        try:
            parsed = feedparser.parse(io.BytesIO(response.content), response_headers=headers)
        except Exception as error:  # Of any kind, where a feed is damaged badly enough.
            raise FeedError(f"This is not a feed: {error}") from error
        version = parsed.get("version", "")
        if not version and not parsed.entries:
            nothing = "no RSS or Atom in it" if response.content.strip() else "the answer is empty"
            reason = parsed.get("bozo_exception", nothing) if response.content.strip() else nothing
            raise FeedError(f"This is not a feed: {reason}")
        self.etag = response.headers.get("etag") or None
        self.modified = response.headers.get("last-modified") or None
        self.title = text_of(parsed.feed.get("title_detail"))
        self.format: str = version
        self.entries: list[Entry] = parsed.entries
        # Many feeds are not well-formed; most of their entries can be read nevertheless.
        trouble = parsed.get("bozo_exception")
        self.warning = None if trouble is None or isinstance(trouble, HARMLESS) else str(trouble)


def fetch(url: str, before: State, timeout_seconds: float) -> Feed | None:
    """Return the feed, or None when it has not changed since ``before``.

    Raises:
        FeedError: it cannot be read.
    """
    headers = {"User-Agent": USER_AGENT}
    if before.get("etag"):
        headers["If-None-Match"] = before["etag"]
    if before.get("modified"):
        headers["If-Modified-Since"] = before["modified"]
    if not url.startswith(("http://", "https://")):
        raise FeedError(f"{url!r} is not an address that begins with http:// or https://")
    try:
        # Time-outs of blocking clients limit each read, not the whole: a server that sends a byte at a time would
        # never run into them. asyncio can cancel the whole.
        response = asyncio.run(asyncio.wait_for(download(url, headers), timeout_seconds))
    except TimeoutError as error:
        raise FeedError(f"It could not be fetched: timed out after {timeout_seconds:g} s") from error
    # The last two: addresses that cannot be a host name, such as http://a..b.
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise FeedError(f"It could not be fetched: {error or type(error).__name__}") from error
    if response.status_code == NOT_MODIFIED:
        return None
    feed = Feed(url, response)
    if feed.warning:
        log.warning("%s is not well-formed (%s); %d entries were read", url, feed.warning, len(feed.entries))
    return feed


async def download(url: str, headers: dict[str, str]) -> httpx.Response:
    """Return the answer, read to its end; the caller limits the time."""
    async with (
        httpx.AsyncClient(headers=headers, follow_redirects=True, timeout=None) as client,  # noqa: S113 - see above.
        client.stream("GET", url) as response,
    ):
        if response.status_code == NOT_MODIFIED:
            return response
        response.raise_for_status()
        content = bytearray()
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > MAX_FEED_SIZE:
                raise FeedError(f"It is larger than {MAX_FEED_SIZE} bytes")
        kept = {name: response.headers.get(name, "") for name in ("content-type", "etag", "last-modified")}
        return httpx.Response(response.status_code, headers=kept, content=bytes(content))


def without_rejected(ctx: SyncContext, feed: Feed, entries: dict[str, str]) -> State:
    """Return what to note of a feed: entries that the manager rejected are emitted again by the next run."""
    rejected = ctx.flush()
    for document in rejected:
        entries.pop(document.document_id, None)
    if rejected:  # Read the feed again, even if it does not change.
        return {"etag": None, "modified": None, "entries": entries}
    return {"etag": feed.etag, "modified": feed.modified, "entries": entries}


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
    texts = entry.get("content") or [entry.get("summary_detail")]
    published = entry.get("published_parsed")
    updated = entry["updated_parsed"] if "updated_parsed" in entry else published  # noqa: SIM401 - its get() warns.
    return Document(
        external_id=entry_id,
        title=text_of(entry.get("title_detail")) or entry.get("link") or "Untitled",
        content="\n\n".join(text_of(text) for text in texts),
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


BLOCKS = """
address article aside blockquote br caption dd details div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5
h6 header hr li main nav ol option p pre section summary table tbody tfoot thead tr ul
"""
"""Elements of HTML that begin and end a line."""


class TextExtractor(HTMLParser):
    """Collects the text of HTML: a line for each block, a blank between the cells of a table."""

    SEPARATORS = dict.fromkeys(BLOCKS.split(), "\n") | {"td": " ", "th": " "}
    SILENT = frozenset({"script", "style"})

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin an element."""
        del attrs
        self.silent += tag in self.SILENT
        self.parts.append(self.SEPARATORS.get(tag, ""))

    def handle_endtag(self, tag: str) -> None:
        """End an element."""
        self.silent -= tag in self.SILENT and self.silent > 0
        self.parts.append(self.SEPARATORS.get(tag, ""))

    def handle_data(self, data: str) -> None:
        """Take text."""
        if not self.silent:
            self.parts.append(data)


def text_of(detail: Entry | None) -> str:
    """Return the text of a part of a feed: what is HTML becomes text, what is text stays as it is.

    Args:
        detail: ``value`` and ``type``, as feedparser gives them.
    """
    if detail is None:
        return ""
    value = detail.get("value") or ""
    return plain_text(value) if detail.get("type") in HTML else tidied(value)


def plain_text(html: str) -> str:
    """Return the text of a piece of HTML."""
    extractor = TextExtractor()
    extractor.feed(html)
    extractor.close()
    return tidied("".join(extractor.parts))


def tidied(text: str) -> str:
    """Return the text with single blanks and without empty lines."""
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


if __name__ == "__main__":
    RssConnector().serve()
