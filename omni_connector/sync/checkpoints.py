"""The checkpoints of a run, the counts that they cover, and the durable notes of its source."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from attrs import evolve

from omni_connector.exceptions import SdkClientError
from omni_connector.masking import secrets_in_settings
from omni_connector.models.codec import encode, too_large
from omni_connector.models.json_values import JsonValue
from omni_connector.sync.covered import CoveredCounts
from omni_connector.sync.run_parts import RunParts

log = logging.getLogger(__name__)

LARGE_STATE_BYTES = 10_000_000
"""A checkpoint beyond this is warned of."""


class RunCheckpoints:
    """Where a run begins, what it saves on the way, and with what it completes.

    Args:
        covered: what earlier processes have counted; left out, the manager's figures are believed.

    Attributes:
        last: the last that this run saved, else what it was given.
        connector_state: the same for the durable notes of the source.
        is_in_parts: the run saves what its partitions have reached.
    """

    def __init__(self, run: RunParts, covered: CoveredCounts | None) -> None:
        self._run = run
        self._delivery = run.delivery
        self._covered = covered or CoveredCounts()
        self.last: Any = run.info.checkpoint
        self.connector_state: Any = run.info.connector_state
        self.is_in_parts = False
        self._has_saved = False
        self._saved_at = time.monotonic()
        self._covered_events = 0  # Taken before the last checkpoint.
        self._final: JsonValue = None

    @property
    def resume_point(self) -> Any:
        """Where the connector goes on: the last checkpoint of this run, else what ``sync()`` was given."""
        return self.last if self._has_saved else self._run.info.state

    @property
    def age_seconds(self) -> float:
        """How long ago a checkpoint was saved last, or the run began."""
        return time.monotonic() - self._saved_at

    @property
    def is_at_checkpoint(self) -> bool:
        """Nothing was taken or counted since the last checkpoint, or at all."""
        return (
            not self.is_in_parts
            and self._delivery.taken == self._covered_events
            and not self._delivery.counters.has_uncovered
        )

    def begin(self) -> None:
        """Find out what an earlier process has done for this run; to be called before the connector is.

        Raises:
            SdkClientError: the manager takes no checkpoint.
        """
        counters = self._delivery.counters
        if self._run.info.is_resume:
            counts = (
                self._covered.of(self._run.info.checkpoint) if self._run.info.has_own_checkpoint else None
            )
            if counts is not None:
                counters.go_on_from(counts)
            counters.carry_over()
        elif self._run.info.may_have_begun:
            self._rewind()

    def begin_from(self, checkpoint: JsonValue) -> None:
        """Begin with another checkpoint than the one that was dispatched: made of it."""
        self._run.info = evolve(self._run.info, checkpoint=checkpoint)
        self.last = checkpoint

    def save(self, checkpoint: dict[str, Any]) -> None:
        """Save a checkpoint, after everything taken before it was delivered."""
        self._run.require_open("save_state")
        with self._run.waiting("save_state"):
            taken = self._delivery.taken
            self._delivery.barrier()
            self._run.ledger.judge()
            self.store(checkpoint)
            self._covered_events = taken
        self._run.state.reached_checkpoint()

    def store(self, checkpoint: JsonValue, *, covers_counts: bool = True) -> int:
        """Save a checkpoint, everything before which was delivered; return its bytes.

        Args:
            checkpoint: what is saved.
            covers_counts: what was counted lies before it; False where it says so itself, or is not new.
        """
        with self._naming_what_is_too_large("checkpoint", checkpoint) as size:
            self._run.inventories.saving(checkpoint)
            counters = self._delivery.counters
            held, totals = counters.counted()
            if totals is not None and covers_counts:
                self._covered.saving(checkpoint, totals)
            self._run.manager.save_checkpoint(
                self._run.info.sync_run_id, checkpoint, source_id=self._run.info.source_id
            )
            self._covered.saved()
        self._run.inventories.scopes.saved(checkpoint)
        self.last = checkpoint
        self._has_saved = True
        self._saved_at = time.monotonic()
        if covers_counts:
            counters.hold()
            counters.release(held)
            self._report_counts()
        return size

    def _report_counts(self) -> None:
        if self._delivery.counters.age_seconds() is not None:
            self._delivery.barrier()

    def save_connector_state(self, notes: dict[str, Any]) -> None:
        """Replace the durable notes of the source; also after the end."""
        self._run.state.raise_if_stopped()
        self._run.secrets.add(secrets_in_settings(notes))
        what = "connector state"
        source_id = self._run.info.source_id
        with (
            self._run.waiting("save_connector_state"),
            self._run.sources.beside_tokens(source_id, notes) as whole,
            self._naming_what_is_too_large(what, whole),
        ):
            self._run.manager.save_connector_state(source_id, whole)
        self.connector_state = notes

    def wish(self, checkpoint: JsonValue) -> None:
        """Note the checkpoint with which the run should complete."""
        if not self._run.state.has_ended:
            self._final = checkpoint

    def save_final(self) -> None:
        """Save what the run completes with, when everything was delivered, and report the last counts."""
        checkpoint = self._final
        if checkpoint is None and not self._has_saved:
            # A run that saves none erases the source's checkpoint (PROTOCOL, section 6).
            checkpoint = self._run.info.checkpoint
        if checkpoint is not None:
            self.store(checkpoint, covers_counts=False)
        self._delivery.counters.release_all()
        self._report_counts()
        self._run.inventories.completing(self.last)

    @contextmanager
    def _naming_what_is_too_large(self, name: str, value: JsonValue) -> Iterator[int]:
        size = len(encode(value))
        if size > LARGE_STATE_BYTES:
            log.warning(
                "The %s has %d bytes: it travels with every save and every dispatch of a run. Keep a cursor in it, and "
                "data of the connector elsewhere.",
                name,
                size,
                extra=self._run.log_extra,
            )
        try:
            with self._run.state.naming_cancellation():
                yield size
        except SdkClientError as error:
            if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                raise too_large(name, size) from error
            raise

    def _rewind(self) -> None:
        """Take the run's checkpoint back to where this start begins, if an earlier process has got further.

        The manager repeats a first dispatch whose answer it missed, without ``is_resume``. Meanwhile it may have resumed
        the run elsewhere, and a checkpoint may have been saved there. Were this start interrupted, a resume from that
        checkpoint would leave old versions in place that are emitted again from here on.
        """
        try:
            progress = self._run.manager.progress(self._run.info.sync_run_id)
            reason = "was begun by an earlier process" if progress and progress.has_begun else ""
            if reason:
                self._delivery.counters.carry_over(progress)
        except SdkClientError as error:
            reason = f"may have been begun by an earlier process ({error})"
        if not reason:
            return
        log.warning("The run %s and is dispatched anew: it begins again", reason, extra=self._run.log_extra)
        checkpoint = self._run.info.checkpoint
        self._run.manager.save_checkpoint(
            self._run.info.sync_run_id, checkpoint, source_id=self._run.info.source_id
        )
