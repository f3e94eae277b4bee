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

import calendar
import datetime as dt
import hashlib
import io
import logging
from typing import Any

import feedparser  # type: ignore[import-untyped]
import requests
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
from omni_connector.sources import HttpSession, html_to_text, http_session

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
        session = limited(ctx.http(retries=1, timeout_seconds=config.timeout_seconds))
        for url in urls:
            ctx.raise_if_cancelled()
            before = feeds.get(url, {}) if ctx.sync_mode == "incremental" else {}
            try:
                feed = fetch(session, url, before)
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
            with limited(http_session(retries=0, timeout_seconds=30)) as session:
                feed = fetch(session, url, {})
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

    def __init__(self, url: str, response: requests.Response) -> None:
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


def limited(session: HttpSession) -> HttpSession:
    """Return a session that says who asks, and reads no more than a feed can have."""
    session.headers["User-Agent"] = USER_AGENT
    session.max_bytes = MAX_FEED_SIZE
    return session


def fetch(session: HttpSession, url: str, before: State) -> Feed | None:
    """Return the feed, or None when it has not changed since ``before``.

    Raises:
        FeedError: it cannot be read.
    """
    known = {"If-None-Match": before.get("etag"), "If-Modified-Since": before.get("modified")}
    if not url.startswith(("http://", "https://")):
        raise FeedError(f"{url!r} is not an address that begins with http:// or https://")
    try:
        response = session.get(url, headers=known)
        response.raise_for_status()
    except requests.RequestException as error:
        raise FeedError(f"It could not be fetched: {error}") from error
    if response.status_code == NOT_MODIFIED:
        return None
    feed = Feed(url, response)
    if feed.warning:
        log.warning("%s is not well-formed (%s); %d entries were read", url, feed.warning, len(feed.entries))
    return feed


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
    return tidied(html_to_text(html))


def tidied(text: str) -> str:
    """Return the text with single blanks and without empty lines."""
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


if __name__ == "__main__":
    RssConnector().serve()
