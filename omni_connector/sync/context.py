"""What a connector's ``sync()`` is given: the run, and how to report to it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Unpack

from omni_connector.awaitables import (
    DONE,
    AwaitableBool,
    AwaitableDict,
    AwaitableList,
    AwaitableNone,
    AwaitableStr,
)
from omni_connector.exceptions import InvalidValueError
from omni_connector.inventory.fingerprint import version_key
from omni_connector.models.codec import checkpoint_of
from omni_connector.models.document import Document, document_id
from omni_connector.models.events import (
    CREATED,
    UPDATED,
    EncodedEvent,
    encode_group,
    encode_person,
    encode_person_deletion,
)
from omni_connector.models.json_values import JsonValue
from omni_connector.models.people import GroupMembership, PersonRecord, person_email, require_other_manager
from omni_connector.sync.colours import Colour
from omni_connector.sync.content import ContentStorage
from omni_connector.sync.inventory import Inventory
from omni_connector.sync.ledger import DocumentError
from omni_connector.sync.run import SyncRun
from omni_connector.sync.run_view import RunView
from omni_connector.sync.source_run import RunOfSource
from omni_connector.typed.state_class import plain_state

if TYPE_CHECKING:  # Loads requests, which a run may do without.
    from omni_connector.sources.session import HttpSession
    from omni_connector.sources.session_options import HttpOptions


LARGEST_COUNT = 2**31 - 1
"""The manager's counters have 32 bits (PROTOCOL, section 10)."""


class SyncContext(RunView):
    """One run, as its connector sees it.

    In a blocking connector every method does its work and returns its value. In an ``async def sync`` the same
    methods are awaited and never block the event loop. ``is_cancelled``, ``raise_if_cancelled`` and the properties are
    plain in both. All methods may be called from several threads.

    Unless a method says otherwise it raises:

    - ``SyncCancelledError`` once the run is cancelled or over at the manager (let it pass: it ends the run);
    - ``SyncFinishedError`` after ``complete`` or ``fail``;
    - ``SdkClientError`` when the manager cannot be reached or refuses for good, also for earlier calls whose work was
      done in the background.

    Attributes:
        content_storage: stores texts and returns their content ids.
    """

    def __init__(self, run: SyncRun, colour: Colour) -> None:
        self._run = run
        self._colour = colour
        self.content_storage = ContentStorage(run, colour)

    # -- secrets ------------------------------------------------------------------------------------------------

    def credentials(self, *, fresh: bool = False) -> AwaitableDict[str, Any]:
        """Return the source's credentials, as ``sync()`` was given them or fetched them last.

        Args:
            fresh: ask the manager for them. It refreshes an OAuth token that expires within five minutes; any other comes
                as it is stored (PROTOCOL, "Actions" and manager.openapi.yaml). Empty for a source that has none.

        Raises:
            SdkClientError: also when the provider refuses to refresh the token (status 500).
        """
        return self._colour.call(AwaitableDict[str, Any], self._run.credentials, fresh)

    def add_secret(self, text: str) -> None:
        """Mask a secret in logs and errors as long as this run is in progress: a token that was fetched for it, say.

        What is in the credentials is masked anyway. A text that is short or a common word is not masked (docs/how-to/secrets.md).

        Args:
            text: the secret, of at least 6 characters.
        """
        self._run.secrets.name(text)

    # -- the source ---------------------------------------------------------------------------------------------

    def http(self, base_url: str = "", **options: "Unpack[HttpOptions]") -> "HttpSession":
        """Return a ``requests`` session that reads the source, closed at the end of the run; see ``sources.http_session``.

        In an ``async def sync`` its calls are awaited: ``await ctx.http().get(url)``.
        """
        from omni_connector.sources import http_session  # noqa: PLC0415 - loads requests.

        return http_session(RunOfSource(self._run, self._colour), base_url=base_url, **options)

    # -- documents ----------------------------------------------------------------------------------------------

    def emit(self, document: Document) -> AwaitableNone:
        """Send a document, new or changed: the manager adds it or replaces what it has.

        Returns when its content was read and there is room in the buffer; the document travels in the background.

        Raises:
            InvalidDocumentError: the document holds a value that has no JSON form, or its bytes are not text.
        """
        rest = self._run.intake.emit(CREATED, document)
        return DONE if rest is None else self._colour.call(AwaitableNone, rest)

    def emit_updated(self, document: Document) -> AwaitableNone:
        """Send a changed document; as ``emit``, for connectors that know the difference."""
        rest = self._run.intake.emit(UPDATED, document)
        return DONE if rest is None else self._colour.call(AwaitableNone, rest)

    def emit_deleted(self, external_id: str | int) -> AwaitableNone:
        """Say that a document is gone. One that the manager does not know is no error.

        Raises:
            InvalidValueError: ``external_id`` is neither a text of 1 to 500 characters nor a whole number.
        """
        name = document_id(external_id)
        rest = self._run.intake.delete(name)
        return DONE if rest is None else self._colour.call(AwaitableNone, rest)

    def inventory(self, scope: str = "", *, version: JsonValue = None) -> Inventory:
        """Return what finds changes and deletions: which documents of a scope the manager has, and in which version.

        Open it at the beginning of ``sync()``, in every run. A partition has inventories of its own.

        Args:
            scope: a part of the source that is listed by itself, such as a drive or a mailbox.
            version: what all documents depend on, such as the permissions in the settings, or the version of your
                conversion. When it is another, all documents count as changed.
        """
        return Inventory(self._run, self._colour, self._run.inventories.listing(scope, version_key(version)))

    # -- groups and people --------------------------------------------------------------------------------------

    def emit_group_membership(
        self, group_email: str, member_emails: Iterable[str], group_name: str | None = None
    ) -> AwaitableNone:
        """Say who is in a group, whole: the list replaces the former one. Delivered in its order among the documents.

        Args:
            group_email: what documents name in ``DocumentPermissions.groups``.
            member_emails: all members; written in lower case, each once. An empty list empties the group.
            group_name: shown to people; None keeps the old name.

        Raises:
            InvalidValueError: a value has the wrong type or more than 255 characters.
        """
        group = GroupMembership(group_email=group_email, member_emails=member_emails, group_name=group_name)
        event = encode_group(group, sync_run_id=self.sync_run_id, source_id=self.source_id)
        return self._put("emit_group_membership", event)

    def emit_person_sync(self, person: PersonRecord) -> AwaitableNone:
        """Say what the source knows of a person, whole: it replaces what this source said before.

        Args:
            person: the whole record; what is None is unknown.

        Raises:
            InvalidValueError: ``person`` is no PersonRecord, or was made unusable after its creation.
        """
        if not isinstance(person, PersonRecord):
            raise InvalidValueError(
                model="SyncContext", field="emit_person_sync", value=person, remedy="give a PersonRecord(...)"
            )
        require_other_manager(person)
        event = encode_person(person, sync_run_id=self.sync_run_id, source_id=self.source_id)
        return self._put("emit_person_sync", event)

    def emit_person_deleted(self, email: str) -> AwaitableNone:
        """Say that the source does not know a person any more. One that the manager does not know is no error.

        Raises:
            InvalidValueError: ``email`` is no e-mail address.
        """
        address = person_email(email)
        event = encode_person_deletion(address, sync_run_id=self.sync_run_id, source_id=self.source_id)
        return self._put("emit_person_deleted", event)

    # -- counts, errors, the owner -------------------------------------------------------------------------------

    def user_email(self) -> AwaitableStr:
        """Return the e-mail address of the user who made the source. Asked for once a run.

        Raises:
            SdkClientError: the manager does not say.
        """
        return self._colour.call(AwaitableStr, self._run.user_email)

    def emit_error(self, external_id: str, error: str | BaseException) -> AwaitableNone:
        """Note that a document could not be read; the run goes on. Counted, logged and shown with the run.

        Args:
            external_id: the id that the document has, or would have had.
            error: what was wrong, for people; of an exception its type and message. Secrets are masked.

        Raises:
            TooManyErrorsError: more documents failed than the connector's ``error_limits`` allow; let it pass.
        """
        self._run.intake.note_error(str(external_id), error)
        return DONE

    def increment_scanned(self, count: int = 1) -> AwaitableNone:
        """Count documents looked at, changed or not. Reported in sums, in the background.

        Args:
            count: how many more.

        Raises:
            InvalidValueError: ``count`` is not a whole number of at most 32 bits.
        """
        if type(count) is not int or abs(count) > LARGEST_COUNT:
            raise InvalidValueError(
                model="SyncContext",
                field="increment_scanned",
                value=count,
                remedy="give a whole number of at most 32 bits",
            )
        self._run.intake.count_scanned(count)
        return DONE

    def flush(self) -> AwaitableList[DocumentError]:
        """Wait until everything emitted so far was accepted or refused; return what was refused since the last flush.

        After it a checkpoint that leaves those documents out is safe (docs/how-to/refused-documents.md). Documents that the
        connector itself reported with ``emit_error`` are not among them.

        Raises:
            TooManyErrorsError: more documents were refused than the connector's ``error_limits`` allow, or more than
                10,000 since the last flush, which cannot all be named.
        """
        return self._colour.call(AwaitableList[DocumentError], self._run.intake.flush)

    # -- the end, and the way there -----------------------------------------------------------------------------

    def save_state(self, state: JsonValue, *, every_seconds: float = 0.0) -> AwaitableNone:
        """Save a checkpoint: where a resumed run goes on.

        Everything emitted before is accepted by the manager before the checkpoint is saved. It becomes the
        source's checkpoint, which the next run is given, when the run completes.

        Args:
            state: a dict of JSON values, or an instance of a state class (docs/how-to/settings.md). It is saved as it is at the call,
                whatever happens to it afterwards.
            every_seconds: nothing is saved where that was done less than so long ago. A save waits for the manager: in a
                loop over documents, save every few seconds.

        Raises:
            InvalidValueError: it is neither, holds something without a JSON form or that would come back as something
                else (a datetime without offset, a key that is a number), or is larger than the manager takes.
            TooManyErrorsError: of ten or more documents so far, more failed than the connector's ``error_limits`` allow.
        """
        if self._run.checkpoints.age_seconds < every_seconds:
            self._run.require_open("save_state")
            return DONE
        return self._colour.call(AwaitableNone, self._run.checkpoints.save, checkpoint_of(plain_state(state)))

    def save_checkpoint(self, checkpoint: JsonValue) -> AwaitableNone:
        """The same as ``save_state``, by its name in the current protocol."""
        return self.save_state(checkpoint)

    def save_connector_state(self, state: JsonValue) -> AwaitableNone:
        """Replace the durable notes of the source, such as the id of a webhook; also after the end of the run.

        Do not use them as a checkpoint: they are kept however the run ends, and documents emitted before may not have
        arrived yet. Managers before 8 June 2026 have one place for both; there they are kept for the rest of the run
        only, and the log says so.

        Args:
            state: a dict of JSON values. It is saved as it is at the call, whatever happens to it afterwards.

        Raises:
            InvalidValueError: as for ``save_state``.
        """
        notes = checkpoint_of(state, name="connector state")
        return self._colour.call(AwaitableNone, self._run.checkpoints.save_connector_state, notes)

    def complete(self, new_state: JsonValue = None, *, checkpoint: JsonValue = None) -> AwaitableNone:
        """End the run as completed, when everything emitted was accepted.

        Nothing happens when the run is cancelled or has ended already.

        Args:
            new_state: the checkpoint for the next run, a dict; left out, the last one stays.
            checkpoint: the same, by its name in the current protocol.

        Raises:
            InvalidValueError: as for ``save_state``.
            TooManyErrorsError: of ten or more documents, more failed than the connector's ``error_limits`` allow.
        """
        wished = new_state if new_state is not None else checkpoint
        if wished is not None:
            self._run.checkpoints.wish(checkpoint_of(plain_state(wished)))
        return self._colour.call(AwaitableNone, self._run.complete)

    def fail(self, error: str | BaseException) -> AwaitableNone:
        """End the run as failed; its checkpoint is not published. Nothing happens when it is cancelled or has ended.

        Args:
            error: what was wrong, for people; of an exception its type and message. Secrets are masked.
        """
        return self._colour.call(AwaitableNone, self._run.fail, error)

    def heartbeat(self) -> AwaitableNone:
        """Tell the manager that the run is alive; one that fails changes nothing."""
        return self._colour.call(AwaitableNone, self._run.heartbeat)

    def progress(self, *, total: int | None = None, phase: str | None = None) -> AwaitableNone:
        """Say how far the run is: shown by ``omni-connector run``, in the log and in metrics, as a share and a remaining time.

        What counts as done are the documents that were scanned, or emitted and deleted, whichever are more. It changes
        nothing else, costs no request, and can be called again whenever more is known.

        Args:
            total: documents that there are, as far as is known; of a partition, its own: they add up.
            phase: what the connector is doing, such as ``users``. A new one counts from here on, and has no total yet.

        Raises:
            InvalidValueError: ``total`` is not a whole number from 0, or ``phase`` is not text.
        """
        if total is not None and (type(total) is not int or total < 0):
            raise InvalidValueError(
                model="SyncContext",
                field="progress",
                value=total,
                remedy="give total=, a whole number from 0",
            )
        if phase is not None and not isinstance(phase, str):
            raise InvalidValueError(
                model="SyncContext", field="progress", value=phase, remedy="give phase=, a short text"
            )
        self._run.require_open("progress")
        self._run.set_progress(total, phase)
        return DONE

    def sleep(self, seconds: float) -> AwaitableBool:
        """Wait, but no longer than until the run is asked to stop; true when the time is over."""
        return self._colour.sleep(self._run, seconds)

    def _put(self, operation: str, event: EncodedEvent) -> AwaitableNone:
        rest = self._run.intake.put(operation, event)
        return DONE if rest is None else self._colour.call(AwaitableNone, rest)
