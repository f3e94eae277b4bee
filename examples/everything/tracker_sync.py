"""What a run of the tracker's connector does, whatever its mode is."""

import logging
import mimetypes
from typing import Any
from urllib.parse import quote

from everything.tracker import Issue, Person, Project
from omni_connector import (
    Document,
    DocumentMetadata,
    DocumentPermissions,
    ExtractionError,
    PersonRecord,
    SyncContext,
)

log = logging.getLogger(__name__)

ISSUES_PER_CHECKPOINT = 100
WATCH_SECONDS = 1.0
OVERVIEW = "overview"

Checkpoint = dict[str, Any]
BEGINNING: Checkpoint = {"revision": 0, "refused": []}


def sync_project(project: Project, checkpoint: Checkpoint | None, ctx: SyncContext) -> None:
    """Emit people, overview and issues: all of these in a full run, those that have changed in an incremental one."""
    if ctx.last_sync_at is not None:
        log.info("%s was last synced at %s", project.title, ctx.last_sync_at)
    subscribe(project, ctx)
    emit_people(project, ctx)
    emit_overview(project, ctx)
    ctx.complete(emit_changes(project, checkpoint or BEGINNING, ctx))


def watch_project(project: Project, checkpoint: Checkpoint | None, ctx: SyncContext) -> None:
    """Emit changes as they happen, until the run is asked to stop."""
    saved = checkpoint or BEGINNING
    while True:
        latest = emit_changes(project, saved, ctx)
        if latest != saved:
            ctx.save_checkpoint(latest)
            saved = latest
        if not ctx.sleep(WATCH_SECONDS):
            return


def subscribe(project: Project, ctx: SyncContext) -> None:
    """Have the tracker call the webhook, once for the source: it is noted outside of the checkpoint."""
    if not ctx.connector_state:
        ctx.save_connector_state({"subscription": project.subscribe(ctx.source_id)})


def emit_people(project: Project, ctx: SyncContext) -> None:
    """Send who works on the project, and who has left it."""
    for person in project.people:
        if person.has_left or not ctx.should_index_user(person.email):
            ctx.emit_person_deleted(person.email)
        else:
            ctx.emit_person_sync(record_of(person))
    members = [person.email for person in project.people if not person.has_left]
    ctx.emit_group_membership(project.group, members, project.title)


def record_of(person: Person) -> PersonRecord:
    """Return a person as Omni has them."""
    return PersonRecord(
        external_id=person.id,
        email=person.email,
        display_name=person.name,
        job_title=person.job_title,
        manager_external_id=person.boss,
    )


def emit_overview(project: Project, ctx: SyncContext) -> None:
    """Emit a document that is put together here, partly from a file whose text the manager extracts."""
    try:
        about = ctx.content_storage.extract_text(project.about, "text/html")
    except (OSError, ExtractionError) as error:
        ctx.emit_error(OVERVIEW, error)
        return
    names = [person.name for person in project.people if not person.has_left]
    content_id = ctx.content_storage.save(f"{about}\n\nWho works on it: {', '.join(names)}")
    ctx.emit(
        Document(
            external_id=OVERVIEW,
            title=f"About {project.title}",
            content_id=content_id,
            permissions=DocumentPermissions(groups=[project.group]),
        )
    )


def emit_changes(project: Project, before: Checkpoint, ctx: SyncContext) -> Checkpoint:
    """Emit what the manager refused last time and what was saved since; return the checkpoint behind it."""
    since = before["revision"]
    again = [
        issue for issue in project.changes() if issue.id in before["refused"] and issue.revision <= since
    ]
    refused: set[str] = set()
    for number, issue in enumerate([*again, *project.changes(since)], start=1):
        ctx.raise_if_cancelled()
        ctx.increment_scanned()
        if issue.is_deleted or (issue.assignee and not ctx.should_index_user(issue.assignee)):
            delete_issue(issue, ctx)
        else:
            emit_issue(project, issue, ctx, is_new=issue.created > since)
        since = max(since, issue.revision)
        if number % ISSUES_PER_CHECKPOINT == 0 and number > len(again):
            ctx.save_checkpoint(checkpoint_behind(since, refused, ctx))
    return checkpoint_behind(since, refused, ctx)


def checkpoint_behind(revision: int, refused: set[str], ctx: SyncContext) -> Checkpoint:
    """Return a checkpoint that names the issues to be sent again, by themselves or because of one of their files."""
    refused |= {error.document_id.partition("/")[0] for error in ctx.flush()}
    return {"revision": revision, "refused": sorted(refused)}


def emit_issue(project: Project, issue: Issue, ctx: SyncContext, *, is_new: bool) -> None:
    """Emit an issue and its files."""
    permissions = permissions_of(project, issue, ctx)
    document = Document(
        external_id=issue.id,
        title=issue.title,
        content=issue.text,
        metadata=DocumentMetadata(
            url=f"https://tracker.example.com/{project.name}/{issue.id}",
            updated_at=issue.updated_at,
            content_type="issue",
            extra={"revision": issue.revision},
        ),
        permissions=permissions,
        attributes={"status": issue.status, "assignee": issue.assignee, "due": issue.due},
    )
    if is_new:
        ctx.emit(document)
    else:
        ctx.emit_updated(document)
    for name in issue.files:
        emit_file(project, issue, name, permissions, ctx)


def emit_file(
    project: Project, issue: Issue, name: str, permissions: DocumentPermissions, ctx: SyncContext
) -> None:
    """Emit a file, whose text the manager extracts; one that cannot be read is reported as an error."""
    try:
        data = project.file(issue, name).read_bytes()
    except OSError as error:
        ctx.emit_error(file_id(issue, name), error)
        return
    ctx.emit(
        Document(
            external_id=file_id(issue, name),
            title=f"{name} ({issue.title})",
            content=data,
            mime_type=mimetypes.guess_type(name)[0] or "application/octet-stream",
            filename=name,
            metadata=DocumentMetadata(path=f"{issue.id}/{name}", size=len(data)),
            permissions=permissions,
        )
    )


def delete_issue(issue: Issue, ctx: SyncContext) -> None:
    """Say that an issue and its files are gone."""
    for external_id in [issue.id, *(file_id(issue, name) for name in issue.files)]:
        ctx.emit_deleted(external_id)


def permissions_of(project: Project, issue: Issue, ctx: SyncContext) -> DocumentPermissions:
    """Return who finds an issue: a private one whoever works on it, else whoever made the source."""
    if not issue.is_private:
        return DocumentPermissions(groups=[project.group])
    return DocumentPermissions(users=[issue.assignee or ctx.user_email()])


def file_id(issue: Issue, name: str) -> str:
    """Return the id of a file's document."""
    return f"{issue.id}/{quote(name)}"
