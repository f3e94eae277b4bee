"""Records what Prometheus is shown of one connector; see ``families`` for what there is."""

import itertools
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define

from omni_connector._version import __version__
from omni_connector.forking import begins_anew
from omni_connector.models.sync import SyncMode
from omni_connector.telemetry import families as of
from omni_connector.telemetry.figures import RunEnd, RunFigures
from omni_connector.telemetry.log_context import RunIdentity
from omni_connector.telemetry.sample_files import SampleFiles
from omni_connector.telemetry.samples import Family, Labels, Samples, Values, merged
from omni_connector.tokens import AcceptedTokens

if TYPE_CHECKING:
    from omni_connector.telemetry.exposition import MetricsServer

log = logging.getLogger(__name__)

MOST_NOTED = 3_000
"""Numbers of one endpoint and status that are noted before they are counted, three for each request."""

WRITE_SECONDS = 2.0
"""How old the values of another process may be, and what a killed one loses."""

IN_TROUBLE = frozenset({"unreachable", "500", "502", "503", "504"})
"""Statuses of a manager that is not well."""

NO_METRICS = (
    "Metrics need prometheus-client, which is not installed. Type: pip install 'omni-connector[metrics]'"
)

COMPLETED, FAILED = "completed", "failed"

KINDS = ("scanned", "emitted", "updated", "deleted", "unread", "refused")
"""Of documents, as ``Figures`` names them."""


@define
class _Run:
    run: RunIdentity
    seen: RunFigures


class Metrics:
    """What one connector has done, in this process and those beside it. ``close`` it. Safe to use from many threads.

    It is a ``RunObserver`` and a ``CallObserver``.

    Args:
        connector: its name.
        folder: where the processes of one server find each other's values; None: there is this one only.
    """

    def __init__(self, connector: str, folder: Path | None = None) -> None:
        self._connector = connector
        self._folder = folder
        self._files: SampleFiles | None = None
        self.after_fork()
        begins_anew(self)

    def after_fork(self) -> None:
        """Begin with nothing: what the parent has counted is the parent's."""
        if self._files is not None:
            self._files.close()
        self._files = None
        self._samples = Samples(of.FAMILIES)
        # A counter that appears with its first value has not increased, as Prometheus sees it.
        for mode, outcome in itertools.product(SyncMode, (COMPLETED, FAILED)):
            self._samples.add(of.RUNS, (mode.value, outcome), 0.0)
        for kind in KINDS:
            self._samples.add(of.DOCUMENTS, (kind,), 0.0)
        # Requests that are not counted yet, by endpoint and status: of each its seconds, bytes, and when it ended; flat, because
        # a thousand tuples would wake the garbage collector.
        self._attempts: dict[Labels, list[float]] = {}
        self._counting = threading.Lock()  # Held while they are counted; noting one takes no lock.
        self._lock = threading.Lock()  # Protects the following.
        self._runs: dict[str, _Run] = {}
        self._is_begun = self._is_closed = False
        self._stop = threading.Event()
        self._writing = threading.Lock()  # Held while the files are used.
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Let the other processes see the values of this one, from now on; once."""
        with self._lock:
            if self._folder is None or self._is_begun or self._is_closed:
                return
            self._is_begun = True
            files = SampleFiles(self._folder)
            try:
                self._samples.go_on_from(files.take())
            except OSError as error:
                log.warning(
                    "GET /metrics shows one process only: %s cannot be used (%s)", self._folder, error
                )
                return
            self._files = files
            self._thread = threading.Thread(target=self._write_on, name="omni-metrics", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Leave the last values to the other processes. Repeatable."""
        with self._lock:
            self._is_closed = True
            thread, self._thread = self._thread, None
        self._stop.set()
        if thread is not None:
            thread.join(WRITE_SECONDS)
            with self._writing:
                self._write(self._values())
                if self._files is not None:
                    self._files.close()

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Return the values of all processes in the format that ``accept`` asks for, and its content type."""
        from omni_connector.telemetry.exposition import exposition  # noqa: PLC0415 - an extra.

        return exposition(of.FAMILIES, self.values(), connector=self._connector, accept=accept)

    def serve(self, port: int, tokens: AcceptedTokens | None = None) -> "MetricsServer":
        """Answer scrapes at a port of its own, with one of the tokens if there are any; the caller closes what is returned.

        Raises:
            OSError: the port cannot be used.
        """
        from omni_connector.telemetry.exposition import MetricsServer  # noqa: PLC0415 - an extra.

        self.begin()
        return MetricsServer(of.FAMILIES, self.values, connector=self._connector, port=port, tokens=tokens)

    def values(self) -> Values:
        """Return the values of all processes."""
        own = self._values()
        with self._writing:
            self._write(own)  # Before they are shown: what was shown once must not be lost with this process.
            others = [] if self._files is None else list(self._files.others())
        alive = [own, *(values for values, is_alive in others if is_alive)]
        found = merged(of.FAMILIES, alive, [values for values, is_alive in others if not is_alive])
        found[of.MANAGER_UP.name] = _is_up(found)
        return found

    # -- endpoints ----------------------------------------------------------------------------------------------

    def answered(self, endpoint: str, method: str, status: str, seconds: float) -> None:
        """A request to the connector was answered."""
        self._samples.observe(of.HTTP_REQUESTS, (endpoint, method, status), seconds)

    # -- calls to the manager -----------------------------------------------------------------------------------

    def attempted(self, endpoint: str, status: str, seconds: float, size: int) -> None:
        """See ``CallObserver``."""
        noted = self._attempts.get((endpoint, status))
        if noted is None:
            noted = self._attempts.setdefault((endpoint, status), [])
        noted.extend((seconds, size, time.time()))
        if len(noted) >= MOST_NOTED:
            self._count_attempts()

    def repeated(self, endpoint: str, reason: str) -> None:
        """See ``CallObserver``."""
        self._samples.add(of.RETRIES, (endpoint, reason))

    def failed(self, endpoint: str, reason: str) -> None:
        """See ``CallObserver``."""
        self._samples.add(of.ERRORS, (endpoint, reason))

    # -- runs ---------------------------------------------------------------------------------------------------

    def succeeded(self, source_id: str, moment: float) -> None:
        """A run of the source completed then; perhaps in another process, long ago."""
        self._samples.put(of.LAST_SUCCESS, (source_id,), moment)

    def run_started(self, run: RunIdentity) -> None:
        """See ``RunObserver``."""
        self.begin()
        with self._lock:
            self._runs[run.sync_run_id] = _Run(run, RunFigures())

    def run_moved(self, run: RunIdentity, figures: RunFigures) -> None:
        """See ``RunObserver``."""
        with self._lock:
            known = self._runs.get(run.sync_run_id)
            if known is not None:
                self._count(known.seen, figures)
                known.seen = figures

    def run_ended(self, run: RunIdentity, figures: RunFigures, end: RunEnd) -> None:
        """See ``RunObserver``."""
        self._count_attempts()  # So that nothing is kept between runs.
        with self._lock:
            known = self._runs.pop(run.sync_run_id, None)
            self._count(RunFigures() if known is None else known.seen, figures)
        outcome = end.outcome.replace(" ", "_")
        self._samples.add(of.RUNS, (run.sync_mode, outcome))
        if known is not None:
            self._samples.observe(of.RUN_DURATION, (run.sync_mode,), figures.seconds)
        if end.outcome == COMPLETED:
            self.succeeded(run.source_id, time.time())

    def _count(self, before: RunFigures, now: RunFigures) -> None:
        ours_before, ours = before.documents - before.before, now.documents - now.before
        for kind in KINDS:
            self._grow(of.DOCUMENTS, (kind,), getattr(ours_before, kind), getattr(ours, kind))
        self._grow(of.DELIVERED_BYTES, (), before.bytes_delivered, now.bytes_delivered)
        self._grow(of.BATCHES, (), before.batches, now.batches)
        for stage, seconds in now.stages.items():
            self._grow(of.STAGE_SECONDS, (stage.value,), before.stages.get(stage, 0.0), seconds)

    def _grow(self, family: Family, labels: Labels, before: float, now: float) -> None:
        self._samples.add(family, labels, max(0.0, now - before))

    def _count_attempts(self) -> None:
        """Count the requests that were only noted so far: thousands come a second, and together they take half the time."""
        with self._counting:
            for labels, noted in list(self._attempts.items()):
                # Other threads add to the end meanwhile.
                taken = noted[:]
                del noted[: len(taken)]
                if not taken:
                    continue
                endpoint, status = labels
                self._samples.observe(of.MANAGER_REQUESTS, labels, *taken[::3])
                self._samples.add(of.SENT_BYTES, (endpoint,), sum(taken[1::3]))
                outcome = of.LAST_FAILURE if status in IN_TROUBLE else of.LAST_ANSWER
                self._samples.put(outcome, (), taken[-1])

    # -- inside -------------------------------------------------------------------------------------------------

    def _values(self) -> Values:
        """Return the values of this process."""
        self._count_attempts()
        with self._lock:
            runs = list(self._runs.values())
        found: dict[str, Any] = self._samples.values()
        modes = Counter(each.run.sync_mode for each in runs)
        found[of.RUNS_IN_PROGRESS.name] = {(mode,): [float(count)] for mode, count in modes.items()}
        found[of.RUN_PROGRESS.name] = dict(_progress(runs))
        found[of.BUFFERED_DOCUMENTS.name] = {(): [float(sum(each.seen.buffered_documents for each in runs))]}
        found[of.BUFFERED_BYTES.name] = {(): [float(sum(each.seen.buffered_bytes for each in runs))]}
        found[of.UPLOADS.name] = {(): [float(max((each.seen.parallel_uploads for each in runs), default=0))]}
        found[of.PROCESSES.name] = {(__version__,): [1.0]}
        return found

    def _write_on(self) -> None:
        files = self._files
        while not self._stop.wait(WRITE_SECONDS):
            with self._writing:
                if files is self._files:
                    self._write(self._values())

    def _write(self, values: Values) -> None:
        try:
            if self._files is not None:
                self._files.write(values)
        except OSError as error:  # A full disk, say: the values of the other processes are as they were.
            log.debug("The values of the metrics could not be written: %s", error)


def _progress(runs: list[_Run]) -> Iterator[tuple[Labels, list[float]]]:
    for each in runs:
        progress = each.seen.progress
        if progress is not None and progress.share is not None:
            yield (each.run.source_id,), [progress.share]


def _is_up(found: Values) -> dict[Labels, list[float]]:
    answer = found[of.LAST_ANSWER.name].get((), [0.0])[0]
    failure = found[of.LAST_FAILURE.name].get((), [0.0])[0]
    return {(): [float(answer > failure)]} if answer or failure else {}
