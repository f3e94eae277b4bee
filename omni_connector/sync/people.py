"""What a run says about groups and people, in its order among the documents."""

from abc import abstractmethod
from collections.abc import Iterable

from omni_connector.awaitables import DONE, AwaitableNone
from omni_connector.exceptions import InvalidValueError
from omni_connector.models.events import EncodedEvent, encode_group, encode_person, encode_person_deletion
from omni_connector.models.people import GroupMembership, PersonRecord, person_email, require_other_manager
from omni_connector.sync.run_view import RunView


class PeopleEvents(RunView):
    """The part of a context that emits groups and people; they travel as documents do."""

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
        self._take_group(group_email, member_emails, group_name)
        self._wait_for_room()
        return DONE

    def emit_person_sync(self, person: PersonRecord) -> AwaitableNone:
        """Say what the source knows of a person, whole: it replaces what this source said before.

        Raises:
            InvalidValueError: ``person`` is no PersonRecord, or was made unusable after its creation.
        """
        self._take_person(person)
        self._wait_for_room()
        return DONE

    def emit_person_deleted(self, email: str) -> AwaitableNone:
        """Say that the source does not know a person any more. One that the manager does not know is no error.

        Raises:
            InvalidValueError: ``email`` is no e-mail address.
        """
        self._take_person_deletion(email)
        self._wait_for_room()
        return DONE

    @abstractmethod
    def _put(self, what: str, event: EncodedEvent) -> None:
        """Queue an event that has no content; memory only."""

    @abstractmethod
    def _wait_for_room(self) -> AwaitableNone:
        """Wait until the buffer has room for more."""

    def _take_group(self, group_email: str, member_emails: Iterable[str], group_name: str | None) -> None:
        group = GroupMembership(
            group_email=group_email,
            member_emails=member_emails,
            group_name=group_name,
        )
        self._put(
            "emit_group_membership",
            encode_group(group, sync_run_id=self.sync_run_id, source_id=self.source_id),
        )

    def _take_person(self, person: PersonRecord) -> None:
        if not isinstance(person, PersonRecord):
            raise InvalidValueError(
                model="SyncContext", field="emit_person_sync", value=person, remedy="give a PersonRecord(...)"
            )
        require_other_manager(person)
        self._put(
            "emit_person_sync", encode_person(person, sync_run_id=self.sync_run_id, source_id=self.source_id)
        )

    def _take_person_deletion(self, email: str) -> None:
        event = encode_person_deletion(
            person_email(email), sync_run_id=self.sync_run_id, source_id=self.source_id
        )
        self._put("emit_person_deleted", event)
