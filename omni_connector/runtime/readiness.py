"""Checks whether a sync would find everything that it needs, for people and monitoring; in threads that may hang."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from attrs import define, frozen

from omni_connector.exceptions import ConnectorError
from omni_connector.forking import begins_anew
from omni_connector.pool import WorkerPool

log = logging.getLogger(__name__)

FRESH_SECONDS = 2.0
"""How long an answer is used again."""
WAIT_SECONDS = 2.5
"""A check that takes longer has failed; more than a call to the manager may take."""


@frozen
class Finding:
    """What one check has found.

    Attributes:
        is_ok: nothing is missing.
        text: the state, or what is missing.
    """

    is_ok: bool
    text: str


@frozen
class ReadinessReport:
    """What all checks have found.

    Attributes:
        findings: by name of the check.
    """

    findings: Mapping[str, Finding]

    @property
    def is_ready(self) -> bool:
        """Nothing is missing."""
        return all(finding.is_ok for finding in self.findings.values())

    def to_json(self) -> dict[str, Any]:
        """Return it as ``GET /ready`` answers it."""
        return {
            "status": "ready" if self.is_ready else "not ready",
            "checks": {name: {"ok": each.is_ok, "detail": each.text} for name, each in self.findings.items()},
            "reasons": [f"{name}: {each.text}" for name, each in self.findings.items() if not each.is_ok],
        }


@define
class _Check:
    call: Callable[[], str]
    began: float = 0.0
    result: "Future[str] | None" = None


class Readiness:
    """Makes the checks, each in a thread of its own and once at a time. ``close`` it. Safe to use from many threads.

    Args:
        name: of the connector, for the threads.
        checks: by name; each says how things are, or raises a ConnectorError that says what is missing.
        wait_seconds: a check that takes longer has failed.
    """

    def __init__(
        self, name: str, checks: Mapping[str, Callable[[], str]], *, wait_seconds: float = WAIT_SECONDS
    ) -> None:
        self._calls = dict(checks)
        self._wait_seconds = wait_seconds
        self._pool = WorkerPool(f"omni-ready-{name}", limit=len(checks))
        self.after_fork()
        begins_anew(self)

    def after_fork(self) -> None:
        """Forget the parent's results."""
        self._lock = threading.Lock()  # Protects the following.
        self._checks = {name: _Check(call) for name, call in self._calls.items()}
        self._report: ReadinessReport | None = None
        self._until = 0.0
        self._is_asking = False

    def report(self) -> ReadinessReport:
        """Return what the checks say, or said a moment ago; one caller at a time waits for them once there is an answer."""
        with self._lock:
            if self._report is not None and (self._is_asking or time.monotonic() < self._until):
                return self._report
            self._is_asking = True
        try:
            report = self._ask()
            with self._lock:
                self._report, self._until = report, time.monotonic() + FRESH_SECONDS
        finally:
            self._is_asking = False
        return report

    def close(self) -> None:
        """End the threads; a check in progress ends by its own time-out."""
        self._pool.close(timeout_seconds=0.1)

    def _ask(self) -> ReadinessReport:
        deadline = time.monotonic() + self._wait_seconds
        with self._lock:
            begun = {name: self._begin(check) for name, check in self._checks.items()}
        return ReadinessReport(
            {name: _finding(check, result, deadline) for name, (check, result) in begun.items()}
        )

    def _begin(self, check: _Check) -> "tuple[_Check, Future[str]]":
        if check.result is None or check.result.done():
            check.began = time.monotonic()
            check.result = self._submitted(check.call)
        return check, check.result

    def _submitted(self, call: Callable[[], str]) -> "Future[str]":
        try:
            return self._pool.submit(call)
        except RuntimeError as error:  # Closed, or no thread can be started.
            failed: Future[str] = Future()
            failed.set_exception(ConnectorError(f"not checked: {error}"))
            return failed


def _finding(check: _Check, result: "Future[str]", deadline: float) -> Finding:
    try:
        return Finding(is_ok=True, text=result.result(max(0.0, deadline - time.monotonic())))
    except TimeoutError:
        return Finding(is_ok=False, text=f"no answer for {time.monotonic() - check.began:.1f} s")
    except ConnectorError as error:
        return Finding(is_ok=False, text=str(error))
    except Exception as error:  # A check that has a fault is no reason for a status of 500.
        log.exception("A check for GET /ready failed")
        return Finding(is_ok=False, text=f"the check failed ({type(error).__name__}); see the log")
