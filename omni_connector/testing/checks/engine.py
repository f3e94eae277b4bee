"""The checks, in their order, and what runs them."""

import time
from collections.abc import Callable, Iterable, Iterator

from attrs import frozen

from omni_connector.testing.checks import (
    cancelling,
    connection,
    dates,
    deletions,
    first_sync,
    incremental,
    manager_faults,
    manifest,
    memory,
    order,
    permissions,
    repeatability,
    resume,
    secrets,
    state,
)
from omni_connector.testing.checks.bench import Bench
from omni_connector.testing.checks.finding import BrokenRunError, CheckResult, Finding, NotApplicableError


@frozen
class Check:
    """One thing that every connector must get right.

    Attributes:
        name: what it is called on the command line and in tests.
        title: what it looks for.
        find: yields what is wrong.
        needs_documents: it compares documents, and shows nothing without any.
    """

    name: str
    title: str
    find: Callable[[Bench], Iterator[Finding]]
    needs_documents: bool = True

    def run(self, bench: Bench) -> CheckResult:
        """Return what came of it."""
        started = time.monotonic()
        findings: list[Finding] = []
        reason = bench.remark = ""
        try:
            if self.needs_documents and bench.has_scheduled_runs and not bench.first.index:
                raise NotApplicableError("the sync brings no document")  # noqa: TRY301 - as the check itself would.
            findings.extend(self.find(bench))
        except NotApplicableError as error:
            reason = "" if findings else str(error)
        except BrokenRunError as error:
            findings.append(error.finding)
        seconds = time.monotonic() - started
        return CheckResult(
            name=self.name,
            title=self.title,
            findings=findings,
            reason=reason,
            remark=bench.remark,
            seconds=seconds,
        )


CHECKS = (
    Check("manifest", "a manager accepts the manifest and its schemas", manifest.find, needs_documents=False),
    Check("connection", "check_connection accepts the settings", connection.find, needs_documents=False),
    Check("sync", "a full sync completes without errors", first_sync.find, needs_documents=False),
    Check("repeatable", "the same sync twice gives the same documents", repeatability.find),
    Check("order", "ids are unique and come in the same order", order.find),
    Check("incremental", "an incremental sync sends nothing when nothing changed", incremental.find),
    Check("resume", "interrupted at a saved state and resumed, a run brings the same", resume.find),
    Check("state", "the state is never ahead of the documents", state.find),
    Check("cancel", "a cancelled run ends within 2 s, and nothing follows", cancelling.find),
    Check("permissions", "nothing is public by accident, groups and addresses are known", permissions.find),
    Check("dates", "dates have zones and are the same everywhere", dates.find),
    Check("manager", "a slow, failing or absent manager costs no document", manager_faults.find),
    Check("refused", "a document that the manager rejects once is sent again", manager_faults.refused),
    Check("memory", "a large source is not held in memory", memory.find, needs_documents=False),
    Check("secrets", "secrets appear in no output", secrets.find, needs_documents=False),
    Check("deletions", "a document that is removed at the source is deleted", deletions.find),
)
"""The last one changes the source; the one before looks at what all the others have done."""


def run_checks(bench: Bench, checks: Iterable[Check] = CHECKS) -> Iterator[CheckResult]:
    """Yield what comes of each check, as soon as it is known.

    A connector whose manifest is refused, or whose first sync fails, is not checked any further.
    """
    failed = ""
    for check in checks:
        if failed:
            reason = f"not checked: {failed}"
            yield CheckResult(name=check.name, title=check.title, reason=reason)
            continue
        result = check.run(bench)
        yield result
        if result.outcome == "failed" and check.name == "manifest":
            failed = "the manifest is refused"
        elif result.outcome == "failed" and check.name == "sync" and "first" not in vars(bench):
            failed = "the first full sync failed"
