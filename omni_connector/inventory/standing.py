"""What is noted of one source: its runs, and the checkpoint up to which the inventory is right.

An inventory that is kept on one machine does not learn of a run on another, and one that is lost knows nothing. So the note
has the digest of the checkpoint with which the last run ended. A run that is given another one sends everything again.

    {"v": 1, "next": 8, "valid_from": 3, "basis": ["<digest>"], "reconciled": {"<scope>": 1764460800.0},
     "asked": {"<scope>": "<code>"}, "scopes": {"<scope>": 7},
     "runs": {"01J...": {"n": 7, "checkpoints": ["<digest>"], "whole": true, "scopes": {"<scope>": {"known": 40, "unread": [], ...}}}},
     "used": 1764460800.0}

Of a source that is read in partitions there is a note for each partition, and one for all of them that says which there are:

    {"v": 1, "used": 1764460800.0, "partition_runs": ["01J..."], "partitions": {"<source>/<key>": {"run": "01J...", "scopes": ["<scope>"]}}}
"""

import time
from typing import Any

from attrs import frozen

from omni_connector.inventory.storage import VERSION, Note, Shelf
from omni_connector.models.codec import digest
from omni_connector.models.json_values import JsonValue

KEPT_RUNS = 16
"""A source has two runs at most at a time; what others have left behind goes."""

NO_CHECKPOINT = digest(None)

PARTITION_RUNS = 8
"""A partition that had no part in the last runs of its source does not keep documents from being deleted by others."""


@frozen(kw_only=True)
class RunFacts:
    """What an inventory needs to know of a run.

    Attributes:
        source: id of the source, with the key of a partition where it has one.
        partition_of: id of the source of which it reads one partition.
        is_full: it sends everything.
        checkpoint: what it was given.
        has_own_checkpoint: a process before this one has saved that in this run.
        starts_from_nothing: the connector is given no state, whatever the checkpoint is.
        was_synced: the manager says that an earlier run has completed. It does not say so of a full run.
        config: the source's settings.
    """

    sync_run_id: str
    source: str
    partition_of: str = ""
    is_full: bool = True
    checkpoint: JsonValue = None
    has_own_checkpoint: bool = False
    starts_from_nothing: bool = False
    was_synced: bool = False
    config: Any = None


@frozen(kw_only=True)
class Standing:
    """How a run stands to the inventory.

    Attributes:
        number: of the run; later runs have higher ones.
        valid_from: what was sent in runs before this number counts as changed.
        is_trusted: no other place has a later inventory of this source.
        is_whole: all that this run lists is marked here, also before an interruption, and it lists from the beginning.
        scopes: all that runs of this source have opened so far.
        was_empty: there was no inventory of this source.
    """

    number: int
    valid_from: int
    is_trusted: bool
    is_whole: bool
    scopes: frozenset[str]
    was_empty: bool


def begin(note: Note, facts: RunFacts) -> Standing:
    """Enter a run into the note of its source, or find it there."""
    given = digest(facts.checkpoint)
    runs: dict[str, Note] = note.setdefault("runs", {})
    run = runs.get(facts.sync_run_id)
    was_empty = "next" not in note
    goes_on = run is not None and given in run["checkpoints"]
    is_trusted = goes_on or (not facts.has_own_checkpoint and given in note.get("basis", [NO_CHECKPOINT]))
    note.setdefault("v", VERSION)
    note["used"] = time.time()
    if run is None or not is_trusted:
        run = runs[facts.sync_run_id] = {"n": _next_number(note), "checkpoints": [given], "scopes": {}}
        # A checkpoint that is not known may be in the middle of a listing: a failed run has left it, or another machine.
        is_from_start = facts.checkpoint is None or facts.starts_from_nothing
        run["whole"] = is_trusted or is_from_start
        for old in sorted(runs, key=lambda run_id: int(runs[run_id]["n"]))[:-KEPT_RUNS]:
            del runs[old]
    elif not facts.has_own_checkpoint:
        for scope in run["scopes"]:  # It begins again.
            start_over(note, facts.sync_run_id, scope)
    if not is_trusted:
        note["valid_from"] = run["n"]
    return Standing(
        number=run["n"],
        valid_from=note.get("valid_from", 0),
        is_trusted=is_trusted,
        is_whole=bool(run.get("whole")),
        scopes=frozenset(note.get("scopes", ())),
        was_empty=was_empty,
    )


def enter_partition(note: Note, facts: RunFacts, scope: str) -> None:
    """Let the other partitions of a source know of a scope in this one."""
    note.setdefault("v", VERSION)
    note["used"] = time.time()
    runs: list[str] = note.setdefault("partition_runs", [])
    if facts.sync_run_id not in runs:
        note["partition_runs"] = runs = [*runs, facts.sync_run_id][-PARTITION_RUNS:]
    partitions: dict[str, Note] = note.setdefault("partitions", {})
    own = partitions.setdefault(facts.source, {"scopes": []})
    own["run"] = facts.sync_run_id
    own["scopes"] = sorted({*own["scopes"], scope})
    note["partitions"] = {name: each for name, each in partitions.items() if each["run"] in runs}


def other_partitions(note: Note, facts: RunFacts) -> list[Shelf]:
    """Return the shelves of the other partitions."""
    return [
        Shelf(name, scope)
        for name, each in note.get("partitions", {}).items()
        if name != facts.source
        for scope in each["scopes"]
    ]


def scope_of(note: Note, sync_run_id: str, scope: str) -> Note:
    """Return what the run has noted of a scope, to be altered in place."""
    run: Note = note.get("runs", {}).get(sync_run_id, {})
    scopes: dict[str, Note] = run.setdefault("scopes", {})
    return scopes.setdefault(scope, {})


def start_over(note: Note, sync_run_id: str, scope: str) -> int:
    """Let what was seen of a scope so far not count; return the number for what is seen from now on."""
    scoped = scope_of(note, sync_run_id, scope)
    scoped.pop("unread", None)
    scoped.pop("listed", None)
    scoped.pop("whole", None)
    scoped["marks"] = number = _next_number(note)
    return number


def _next_number(note: Note) -> int:
    number: int = note.get("next", 1)
    note["next"] = number + 1
    return number


def set_checkpoints(note: Note, sync_run_id: str, checkpoints: list[str]) -> None:
    """Note from which checkpoints the run may be resumed."""
    run = note.get("runs", {}).get(sync_run_id)
    if run is not None:
        run["checkpoints"] = list(dict.fromkeys(checkpoints))


def set_basis(note: Note, sync_run_id: str, checkpoint: str, *, is_certain: bool) -> None:
    """Note with which checkpoint the run ends, or has ended; not where the note was lost meanwhile."""
    if sync_run_id not in note.get("runs", {}):
        return
    before = [] if is_certain else note.get("basis", [NO_CHECKPOINT])
    note["basis"] = [*(each for each in before if each != checkpoint), checkpoint][-3:]
