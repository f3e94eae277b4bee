"""What looks at a connector beside its log."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING

from attrs import frozen

from omni_connector.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from omni_connector.telemetry.log_context import RunIdentity
    from omni_connector.telemetry.observer import RunObserver
    from omni_connector.telemetry.tracing import Tracing


@frozen(kw_only=True)
class Instruments:
    """What is recorded of one connector, each None where it is off.

    Attributes:
        metrics: for Prometheus.
        tracing: traces of OpenTelemetry.
    """

    metrics: Metrics | None = None
    tracing: Tracing | None = None

    @property
    def observers(self) -> tuple[RunObserver, ...]:
        """Those that learn of runs."""
        return tuple(each for each in (self.metrics, self.tracing) if each is not None)

    def begin(self) -> None:
        """Begin, in the process that serves."""
        if self.metrics is not None:
            self.metrics.begin()
        if self.tracing is not None:
            self.tracing.begin()

    def run_accepted(self, run: RunIdentity, last_success: dt.datetime | None) -> None:
        """A run will begin, of a source whose last run completed then; in the thread that has accepted it."""
        if self.metrics is not None and last_success is not None:
            # So that it is known after a restart, too.
            self.metrics.succeeded(run.source_id, last_success.timestamp())
        if self.tracing is not None:
            run.span = self.tracing.begin_run(run)

    def trace_headers(self) -> dict[str, str]:
        """Return what lets another process go on with the trace of this thread."""
        return {} if self.tracing is None else self.tracing.carried()

    def continued(self, headers: Mapping[str, str]) -> contextlib.AbstractContextManager[None]:
        """Around what belongs to the trace that another process has begun."""
        return contextlib.nullcontext() if self.tracing is None else self.tracing.continued(headers)

    def close(self) -> None:
        """Hand over what is not yet recorded. Repeatable."""
        if self.metrics is not None:
            self.metrics.close()
        if self.tracing is not None:
            self.tracing.close()
