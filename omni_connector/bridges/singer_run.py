"""What one run makes of the messages of its tap."""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from attrs import define, field

from omni_connector.bridges.filing import Filing, Pace, documents_of, with_config
from omni_connector.bridges.singer_schema import Stream
from omni_connector.bridges.singer_tap import TapError, shown
from omni_connector.exceptions import InvalidValueError
from omni_connector.models.document import Document, DocumentPermissions
from omni_connector.sync.context import SyncContext

FULL_TABLE = "FULL_TABLE"

NEEDED: dict[str, dict[str, type]] = {
    "RECORD": {"stream": str, "record": dict},
    "SCHEMA": {"stream": str, "schema": dict},
    "STATE": {"value": object},
    "ACTIVATE_VERSION": {"stream": str, "version": int},
}
"""What a message has by its type; unknown types are skipped."""


class TakesRecords(Protocol):
    """A connector that makes documents of records; see ``SingerConnector``."""

    append_only: list[str]

    def document(self, record: dict[str, Any], stream: Stream) -> Document | Iterable[Document] | None:
        """Return what is indexed of a record."""

    def permissions(self, record: dict[str, Any], stream: Stream) -> DocumentPermissions | None:
        """Return who finds the documents of a record."""


@define(eq=False)
class TapRun:
    """Takes the messages one by one.

    Attributes:
        ctx: the run at the manager.
        tap_state: the last STATE.
        methods: how streams are read, by the catalogue.
    """

    _connector: TakesRecords
    ctx: SyncContext
    _tap: str
    _given: dict[str, Any]
    _config: Any
    tap_state: Any = field(init=False)
    methods: dict[str, str] = field(init=False, factory=dict)
    _pace: Pace = field(init=False, factory=Pace)
    _streams: dict[str, Stream] = field(init=False, factory=dict)
    _scopes: dict[str, Filing] = field(init=False, factory=dict)
    _versions: dict[str, Any] = field(init=False, factory=dict)  # Activated in this run.
    _document: Callable[..., Any] = field(init=False)
    _permissions: Callable[..., DocumentPermissions | None] = field(init=False)
    _whole: Filing = field(init=False)
    _reads_all: bool = field(init=False)  # The tap was begun without a state in this run.
    _begun: frozenset[str] = field(init=False, default=frozenset())  # Streams before an interruption.
    _line: int = field(init=False, default=0)
    _stream: str | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._document = with_config(self._connector.document, self._config)
        self._permissions = with_config(self._connector.permissions, self._config)
        self._whole = Filing(self.ctx, "")
        self.tap_state = self._given.get("singer")
        if self._given.get("run") == self.ctx.sync_run_id:
            self._reads_all = self._given["reads_all"]
            self._begun = frozenset(self._given.get("streams", ()))
        else:
            self._reads_all = not self.tap_state or self._whole.is_due()
            if self._reads_all:
                self.tap_state = None

    def take(self, line: bytes) -> None:
        """Do what a line says.

        Raises:
            TapError: it is no Singer message.
        """
        self._line += 1
        if not line.strip():
            return
        try:
            message = parsed(line)
        except ValueError as error:
            raise self._error(f"{shown(line)!r} is no Singer message: {error}") from error
        self._stream = message.get("stream", self._stream)
        kind = message["type"]
        if kind == "RECORD":
            self._take_record(message)
        elif kind == "STATE":
            self._take_state(message["value"])
        elif kind == "SCHEMA":
            self._take_schema(message)
        elif kind == "ACTIVATE_VERSION":
            self._versions[message["stream"]] = message["version"]
        elif kind == "BATCH":
            raise self._error("it writes its records into files (BATCH): take batch_config out of its config")

    def finish(self) -> None:
        """End the run of a tap that has ended well: delete what is gone, and complete with its last state."""
        ended = [
            filing.finish(is_complete=name not in self._connector.append_only and self._is_whole(name))
            for name, filing in self._scopes.items()
        ]
        # A tap that goes on after an interruption may leave out streams that it has read, so that nothing was finished there.
        is_whole = self._reads_all and all(ended) and self._begun <= self._scopes.keys()
        self._whole.finish(is_complete=is_whole)
        versions = {**self._given.get("versions", {}), **self._versions}
        self.ctx.complete({"singer": self.tap_state, "versions": versions})

    def _take_schema(self, message: dict[str, Any]) -> None:
        name = message["stream"]
        keys = tuple(message.get("key_properties") or ())
        self._streams[name] = Stream(name, message["schema"], keys)
        if name not in self._scopes:
            self._scopes[name] = Filing(self.ctx, name)

    def _take_record(self, message: dict[str, Any]) -> None:
        stream = self._streams.get(message["stream"])
        if stream is None:
            raise self._error("a RECORD came before the SCHEMA of its stream")
        record = message["record"]
        filing = self._scopes[stream.name]
        with filing.one(self._row_name(stream, record)):
            documents = documents_of(self._document(record, stream))
            if record.get("_sdc_deleted_at"):
                filing.remove(documents)
            elif documents:
                filing.file(documents, self._permissions(record, stream))

    def _row_name(self, stream: Stream, record: dict[str, Any]) -> str:
        """Return what a record is called in reports."""
        if stream.key_properties:
            with suppress(InvalidValueError):
                return stream.key(record)
        return f"line {self._line}"

    def _take_state(self, value: Any) -> None:
        self.tap_state = value
        if self._pace.is_due():
            self.ctx.save_state(
                {
                    "singer": value,
                    "versions": self._given.get("versions", {}),
                    "run": self.ctx.sync_run_id,
                    "reads_all": self._reads_all,
                    "streams": sorted(self._begun | self._scopes.keys()),
                }
            )
            self._pace.begin()

    def _is_whole(self, stream: str) -> bool:
        """Say whether this run has read all records of a stream.

        A tap that activates a version says so of the stream, if it is another version than that of the run before. Streams
        that belong to records of others have partitions in their state: they were read for those that changed.
        """
        if stream in self._versions and self._versions[stream] != self._given.get("versions", {}).get(stream):
            return True
        if self._reads_all:
            return True
        bookmarks = self.tap_state.get("bookmarks") if isinstance(self.tap_state, Mapping) else None
        bookmark = bookmarks.get(stream) if isinstance(bookmarks, Mapping) else None
        has_partitions = isinstance(bookmark, Mapping) and bool(bookmark.get("partitions"))
        return self.methods.get(stream) == FULL_TABLE and stream not in self._versions and not has_partitions

    def _error(self, reason: str) -> TapError:
        return TapError(self._tap, reason, stream=self._stream, line=self._line)


def parsed(line: bytes) -> dict[str, Any]:
    """Return a message as a dict that has what its type needs.

    Raises:
        ValueError: it is none; says why.
    """
    message = json.loads(line)  # Not orjson: taps write NaN, and whole numbers of any size.
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ValueError('it is no object with a "type"')  # noqa: TRY004 - the line is wrong, not our caller.
    for name, kind in NEEDED.get(message["type"], {}).items():
        if not isinstance(message.get(name), kind) or name not in message:
            raise ValueError(f"its {name!r} is missing or of the wrong type")
    return message
