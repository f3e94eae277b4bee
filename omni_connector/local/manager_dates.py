"""Which features the manager had at which date, so that this one can emulate an older one (PROTOCOL, section 18).

A date stands for the manager at the beginning of that day. The reference document of this protocol is of 13 February
2026; the beginning of that day has what it describes. Without a date, the newest manager is emulated.

The five webhook-channel routes that were removed on 19 February 2026 are never emulated: the SDK never called them.
"""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime

from attrs import frozen

DATE_FORM = "YYYY-MM-DD"

ROUTES = {
    "/sdk/source/<source_id>/sync-config": "2026-02-11",
    "/sdk/source/<source_id>/connector-state": "2026-02-19",
    "/sdk/sources/by-type/<source_type>": "2026-02-19",
    "/sdk/connector-configs/<provider>": "2026-02-22",
    "/sources": "2026-03-11",
    "/sdk/register": "2026-03-23",
    "/sdk/extract-content": "2026-03-24",
    "/resources": "2026-03-25",
    "/resource": "2026-03-25",
    "/prompts": "2026-03-25",
    "/prompt": "2026-03-25",
    "/sdk/extract-text": "2026-04-12",
    "/sdk/events/batch": "2026-04-23",
    "/sdk/sync/<sync_run_id>/updated": "2026-04-26",
    "/sources/<source_id>": "2026-05-21",
    "/sdk/sync/<sync_run_id>/checkpoint": "2026-06-08",
    "/skills": "2026-06-29",
    "/skill": "2026-06-29",
    "/oauth/credential-ready": "2026-07-07",
    "/sources/active": "2026-07-24",
}
"""Dates at which routes were added; every other route is older than the protocol's reference document."""


class Since(enum.Enum):
    """What changed without a route of its own, and when."""

    OPTIONAL_DATES = datetime(2026, 2, 13, 8, 20, tzinfo=UTC)
    """``metadata.created_at`` and ``updated_at`` may be left out."""
    STALE_RUNS_CANCELLED = datetime(2026, 2, 13, 12, tzinfo=UTC)
    """The connector of a stale run gets ``/cancel``; the limit is 60 minutes instead of 10."""
    WRAPPED_CREDENTIALS = "2026-02-25"
    """Actions get ``credentials``, ``config`` and ``principal_email``; answers that are no JSON pass."""
    USER_FILTERS = "2026-03-11"
    """``source_type`` and the user filters are in sync-config."""
    GROUP_EVENTS = "2026-03-21"
    REGISTRATION = "2026-03-23"
    """Before, connectors are known by configured addresses, and their manifests read from them."""
    RFC3339_DATES = datetime(2026, 3, 24, 1, tzinfo=UTC)
    """Before, dates of metadata have any ISO 8601 form with an offset."""
    LARGE_EXTRACTIONS = "2026-04-03"
    PROBES = "2026-04-15"
    """Running runs are asked about, and lost ones sent again."""
    SHARED_CONTENT = "2026-04-18"
    PASSED_ANSWERS = "2026-04-24"
    """Answers to actions are passed on whole."""
    COMPLETE_IGNORES_BODY = "2026-04-26"
    FULL_CREDENTIALS = "2026-04-28"
    """Actions get a whole credential row; 412 and ``oauth``."""
    REALTIME = "2026-05-07"
    ACTION_SCHEMA_RULES = "2026-05-18"
    SYNC_RETRIES = "2026-05-21"
    """``POST /sync`` is repeated; failures back off; realtime can be declined."""
    ENDED_RUNS_PROTECTED = "2026-05-22"
    """Ended runs stay ended, creating one is checked, ``scanned`` renews activity."""
    LARGE_BODIES = datetime(2026, 6, 3, 1, tzinfo=UTC)
    EXTRACTION_PERMITS = "2026-06-05"
    DISABLED_RUNS_CANCELLED = datetime(2026, 6, 5, 1, tzinfo=UTC)
    CHECKPOINTS = "2026-06-08"
    TEXT_LIMIT = datetime(2026, 6, 8, 1, tzinfo=UTC)
    """Texts are cut at 5 MiB, files to be extracted are refused beyond 50."""
    LONG_REGISTRATIONS = "2026-06-14"
    """A registration lasts 300 s instead of 90."""
    CUSTOM_SOURCE_TYPES = "2026-07-24"
    ACTORS = "2026-07-27"
    """Actions get ``source`` and ``actor_email``."""
    ACTION_SOURCE_TYPES = "2026-07-29"
    """An action must name the source's type; transient actions."""
    PERSON_EVENTS = "2026-08-02"
    CONTEXT_CHECKS = datetime(2026, 8, 2, 1, tzinfo=UTC)
    """Events are checked against their run and source."""


@frozen
class ManagerDate:
    """Emulates the manager of that date; the newest one without a date."""

    day: date | None = None

    def has(self, feature: Since) -> bool:
        """Return whether the feature was there when the day began."""
        return self._is_after(feature.value)

    def has_route(self, rule: str) -> bool:
        """Return whether the route, as a Flask rule, was there."""
        return rule not in ROUTES or self._is_after(ROUTES[rule])

    def _is_after(self, moment: str | datetime) -> bool:
        if self.day is None:
            return True
        if isinstance(moment, str):
            return date.fromisoformat(moment) < self.day
        return moment < datetime(self.day.year, self.day.month, self.day.day, tzinfo=UTC)


def to_manager_date(given: ManagerDate | date | str | None) -> ManagerDate:
    """Read a date such as ``2026-02-13``; None is the newest manager.

    Raises ``ValueError`` for anything else.
    """
    if isinstance(given, ManagerDate):
        return given
    if isinstance(given, str):
        try:
            given = date.fromisoformat(given)
        except ValueError as error:
            raise ValueError(
                f"{given!r} is not a date; write it as {DATE_FORM}, such as 2026-02-13"
            ) from error
    return ManagerDate(given.date() if isinstance(given, datetime) else given)
