"""A sync of a large source does not hold it in memory."""

import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, BinaryIO

from attrs import define, field

from omni_connector.code_location import innermost_author_frame
from omni_connector.manager.pending import Pending
from omni_connector.models import SyncConfig
from omni_connector.testing.checks.bench import Bench
from omni_connector.testing.checks.finding import BrokenRunError, Finding, NotApplicableError
from omni_connector.testing.checks.runs import RunOrder, broken_run
from omni_connector.testing.memory import MemoryManager
from omni_connector.testing.served import serve_connector

MIB = 1024 * 1024
ENOUGH_BYTES = 8 * MIB
"""Of texts: less says nothing, because what the SDK itself holds is not small beside it."""

ALLOWED_SHARE = 0.5
ALLOWED_BYTES = 2 * MIB
"""What a sync may hold of its source, and beside it."""


def find(bench: Bench) -> Iterator[Finding]:
    """Sync once without keeping what arrives, and compare the memory that was used with what was read."""
    bench.require_scheduled_runs()
    subject = bench.subject
    config = subject.config if subject.large_config is None else subject.large_config
    drain = _Drain(config=SyncConfig(config=config, credentials=subject.credentials))
    order = RunOrder(source_id=bench.new_source_id(), config=config, may_fail=True)
    with _traced(), serve_connector(subject.make(), bench.manager, client=drain) as served:
        start, _ = tracemalloc.get_traced_memory()
        run_id = bench.start(served, order)
        bench.wait(served, run_id)
        _, peak = tracemalloc.get_traced_memory()
    report = served.service.report(run_id)
    if report is None or report.outcome != "completed":
        raise BrokenRunError(
            broken_run("measured", "failed" if report is None else report.outcome, drain.error)
        )
    if bench.manager.run(run_id).is_running:
        bench.manager.cancel(run_id)
    used = max(0, peak - start - drain.largest * 4)
    if drain.received < ENOUGH_BYTES:
        raise NotApplicableError(
            f"the source has {drain.received / MIB:.1f} MiB of texts, and {ENOUGH_BYTES // MIB} are needed: give the settings of a "
            "large one, --large-config or the fixture large_config"
        )
    if used > ALLOWED_BYTES + ALLOWED_SHARE * drain.received:
        yield Finding(
            what=f"A sync of {drain.received / MIB:.0f} MiB of texts in {drain.documents} documents uses {used / MIB:.0f} MiB of memory.",
            where=drain.place or "sync()",
            why="The process is killed as soon as a source is larger than its memory, at each attempt anew.",
            remedy="Emit while you read: page by page, with generators in place of lists.",
        )


@contextmanager
def _traced() -> Iterator[None]:
    was_tracing = tracemalloc.is_tracing()
    if not was_tracing:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        yield
    finally:
        if not was_tracing:
            tracemalloc.stop()


@define(eq=False)
class _Drain(MemoryManager):
    """A manager that keeps nothing, and counts.

    Attributes:
        received: bytes of texts.
        largest: bytes of the largest text.
        documents: how many texts.
        place: the author's line that has allocated most when the first documents come.
    """

    received: int = field(default=0, init=False)
    largest: int = field(default=0, init=False)
    documents: int = field(default=0, init=False)
    place: str = field(default="", init=False)

    def _receive(self, operation: str, **args: Any) -> None:
        """Forget the call."""
        del operation, args

    def send_events(
        self,
        sync_run_id: str,
        source_id: str,
        events: Sequence[bytes],
        *,
        patient: bool = True,
        insistent: bool = False,
    ) -> Sequence[int]:
        """Forget the events."""
        del sync_run_id, source_id, events, patient, insistent
        if not self.place:
            self.place = _largest_place()
        return ()

    def store_content(self, sync_run_id: str, content: str, content_type: str | None = None) -> str:  # noqa: ARG002 - the signature of ManagerApi.
        """Count a text."""
        return self._count(len(content.encode()))

    def store_text(self, sync_run_id: str, encoded: bytes, content_type: str | None = None) -> str:  # noqa: ARG002 - the signature of ManagerApi.
        """Count a text."""
        return self._count(len(encoded))

    def upload_text(self, sync_run_id: str, encoded: bytes, content_type: str | None = None) -> Pending[str]:  # noqa: ARG002 - the signature of ManagerApi.
        """Count a text."""
        pending: Pending[str] = Pending()
        pending.set_result(self._count(len(encoded)))
        return pending

    def upload_file(
        self, sync_run_id: str, open_file: Callable[[], BinaryIO], mime_type: str, filename: str | None
    ) -> Pending[str]:
        """Count a file."""
        pending: Pending[str] = Pending()
        with closing(open_file()) as file:
            pending.set_result(
                self.extract_content(sync_run_id, file, mime_type=mime_type, filename=filename)
            )
        return pending

    def extract_content(
        self, sync_run_id: str, file: BinaryIO, *, mime_type: str, filename: str | None = None
    ) -> str:
        """Count a file."""
        del sync_run_id, mime_type, filename
        return self._count(sum(len(piece) for piece in iter(lambda: file.read(MIB), b"")))

    def _count(self, size: int) -> str:
        with self._changed:
            self.documents += 1
            self.received += size
            self.largest = max(self.largest, size)
            return f"content-{self.documents}"


def _largest_place() -> str:
    """Return the author's line that has most memory now."""
    statistics = tracemalloc.take_snapshot().statistics("lineno")
    frames = [(each.traceback[0].filename, each.traceback[0].lineno) for each in statistics]
    return innermost_author_frame(reversed(frames))
