"""A source that is a script: documents come, change and go, and what must arrive in the end is known."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen

from omni_connector import Connector, Document, DocumentPermissions, SyncContext
from omni_connector.local import LocalManager

EVERYBODY = DocumentPermissions(public=True)
EMIT, SAVED, EXTRACTED = "emit", "emit with a saved content", "emit with a content to be extracted"
UPDATE, DELETE = "update", "delete"
SCANNED, SAVE_STATE, FLUSH, HEARTBEAT = "scanned", "save_state", "flush", "heartbeat"
UPSERTS = frozenset({EMIT, SAVED, EXTRACTED, UPDATE})
EVENTS = UPSERTS | {DELETE}
BARRIERS = frozenset({SAVE_STATE, FLUSH})

Documents = dict[str, tuple[str, str]]
"""Title and content by document id."""


@frozen
class Step:
    """One thing that the source makes the connector do.

    Attributes:
        kind: one of the names above.
        document_id: of a document, where the kind has one.
        version: of that document; part of its title and text, so that every version is told from every other.
    """

    kind: str
    document_id: str = ""
    version: int = 0

    @property
    def title(self) -> str:
        """The document's title in this version."""
        return f"{self.document_id} in version {self.version}"

    @property
    def text(self) -> str:
        """The document's text in this version; some texts are shared, as the manager shares their contents."""
        if self.version % 5 == 4:  # noqa: PLR2004 - any figure would do.
            return f"The same text in many documents, version {self.version}."
        return (
            f"Text of {self.document_id} in version {self.version}. " + "word " * (self.version % 7) + "end"
        )


MIXED = (EMIT, EMIT, SAVED, EXTRACTED)


def script(seed: int, documents: int, *, save_every: int = 40, kinds: Sequence[str] = MIXED) -> list[Step]:
    """Return the steps of a source with so many documents, a third of them changed and some deleted.

    Args:
        seed: of the choices.
        documents: how many.
        save_every: documents between two checkpoints.
        kinds: how documents first come, at random.
    """
    chance = random.Random(seed)  # noqa: S311 - repeatable, guards nothing.
    steps: list[Step] = []
    known: dict[str, int] = {}
    deleted: set[str] = set()  # Once at most, so that every event is told from every other.
    for number in range(documents):
        steps.append(Step(SCANNED))
        name = f"doc-{number}"
        known[name] = chance.randrange(10)
        steps.append(Step(chance.choice(kinds), name, known[name]))
        while chance.random() < 1 / 3:
            name = chance.choice(list(known))
            known[name] += 1
            if chance.random() < 1 / 3 and name not in deleted:
                deleted.add(name)
                steps.append(Step(DELETE, name, known[name]))
            else:
                steps.append(Step(chance.choice([UPDATE, *kinds]), name, known[name]))
        if number % save_every == save_every - 1:
            steps += [Step(SAVE_STATE), Step(HEARTBEAT)]
        elif chance.random() < 1 / save_every:
            steps.append(Step(FLUSH))
    return steps


def expected(steps: Sequence[Step]) -> Documents:
    """Return what the manager must hold after these steps."""
    found: Documents = {}
    for step in steps:
        if step.kind in UPSERTS:
            found[step.document_id] = (step.title, step.text)
        elif step.kind == DELETE:
            found.pop(step.document_id, None)
    return found


def arrived(manager: LocalManager, source_id: str) -> Documents:
    """Return what the manager holds."""
    return {row.external_id: (row.title, row.content) for row in manager.documents(source_id)}


def disorder(steps: Sequence[Step], manager: LocalManager, run_id: str) -> str:
    """Say what is wrong with the order in which the events of one run came; empty when nothing is.

    A batch may have come again, but none may have come before an earlier one, nor an earlier one again after a later. What is
    not in ``steps`` is of another part of the source.
    """
    places = {}
    for place, step in enumerate(step for step in steps if step.kind in EVENTS):
        places[step.kind == DELETE, step.document_id, None if step.kind == DELETE else step.title] = place
    first: list[int] = []
    last: dict[int, int] = {}
    for position, event in enumerate(manager.events(run_id)):
        deleted = event.type == "document_deleted"
        payload: dict[str, Any] = event.payload
        title = None if deleted else payload["metadata"]["title"]
        place = places.get((deleted, payload["document_id"], title))
        if place is None:  # Of another part.
            continue
        if place not in last:
            first.append(place)
        last[place] = position
    if first != sorted(first):
        return f"first arrivals out of order: {first}"
    in_order = sorted(last, key=lambda place: last[place])
    return "" if in_order == sorted(last) else f"last arrivals out of order: {in_order}"


class Scripted(Connector):
    """Does what the script says; a resumed run goes on from the step that was saved, any other begins anew.

    Args:
        steps: the script.
        at_barrier: called with the context and the number of steps done, after each barrier has returned.
    """

    name = "scripted"
    version = "1.0.0"
    sync_modes = ["full", "incremental"]
    source_types = ["web"]

    def __init__(
        self, steps: Sequence[Step], at_barrier: Callable[[SyncContext, int], object] | None = None
    ) -> None:
        self.steps = steps
        self.at_barrier = at_barrier

    def sync(
        self,
        source_config: dict[str, Any],
        credentials: dict[str, Any],
        state: dict[str, Any] | None,
        ctx: SyncContext,
    ) -> None:
        """Take one step after the other."""
        del source_config, credentials
        begin = (state or {}).get("step", 0) if ctx.is_resume else 0
        for number in range(begin, len(self.steps)):
            perform(self.steps[number], number + 1, ctx)
            if self.at_barrier is not None and self.steps[number].kind in BARRIERS:
                self.at_barrier(ctx, number + 1)
        ctx.complete({"step": len(self.steps)})


def perform(step: Step, done: int, ctx: SyncContext) -> None:
    """Take one step.

    Args:
        step: the step.
        done: how many steps are done with it; what a checkpoint saves.
        ctx: the run.
    """
    if step.kind in {EMIT, UPDATE}:
        (ctx.emit_updated if step.kind == UPDATE else ctx.emit)(document(step, content=step.text))
    elif step.kind == EXTRACTED:
        ctx.emit(document(step, content=step.text.encode(), mime_type="text/markdown"))
    elif step.kind == SAVED:
        ctx.emit(document(step, content_id=ctx.content_storage.save(step.text)))
    elif step.kind == DELETE:
        ctx.emit_deleted(step.document_id)
    elif step.kind == SCANNED:
        ctx.increment_scanned()
    elif step.kind == SAVE_STATE:
        ctx.save_state({"step": done})
    elif step.kind == FLUSH:
        ctx.flush()
    elif step.kind == HEARTBEAT:
        ctx.heartbeat()


def document(step: Step, **content: Any) -> Document:
    """Return the step's document."""
    return Document(external_id=step.document_id, title=step.title, permissions=EVERYBODY, **content)
