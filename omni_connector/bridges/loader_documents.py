"""What loaders give, in our form: ids that stay the same, and documents."""

import datetime as dt
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import PurePath
from typing import Any

from attrs import field, frozen

from omni_connector.exceptions import InvalidValueError
from omni_connector.models.document import Document, DocumentMetadata
from omni_connector.models.json_values import plain_json

SOURCES = ("source", "file_path", "url", "link", "path", "file_name", "filename", "page_id", "key")
"""Entries of the metadata that say where a text is from, in the order in which they are looked for."""

TITLES = ("title", "Title", "file_name", "filename", "name", "subject")

CREATED = ("created_at", "creation_date", "creationdate")

UPDATED = ("updated_at", "last_modified", "last_modified_date", "moddate")

PASSING = {"last_accessed_date", "last_accessed_at"}
"""Entries that change although the document does not."""

RANDOM_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
"""A UUID of version 4. LlamaIndex gives one to each document that has no id of its own, another one each time."""

LONGEST_ID = 400


@frozen
class Loaded:
    """What a loader has read, whichever ecosystem it is of.

    Attributes:
        id: stable from run to run, see ``stable_id``.
        text: its text.
        metadata: as the loader gives it.
    """

    id: str
    text: str = field(repr=False)
    metadata: Mapping[str, Any] = field(repr=False)

    def first(self, names: Iterable[str]) -> Any:
        """Return the first of these entries of the metadata that is there and not empty, or None.

        Args:
            names: of entries, the best first.
        """
        return next((self.metadata[name] for name in names if self.metadata.get(name)), None)


class Ids:
    """Gives each document an id that is the same in the next run.

    Args:
        trusts_ids: ids that look random are the source's own.
    """

    def __init__(self, *, trusts_ids: bool = False) -> None:
        self._trusts_ids = trusts_ids
        self._seen: Counter[str] = Counter()

    def loaded(self, given: Any) -> Loaded:
        """Return a document of a loader in our form.

        Raises:
            InvalidValueError: it is none.
        """
        text = getattr(given, "page_content", None)
        if text is None:
            text = getattr(given, "text", None)
        metadata = getattr(given, "metadata", None)
        if not isinstance(text, str):
            raise InvalidValueError(
                model="LoaderConnector",
                field="loader",
                value=type(given).__name__,
                remedy=f"give objects with an attribute page_content or text, not a {type(given).__name__}",
            )
        metadata = metadata if isinstance(metadata, Mapping) else {}
        own = getattr(given, "id_", None) or getattr(given, "id", None)
        return Loaded(self.stable_id(own, text, metadata), text, metadata)

    def stable_id(self, own: Any, text: str, metadata: Mapping[str, Any]) -> str:
        """Return the id of a document, by the first of these rules that applies.

        1. Its own id; one that looks random counts only if the metadata has it as well, or with ``trusts_ids``.
        2. Where it is from (``source``, ``file_path``, ``url``, ...), with ``#1``, ``#2``, ... for the second and later texts
           from there.
        3. A digest of its text: changed, it is another document, and the old one is deleted.
        """
        if own is not None and str(own) and (self._trusts_ids or self._is_own(str(own), metadata)):
            name = str(own)
        else:
            source = next((metadata[name] for name in SOURCES if metadata.get(name)), None)
            name = (
                str(source)
                if source is not None
                else hashlib.sha256(text.encode(errors="replace")).hexdigest()
            )
        if len(name) > LONGEST_ID:
            name = f"{name[: LONGEST_ID - 65]}#{hashlib.sha256(name.encode(errors='replace')).hexdigest()}"
        position = self._seen[name]
        # A source may itself be called "notes.md#1".
        while (unique := f"{name}#{position}" if position else name) in self._seen:
            position += 1
        self._seen[unique] = 1
        self._seen[name] = position + 1
        return unique

    def _is_own(self, own: str, metadata: Mapping[str, Any]) -> bool:
        if not RANDOM_ID.fullmatch(own.lower()):
            return True
        return any(own in value for value in metadata.values() if isinstance(value, str))


def default_document(loaded: Loaded) -> Document:
    """Return a document of the text, with what the metadata says in the words that loaders use."""
    source = loaded.first(SOURCES)
    url = next((str(value) for value in (loaded.first(("url", "link")), source) if _is_url(value)), None)
    title = loaded.first(TITLES) or (PurePath(str(source)).name if source else None)
    return Document(
        external_id=loaded.id,
        title=str(title or loaded.text.strip().partition("\n")[0][:100] or loaded.id),
        content=loaded.text,
        metadata=DocumentMetadata(
            url=url,
            path=None if url or source is None else str(source),
            author=_text(loaded.first(("author", "authors"))),
            mime_type=_text(loaded.first(("file_type", "mime_type", "content_type"))),
            created_at=_moment(loaded.first(CREATED)),
            updated_at=_moment(loaded.first(UPDATED)),
            extra=_extra(loaded.metadata),
        ),
    )


def _extra(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of the metadata has a JSON form."""
    extra: dict[str, Any] = {}
    for name, value in metadata.items():
        if name not in PASSING:
            with suppress(InvalidValueError):
                extra[str(name)] = plain_json(value)
    return extra


def _is_url(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://"))


def _text(value: Any) -> str | None:
    return value[:100] if isinstance(value, str) else None


def _moment(value: Any) -> dt.datetime | None:
    """Return a moment, None where this is no ISO 8601 text."""
    if isinstance(value, dt.datetime):
        return value
    try:
        return dt.datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
