"""A document that is removed at the source is deleted, by the runs that the manager schedules."""

from collections.abc import Iterator

from omni_connector.testing.checks.bench import Bench
from omni_connector.testing.checks.comparing import counted, named
from omni_connector.testing.checks.finding import Finding, NotApplicableError


def find(bench: Bench) -> Iterator[Finding]:
    """Sync a source, remove a document, and sync again as the manager does; in full if that finds nothing."""
    remove = bench.subject.remove_document
    if remove is None:
        raise NotApplicableError(
            "nothing says how to remove a document at the source: give --remove COMMAND, or the fixture remove_document"
        )
    bench.require_scheduled_runs()
    before = bench.sync()
    removed = remove()
    mode = "incremental" if "incremental" in bench.modes else "full"
    after = bench.sync(before.source_id, mode)
    if mode == "incremental" and len(after.index) == len(before.index) and bench.connector.reconcile_every:
        after = bench.reconciled(before.source_id)
    gone = [name for name in before.index if name not in after.index]
    if removed in after.index or not gone:
        yield _kept(bench, before.source_id, removed, mode)
        return
    others = [name for name in gone if name != removed]
    if len(others) > (removed is None):
        yield Finding(
            what=f"One document was removed at the source, and {counted(gone)} deleted.",
            where=named(others),
            why="Documents that are still there vanish from all searches.",
            remedy="Delete only what a complete listing does not show; nothing after a listing that was broken off.",
        )


def _kept(bench: Bench, source_id: str, removed: str | None, mode: str) -> Finding:
    where = f"{mode} sync" if removed is None else f"{mode} sync: document {removed!r}"
    why = "Everybody who was allowed to find it goes on finding it, although it is gone."
    if mode == "incremental":
        later = bench.sync(source_id, "full").index
        if removed not in later if removed is not None else len(later) < len(bench.first.index):
            return Finding(
                what="A document that was removed at the source is deleted by a full sync only.",
                where=where,
                why="The manager schedules one full sync for a source, and incremental ones from then on.",
                remedy="Find deletions in incremental runs as well: ctx.inventory(), or the source's list of deletions.",
            )
    return Finding(
        what="A document that was removed at the source is not deleted.",
        where=where,
        why=why,
        remedy="Emit deletions: ctx.inventory() finds what a complete listing does not show any more.",
    )
