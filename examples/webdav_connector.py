"""Index the files of a WebDAV server that has owners and shares, such as Nextcloud.

    pip install defusedxml
    omni-connector run examples/webdav_connector.py --config folder.json --credentials login.json

``folder.json``: ``{"url": "https://cloud.example.com/remote.php/dav/files/indexer/", "domain": "example.com"}``.
``login.json``: ``{"username": "indexer", "password": "..."}``; Nextcloud has passwords for applications.

Each run lists all folders, one request for each, and reads the files whose ETag or readers have changed. A folder that cannot be
listed is reported as an error, and the documents in it stay.

A file is found by its owner, and by those with whom it, or a folder that it is in, is shared: ``bob`` is
``bob@example.com`` with the domain above, and so is the group ``board``. A server without these
properties needs another rule: no user finds a file without readers.
"""

from collections.abc import Iterator
from urllib.parse import quote, unquote, urlsplit
from xml.etree.ElementTree import Element

from attrs import define, evolve
from defusedxml.ElementTree import fromstring

from omni_connector import (
    Connector,
    Document,
    DocumentMetadata,
    DocumentPermissions,
    InvalidValueError,
    Inventory,
    SyncContext,
    secret,
    setting,
)
from omni_connector.sources import HttpSession, SourceHttpError, SourceResponse, parse_moment

NAMES = {"d": "DAV:", "o": "http://owncloud.org/ns", "n": "http://nextcloud.org/ns"}
PROPERTIES = """<?xml version="1.0"?>
<d:propfind xmlns:d="DAV:" xmlns:o="http://owncloud.org/ns" xmlns:n="http://nextcloud.org/ns"><d:prop>
  <d:resourcetype/><d:getetag/><d:getlastmodified/><d:getcontenttype/><o:owner-id/><n:sharees/>
</d:prop></d:propfind>"""
USER, GROUP = "0", "1"
"""Types of shares."""


@define
class Settings:
    """The folder."""

    url: str = setting("Address of a folder; everything below it is read.")
    domain: str = setting("Domain of the addresses of users and groups.")


@define
class Login:
    """An account that may read the folder."""

    username: str
    password: str = secret()


@define
class Entry:
    """A file or folder.

    Attributes:
        path: below the folder of the settings; that of a folder ends with a slash.
        properties: what the server says of it.
        readers: types and names of those who may read it or a folder that it is in.
    """

    path: str
    properties: Element
    readers: set[tuple[str, str]]

    def property(self, name: str) -> str | None:
        """Return the text of a property."""
        return self.properties.findtext(name, None, NAMES)

    def addresses(self, kind: str, domain: str) -> list[str]:
        """Return who may read it."""
        return sorted(f"{name}@{domain}" for each, name in self.readers if each == kind)


class WebDavConnector(Connector[Settings, Login]):
    """Reads a folder of a WebDAV server."""

    name = "webdav"
    version = "1.0.0"
    sync_modes = ["full", "incremental"]
    source_types = ["nextcloud"]

    def sync(self, config: Settings, credentials: Login, _state: object, ctx: SyncContext) -> None:
        """Walk through the folders, and send the files that have changed."""
        http = ctx.http(base_url=config.url, auth=(credentials.username, credentials.password))
        inventory = ctx.inventory(version=config.domain)
        for file in files(http, ctx, inventory):
            ctx.increment_scanned()
            try:
                if inventory.changed(file.path, [file.property("d:getetag"), sorted(file.readers)]):
                    answer = http.get(quote(file.path))
                    answer.raise_for_status()
                    ctx.emit(document(file, answer, config.domain))
            except (SourceHttpError, InvalidValueError) as error:
                ctx.emit_error(file.path, error)
        inventory.finish()


def document(file: Entry, answer: SourceResponse, domain: str) -> Document:
    """Return a file as a document; its text is extracted by the manager."""
    return Document(
        external_id=file.path,
        title=file.path.rpartition("/")[2],
        content=answer.content,
        filename=file.path.rpartition("/")[2],
        mime_type=file.property("d:getcontenttype"),
        metadata=DocumentMetadata(
            url=answer.url, path=file.path, updated_at=parse_moment(file.property("d:getlastmodified"))
        ),
        permissions=DocumentPermissions(
            users=file.addresses(USER, domain), groups=file.addresses(GROUP, domain)
        ),
    )


def files(http: HttpSession, ctx: SyncContext, inventory: Inventory) -> Iterator[Entry]:
    """Yield the files of all folders."""
    folders = [Entry("", Element("prop"), set())]
    while folders:
        folder = folders.pop()
        try:
            entries = listing(http, folder)
        except SourceHttpError as error:
            if not folder.path:
                raise
            ctx.emit_error(folder.path, error)
            inventory.unread(folder.path)
            continue
        for entry in entries:
            if not len(entry.properties):  # It may be a folder: what is in it stays.
                ctx.emit_error(entry.path, "The server says nothing of it.")
                inventory.unread(entry.path)
            elif entry.path.endswith("/"):
                folders.append(entry)
            else:
                yield entry


def listing(http: HttpSession, folder: Entry) -> list[Entry]:
    """Return what is in a folder; the server names the folder itself, too."""
    answer = http.request(
        "PROPFIND", quote(folder.path), data=PROPERTIES, headers={"Depth": "1"}, repeat=True
    )
    answer.raise_for_status()
    entries = [
        entry_of(response, http.base_url)
        for response in fromstring(answer.content).iterfind("d:response", NAMES)
    ]
    itself = [entry for entry in entries if entry.path == folder.path]
    inherited = folder.readers.union(*(entry.readers for entry in itself))
    return [evolve(entry, readers=entry.readers | inherited) for entry in entries if entry not in itself]


def entry_of(response: Element, base_url: str) -> Entry:
    """Return what the server says of a file or folder."""
    path, root = (unquote(urlsplit(url).path) for url in (response.findtext("d:href", "", NAMES), base_url))
    path = f"{path}/".removeprefix(root).rstrip("/")
    properties = Element("prop")
    for found in response.iterfind("d:propstat", NAMES):
        if " 200 " in found.findtext("d:status", "", NAMES):
            properties.extend(found.iterfind("d:prop/*", NAMES))
    if path and properties.find("d:resourcetype/d:collection", NAMES) is not None:
        path += "/"
    readers = {
        (sharee.findtext("n:type", "", NAMES), sharee.findtext("n:id", "", NAMES))
        for sharee in properties.iterfind("n:sharees/n:sharee", NAMES)
    }
    owner = properties.findtext("o:owner-id", "", NAMES)
    return Entry(path, properties, readers | ({(USER, owner)} if owner else set()))
