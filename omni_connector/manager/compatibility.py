"""What older managers lack (PROTOCOL, section 18), and the memory of what one was found to lack.

There is no version to ask for. A feature is tried; a manager that has no such route answers 404 without a body, and one
that does not know a kind of event names it. The finding is said in one line of the log and remembered for some minutes,
or until the next successful registration: managers are upgraded while connectors run.
"""

import enum
import logging
import re
import threading
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus

from omni_connector.exceptions import SdkClientError
from omni_connector.forking import begins_anew
from omni_connector.models.codec import decode

log = logging.getLogger(__name__)

FORGOTTEN_SECONDS = 300.0
"""How long a finding is believed."""

_UNKNOWN = re.compile(r"(?P<path>[\w.\[\]]*): unknown variant `(?P<variant>[^`]*)`")


class Feature(enum.Enum):
    """What newer managers have: its name, since when, and what is done without it."""

    SYNC_CONFIG = ("sync-config", "11 February 2026", "source and credentials are read one by one")
    CONNECTOR_STATE = (
        "connector state",
        "19 February 2026",
        "a checkpoint is handed over when its run completes, and lost when it does not",
    )
    CONNECTOR_CONFIGS = ("connector configs", "22 February 2026", "they are taken as empty")
    GROUPS = ("group events", "21 March 2026", "they are left out, the other events arrive")
    EXTRACT_CONTENT = (
        "extraction of files",
        "24 March 2026",
        "documents with files to be extracted do not arrive",
    )
    EXTRACT_TEXT = ("extraction of text", "12 April 2026", "extract_text fails")
    BATCHES = ("batches of events", "23 April 2026", "events are sent one by one")
    UPDATED = ("count of updates", "26 April 2026", "it is sent when a run completes, where that is read")
    CHECKPOINTS = (
        "checkpoints",
        "8 June 2026",
        "they are kept as the source's connector state, and ctx.save_connector_state keeps nothing beyond its run",
    )
    SOURCE_TYPES = (
        "source types beyond its own",
        "24 July 2026",
        "the connector is registered for its built-in types only",
    )
    PEOPLE = ("person events", "2 August 2026", "they are left out, the other events arrive")

    def __init__(self, title: str, since: str, instead: str) -> None:
        self.title = title
        self.since = since
        self.instead = instead


KINDS = {
    "group_membership_sync": Feature.GROUPS,
    "person_sync": Feature.PEOPLE,
    "person_deleted": Feature.PEOPLE,
}
"""Kinds of events that older managers do not know."""


class Compatibility:
    """Knows what one manager lacks; shared by everybody who calls it, from many threads.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()  # Protects both while they change; single looks need no lock.
        self._missing: dict[Feature, float] = {}  # Until when each finding is believed.
        self._said: set[Feature] = set()  # Found missing, and not found since.
        self._known: set[Feature] = set()  # Found, and not missed since.
        begins_anew(self)

    def after_fork(self) -> None:
        """Renew the lock, which may have been held."""
        self._lock = threading.Lock()

    def missed(self, feature: Feature) -> bool:
        """Learn that the manager has no such route, and say whether that is believed.

        A route that was there a moment ago does not make a manager old: something before it answered in its place, or it
        is just being replaced. The first such answer is an error like any other; a second one is believed.
        """
        if feature in self._known:
            self._known.discard(feature)
            return False
        self.note(feature)
        return True

    def lacks(self, feature: Feature) -> bool:
        """Say whether the feature was found missing, not long ago."""
        until = self._missing.get(feature)
        return until is not None and self._clock() < until

    def is_doubtful(self, feature: Feature) -> bool:
        """Say whether the feature was found missing, however long ago, and has not been found since."""
        return feature in self._said

    def note(self, feature: Feature) -> None:
        """Remember that the feature is missing; said once."""
        self._known.discard(feature)
        with self._lock:
            self._missing[feature] = self._clock() + FORGOTTEN_SECONDS
            if feature in self._said:
                return
            self._said.add(feature)
        log.warning(
            "This manager is older than %s and has no %s: %s", feature.since, feature.title, feature.instead
        )

    def found(self, feature: Feature) -> None:
        """Learn that the feature is there."""
        self._known.add(feature)
        if feature not in self._said:
            return
        with self._lock:
            self._missing.pop(feature, None)
            self._said.discard(feature)
        log.info("This manager knows %s now", feature.title)

    def forget(self) -> None:
        """Try everything again, after a registration: the manager may have been upgraded.

        Only the types of sources stay, for their minutes: the registration succeeded because they were left out.
        """
        with self._lock:
            self._missing = {
                feature: until for feature, until in self._missing.items() if feature is Feature.SOURCE_TYPES
            }

    def note_unknown(self, error: SdkClientError) -> Feature | None:
        """Remember what a 422 says that the manager does not know: a kind of event, or a type of source."""
        found = _UNKNOWN.search(error.body) if error.status == HTTPStatus.UNPROCESSABLE_ENTITY else None
        if found is None:
            return None
        feature = KINDS.get(found["variant"])
        if feature is None and found["path"].startswith("source_types"):
            feature = Feature.SOURCE_TYPES
        if feature is not None:
            self.note(feature)
        return feature

    def unknown_events(self, events: Sequence[bytes]) -> list[int]:
        """Return the positions of the events whose kind the manager does not know."""
        lacking = {kind for kind, feature in KINDS.items() if self.lacks(feature)}
        if not lacking:
            return []
        return [position for position, event in enumerate(events) if _kind(event) in lacking]

    def found_events(self, events: Sequence[bytes]) -> None:
        """Learn from events that were accepted."""
        doubtful = {kind for kind, feature in KINDS.items() if self.is_doubtful(feature)}
        for kind in doubtful & {_kind(event) for event in events} if doubtful else ():
            self.found(KINDS[str(kind)])


def _kind(event: bytes) -> object:
    decoded = decode(event)
    return decoded.get("type") if isinstance(decoded, dict) else None
