"""What was counted when a checkpoint was saved, kept where a process that is killed in between leaves it behind.

A checkpoint and the counts that it covers are two calls. A process that is killed between them leaves the manager with
figures that do not belong to its checkpoint: too low after ``save_state``, too high in the middle of an end. The one that
resumes the run finds here what they must be.
"""

from typing import Any, Protocol

from omni_connector.models.codec import digest
from omni_connector.models.json_values import JsonValue

Counts = dict[str, int]


class CountsNote(Protocol):
    """Keeps one value for a run; it is allowed to forget it."""

    def put(self, value: dict[str, Any]) -> None:
        """Keep a value in place of the last one."""

    def get(self) -> dict[str, Any] | None:
        """Return the last value, of whichever process; None when there is none, or it cannot be read now."""


class CoveredCounts:
    """The counts that the last two checkpoints of a run cover: it is known only afterwards which of them was saved.

    Args:
        note: where they are kept; left out, nowhere.
    """

    def __init__(self, note: CountsNote | None = None) -> None:
        self._note = note
        self._saved: dict[str, Any] | None = None
        self._saving: dict[str, Any] | None = None

    def saving(self, checkpoint: JsonValue, counts: Counts) -> None:
        """Note, before a checkpoint is saved, what it covers."""
        if self._note is not None:
            self._saving = {"checkpoint": digest(checkpoint), "counts": counts}
            self._note.put({"entries": [each for each in (self._saved, self._saving) if each is not None]})

    def saved(self) -> None:
        """The checkpoint was saved."""
        self._saved = self._saving

    def of(self, checkpoint: JsonValue) -> Counts | None:
        """Return what was counted until a checkpoint was saved; None when that is not known for certain."""
        note = None if self._note is None else self._note.get()
        if note is None:
            return None
        wanted = digest(checkpoint)
        found = [entry for entry in note.get("entries", ()) if entry["checkpoint"] == wanted]
        if len(found) != 1:  # Twice the same checkpoint: it is unknown whether the second was saved.
            return None
        self._saved = found[0]
        counts: Counts = found[0]["counts"]
        return counts
