"""The context of an ``async def sync``: the same run, with its blocking calls moved off the event loop.

Calls that only touch memory stay inline, so that events keep the order in which they were emitted even when their
awaitables are gathered. A blocking call starts when it is called, not when it is awaited. The declared return types
are those of the blocking context; what is returned is a real awaitable of such a value.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from os import PathLike
from typing import BinaryIO, TypeVar, cast

from omni_connector.awaitables import DONE, AwaitableBool, AwaitableList, AwaitableNone, AwaitableStr
from omni_connector.event_loop import EventLoop
from omni_connector.exceptions import ConnectorError
from omni_connector.models.codec import checkpoint_of, encode_text
from omni_connector.models.document import Document
from omni_connector.models.events import CREATED, UPDATED
from omni_connector.models.people import PersonRecord
from omni_connector.models.plain import JsonValue
from omni_connector.sync.content import ContentStorage, checked_text
from omni_connector.sync.context import SyncContext
from omni_connector.sync.ledger import DocumentError
from omni_connector.sync.payloads import fits_every_manager

T = TypeVar("T")


class AsyncContentStorage(ContentStorage):
    """Stores contents without blocking the loop; calls that are gathered run at once."""

    loop: EventLoop

    def save(self, content: str, content_type: str = "text/plain") -> AwaitableStr:
        """As in the blocking context, to be awaited; no thread waits for it."""
        try:
            self._check()
            encoded = encode_text(checked_text(content, self._run))
        except ConnectorError as error:
            promise = self.loop.promise()
            promise.fail(error)
            return cast("AwaitableStr", promise.value)
        if not fits_every_manager(encoded):
            blocking = super().save
            return cast("AwaitableStr", self.loop.off_loop(lambda: str(blocking(content, content_type))))
        promise = self.loop.promise()

        def stored(upload: "Future[str]") -> None:
            promise.settle_with(lambda: self._told(upload.result))

        self._manager.upload_text(self._run.sync_run_id, encoded, content_type).add_done_callback(stored)
        return cast("AwaitableStr", promise.value)

    def save_binary(self, content: bytes, content_type: str = "application/octet-stream") -> AwaitableStr:
        """As in the blocking context, to be awaited."""
        blocking = super().save_binary
        return cast("AwaitableStr", self.loop.off_loop(lambda: str(blocking(content, content_type))))

    def extract_and_store_content(
        self, data: bytes | PathLike[str] | BinaryIO, mime_type: str, filename: str | None = None
    ) -> AwaitableStr:
        """As in the blocking context, to be awaited."""
        blocking = super().extract_and_store_content
        return cast("AwaitableStr", self.loop.off_loop(lambda: str(blocking(data, mime_type, filename))))

    def extract_text(
        self, data: bytes | PathLike[str] | BinaryIO, mime_type: str, filename: str | None = None
    ) -> AwaitableStr:
        """As in the blocking context, to be awaited."""
        blocking = super().extract_text
        return cast("AwaitableStr", self.loop.off_loop(lambda: str(blocking(data, mime_type, filename))))


class AsyncSyncContext(SyncContext):
    """One run, as its ``async def sync`` sees it; made from a blocking context with ``bind``."""

    _loop: EventLoop

    def bind(self, loop: EventLoop) -> "AsyncSyncContext":
        """Name the loop on which the connector's coroutines run."""
        self._loop = loop
        storage = AsyncContentStorage(self._run, self._manager, self._check, pulse=self.pulse)
        storage.loop = loop
        self.content_storage = storage
        return self

    def emit(self, document: Document) -> AwaitableNone:
        """As in the blocking context, to be awaited."""
        self._take(CREATED, document)
        return self._room()

    def emit_updated(self, document: Document) -> AwaitableNone:
        """As in the blocking context, to be awaited."""
        self._take(UPDATED, document)
        return self._room()

    def emit_deleted(self, external_id: str) -> AwaitableNone:
        """As in the blocking context, to be awaited."""
        self._take_deletion(external_id)
        return self._room()

    def emit_group_membership(
        self, group_email: str, member_emails: Iterable[str], group_name: str | None = None
    ) -> AwaitableNone:
        """As in the blocking context, to be awaited."""
        self._take_group(group_email, member_emails, group_name)
        return self._room()

    def emit_person_sync(self, person: PersonRecord) -> AwaitableNone:
        """As in the blocking context, to be awaited."""
        self._take_person(person)
        return self._room()

    def emit_person_deleted(self, email: str) -> AwaitableNone:
        """As in the blocking context, to be awaited."""
        self._take_person_deletion(email)
        return self._room()

    def user_email(self) -> AwaitableStr:
        """As in the blocking context, to be awaited."""
        if self._user_email is not None:
            return AwaitableStr(self._user_email)
        blocking = super().user_email
        return self._off(lambda: cast("AwaitableStr", str(blocking())))

    def flush(self) -> AwaitableList[DocumentError]:
        """As in the blocking context, to be awaited."""
        return self._off(super().flush)

    def save_state(self, state: JsonValue) -> AwaitableNone:
        """As in the blocking context, to be awaited."""
        saved = checkpoint_of(state)  # Now, before another task changes it.
        return self._off(lambda: self._save(saved))

    def save_connector_state(self, state: JsonValue) -> AwaitableNone:
        """As in the blocking context, to be awaited."""
        saved = checkpoint_of(state, name="connector state")  # Now, before another task changes it.
        return self._off(lambda: self._save_connector_state(saved))

    def complete(self, new_state: JsonValue = None, *, checkpoint: JsonValue = None) -> AwaitableNone:
        """As in the blocking context, to be awaited."""
        state = new_state if new_state is not None else checkpoint
        if state is not None:
            state = self._wanted_state = checkpoint_of(state)  # Also for the case that nobody awaits this.
        return self._off(lambda: self._complete(state))

    def fail(self, error: str | BaseException) -> AwaitableNone:
        """As in the blocking context, to be awaited."""
        blocking = super().fail
        return self._off(lambda: blocking(error))

    def heartbeat(self) -> AwaitableNone:
        """As in the blocking context, to be awaited."""
        return self._off(super().heartbeat)

    def sleep(self, seconds: float) -> AwaitableBool:
        """As in the blocking context, to be awaited; holds no thread."""
        return self._slept(seconds)  # type: ignore[return-value]

    async def _slept(self, seconds: float) -> bool:
        with self.pulse.inside("sleep"):
            await self._loop.sleep(seconds, self._stop.on_set)
        return not self._stop.event.is_set()

    def _room(self) -> AwaitableNone:
        if self._delivery.has_room():
            return DONE
        return self._off(self._wait_for_room)

    def _off(self, call: Callable[[], T]) -> T:
        """Start ``call`` in a thread; what is returned is an awaitable of its value."""
        return cast("T", self._loop.off_loop(call))
