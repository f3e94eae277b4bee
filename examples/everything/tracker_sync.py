"""What a run of the tracker's connector does, whatever its mode is."""

import logging
import mimetypes
from dataclasses import dataclass, field
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


@dataclass
class Progress:
    """How far the runs have come: the checkpoint of the source.

    Attributes:
        revision: the last revision of the project that was emitted.
        refused: ids of issues that the manager refused, themselves or one of their files.
    """

    revision: int = 0
    refused: set[str] = field(default_factory=set)

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint | None) -> "Progress":
        """Return where an earlier run ended; the beginning where there was none."""
        return cls(checkpoint["revision"], set(checkpoint["refused"])) if checkpoint else cls()

    def after_flush(self, ctx: SyncContext) -> Checkpoint:
        """Return the checkpoint to save. People are not in it: every run emits them; the overview is in an inventory."""
        refused = {each.document_id.partition("/")[0] for each in ctx.flush() if each.kind == "document"}
        self.refused |= refused - {OVERVIEW}
        return {"revision": self.revision, "refused": sorted(self.refused)}


def sync_project(project: Project, checkpoint: Checkpoint | None, ctx: SyncContext) -> None:
    """Emit people, overview and issues: all issues in a full run, those that changed in an incremental one."""
    if ctx.last_sync_at is not None:
        log.info("%s was last synced at %s", project.title, ctx.last_sync_at)
    progress = Progress.from_checkpoint(checkpoint)
    subscribe(project, ctx)
    emit_people(project, ctx)
    emit_overview(project, ctx)
    emit_again(project, progress, ctx)
    emit_changes(project, progress, ctx)
    ctx.complete(progress.after_flush(ctx))


def watch_project(project: Project, checkpoint: Checkpoint | None, ctx: SyncContext) -> None:
    """Emit changes as they happen, until the run is asked to stop."""
    progress = Progress.from_checkpoint(checkpoint)
    emit_again(project, progress, ctx)
    while True:
        before = progress.revision
        emit_changes(project, progress, ctx)
        if progress.revision != before:
            ctx.save_checkpoint(progress.after_flush(ctx))
        if not ctx.sleep(WATCH_SECONDS):
            return


def emit_again(project: Project, progress: Progress, ctx: SyncContext) -> None:
    """Emit the issues that the manager rejected in earlier runs."""
    again, progress.refused = progress.refused, set()
    for issue_id in sorted(again):
        emit_change(project, project.issue(issue_id), ctx, is_new=False)


def subscribe(project: Project, ctx: SyncContext) -> None:
    """Have the tracker call the webhook, once for the source: this is noted outside the checkpoint."""
    if not ctx.connector_state:
        ctx.save_connector_state({"subscription": project.subscribe(ctx.source_id)})


def emit_people(project: Project, ctx: SyncContext) -> None:
    """Say who works on the project, and who does not any more."""
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
    """Emit a document that is put together here, partly from a file whose text the manager extracts, if it has changed."""
    names = [person.name for person in project.people if not person.has_left]
    try:
        version = [project.title, project.group, names, project.about.read_text()]
        if not ctx.inventory(OVERVIEW).changed(OVERVIEW, version):
            return
        about = ctx.content_storage.extract_text(project.about, "text/html")
    except (OSError, ExtractionError) as error:
        ctx.emit_error(OVERVIEW, error)
        return
    content_id = ctx.content_storage.save(f"{about}\n\nWho works on it: {', '.join(names)}")
    ctx.emit(
        Document(
            external_id=OVERVIEW,
            title=f"About {project.title}",
            content_id=content_id,
            permissions=DocumentPermissions(groups=[project.group]),
        )
    )


def emit_changes(project: Project, progress: Progress, ctx: SyncContext) -> None:
    """Emit what was saved since the last revision that was emitted."""
    since = progress.revision
    for number, issue in enumerate(project.changes(since), start=1):
        ctx.raise_if_cancelled()
        ctx.increment_scanned()
        emit_change(project, issue, ctx, is_new=issue.created > since)
        progress.revision = issue.revision
        if number % ISSUES_PER_CHECKPOINT == 0:
            ctx.save_checkpoint(progress.after_flush(ctx))


def emit_change(project: Project, issue: Issue, ctx: SyncContext, *, is_new: bool) -> None:
    """Emit an issue, or delete it where it is gone or must not be indexed."""
    if issue.is_deleted or (issue.assignee and not ctx.should_index_user(issue.assignee)):
        delete_issue(issue, ctx)
    else:
        emit_issue(project, issue, ctx, is_new=is_new)


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
    """Emit a file, whose text the manager extracts; a file that cannot be read is reported as an error."""
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
    """Return who finds an issue: the group; a private one its assignee, or the user who made the source."""
    if not issue.is_private:
        return DocumentPermissions(groups=[project.group])
    return DocumentPermissions(users=[issue.assignee or ctx.user_email()])


def file_id(issue: Issue, name: str) -> str:
    """Return the id of a file's document."""
    return f"{issue.id}/{quote(name)}"
