"""LangChain loaders and LlamaIndex readers as connectors, recognised by their methods; neither has to be installed."""

import datetime as dt
import hashlib
import logging
import re
from collections import Counter
from collections.abc import AsyncIterable, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from functools import partial
from pathlib import PurePath
from typing import Any

from attrs import define, field, frozen

from omni_connector.bridges.filing import (
    Filing,
    Pace,
    documents_of,
    imports_of,
    lacking,
    require_def,
    with_config,
)
from omni_connector.bridges.omissions import Omissions
from omni_connector.bridges.reading import read
from omni_connector.connector import Connector
from omni_connector.connector_base.base import Config, Credentials
from omni_connector.event_loop import EventLoop, OnStop
from omni_connector.exceptions import ConfigurationError, InvalidValueError
from omni_connector.models.document import Document, DocumentMetadata, DocumentPermissions
from omni_connector.models.json_values import plain_json
from omni_connector.sync.context import SyncContext

__all__ = ["Loaded", "LoaderConnector"]

log = logging.getLogger(__name__)

METHODS = (
    *("lazy_load", "lazy_load_data", "iter_data", "load_data", "load"),
    *("alazy_load", "alazy_load_data", "aload_data", "aload"),
)
"""Names under which loaders and readers give their documents; the first that is there and implemented is called."""

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
DOCUMENTS_AHEAD = 20


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


class LoaderConnector(Connector[Config, Credentials]):
    """Reads a LangChain loader or a LlamaIndex reader. A subclass has a ``name``, a ``version`` and a ``loader``.

        class Handbook(LoaderConnector):
            name = "handbook"
            version = "1.0.0"

            def loader(self, config, credentials):
                return DirectoryLoader(config["folder"], glob="**/*.md", loader_cls=TextLoader)

    Loaders read everything each time; only what is new or changed is sent, and what is gone is deleted.

    Attributes:
        trusts_ids: ids that look random (UUIDs of version 4) are the source's own, and stay the same.
        is_complete: the loader gives all documents each time. False for one that skips over errors or gives the latest only:
            then nothing is deleted.
    """

    sync_modes = ["full", "incremental"]
    trusts_ids = False
    is_complete = True

    def loader(self, config: Config, credentials: Credentials) -> Any:
        """Return a loader or a reader, a function that gives their documents, or an iterable of them, also an async one.

            return TextLoader(config["path"])
            return partial(StringIterableReader().load_data, texts=["a", "b"])

        Called in the thread that reads it.

        Args:
            config: the source's settings.
            credentials: the source's secrets.
        """
        del config, credentials
        raise lacking(self, "loader(config, credentials)")

    def document(self, loaded: Loaded, *_args: Any, **_kwargs: Any) -> Document | Iterable[Document] | None:
        """Return what is indexed: a document, several, or None. By default one, made of the text and the metadata.

        An override may also take ``config``, the settings of the source; so may one of ``permissions``.

        Args:
            loaded: one document of the loader: its text, metadata and id.
        """
        return default_document(loaded)

    def permissions(self, loaded: Loaded, *_args: Any, **_kwargs: Any) -> DocumentPermissions | None:
        """Return who finds the documents that have no permissions of their own; None keeps them private.

        Args:
            loaded: as for ``document``.
        """
        del loaded
        return None

    def sync(self, source_config: Config, credentials: Credentials, state: Any, ctx: SyncContext, /) -> None:
        """Read everything; send what changed, delete what is gone."""
        del state
        filing, read_so_far = Filing(ctx, ""), 0
        pace, ids = Pace(), Ids(trusts_ids=self.trusts_ids)
        reading = LoaderReading(self, source_config, credentials, ctx.on_stop)
        document = with_config(self.document, source_config)
        permissions = with_config(self.permissions, source_config)
        omissions = Omissions()
        start = partial(omissions.over, reading.documents)
        with closing(read(ctx, f"loader of {self.name}", start, ahead=DOCUMENTS_AHEAD)) as found:
            for each in found:
                read_so_far += 1
                with filing.one(f"document {read_so_far}"):
                    loaded = ids.loaded(each)
                    documents = documents_of(document(loaded))
                    filing.file(documents, permissions(loaded))
                if pace.is_due():
                    ctx.save_state({"documents": read_so_far})
                    pace.begin()
        filing.finish(is_complete=self.is_complete and not reading.skips_errors, omitted=omissions.reason())
        ctx.complete(
            {"documents": read_so_far}
        )  # Without a checkpoint, the manager schedules full runs only.


@define(eq=False)
class LoaderReading:
    """Calls a loader in the thread that reads.

    Attributes:
        skips_errors: the loader says of itself that it leaves out what it cannot read.
    """

    _connector: LoaderConnector
    _config: Any
    _credentials: Any
    _on_stop: OnStop
    skips_errors: bool = field(init=False, default=False)

    def documents(self) -> Generator[Any, None, None]:
        """Yield what the loader gives.

        Raises:
            ConfigurationError: it is no loader.
        """
        hook = self._connector.loader
        require_def(hook)
        with imports_of(hook):
            loader = hook(self._config, self._credentials)
        self.skips_errors = skips_errors(loader)
        if self.skips_errors:
            log.warning(
                "%s skips what it cannot read, so that nothing is deleted. Give it raise_on_error=True (LlamaIndex) or "
                "silent_errors=False (LangChain)",
                type(loader).__name__,
            )
        for call in calls_of(loader):
            has_begun = False
            try:
                for item in self._given(call):
                    has_begun = True
                    yield from item if isinstance(item, list) else [item]
            except NotImplementedError:
                if has_begun:
                    raise
                continue  # A base class has the method, but only others of this loader work.
            return
        raise ConfigurationError(
            f"{type(self._connector).__name__}.loader() returned {type(loader).__name__}: return a LangChain loader, a "
            f"LlamaIndex reader, or an iterable of their documents"
        )

    def _given(self, call: Callable[[], Any]) -> Iterator[Any]:
        """Yield what a call gives: an iterable, an async one, or something to be awaited that has one of them."""
        given = call()
        if hasattr(given, "__await__") or isinstance(given, AsyncIterable):
            yield from self._awaited(given)
        elif isinstance(given, Iterable) and not isinstance(given, (str, bytes, Mapping)):
            yield from given
        else:
            yield given

    def _awaited(self, given: Any) -> Iterator[Any]:
        loop = EventLoop(f"loader of {self._connector.name}")
        try:
            if hasattr(given, "__await__"):
                given = loop.run(given, on_stop=self._on_stop, grace_seconds=0)
            if not isinstance(given, AsyncIterable):
                yield from given
                return
            iterator = aiter(given)
            while (found := loop.run(_next(iterator), on_stop=self._on_stop, grace_seconds=0)) is not None:
                yield found[0]
        finally:
            loop.close()


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
        self._seen[name] += 1
        return f"{name}#{position}" if position else name

    def _is_own(self, own: str, metadata: Mapping[str, Any]) -> bool:
        if not RANDOM_ID.fullmatch(own.lower()):
            return True
        return any(own in value for value in metadata.values() if isinstance(value, str))


def calls_of(loader: Any) -> list[Callable[[], Any]]:
    """Return the ways to get the documents of what an author's ``loader()`` returned, the best first."""
    methods = [getattr(loader, name) for name in METHODS if callable(getattr(loader, name, None))]
    if methods:
        return methods
    if isinstance(loader, (Iterable, AsyncIterable)) and not isinstance(loader, (str, bytes, Mapping)):
        return [lambda: loader]
    return [loader] if callable(loader) else []


def skips_errors(loader: Any) -> bool:
    """Say whether a loader is set to leave out what it cannot read."""
    return getattr(loader, "silent_errors", False) is True or getattr(loader, "raise_on_error", True) is False


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


async def _next(iterator: Any) -> tuple[Any] | None:
    try:
        return (await anext(iterator),)
    except StopAsyncIteration:
        return None


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
