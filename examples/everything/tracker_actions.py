"""Actions of the tracker's connector: typed methods, and one that is declared by hand because it answers a file."""

import mimetypes
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from flask import Response

from everything.tracker import Issue, Project, TrackerError
from omni_connector import ActionDefinition, ActionResponse, Connector, Source, action

Json = dict[str, Any]

IssueId = Annotated[str, "such as AP-1"]


class TrackerActions(Connector):
    """What people and agents can do in a project.

    Args:
        root: the folder of the tracker's projects.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def project(self, source_config: Json, credentials: Json) -> Project:
        """Open the project of a source.

        Args:
            source_config: the source's settings.
            credentials: the secrets themselves, as ``sync`` has them, or a row that holds them, as actions do.

        Raises:
            TrackerError: it cannot be opened.
        """
        secrets = credentials.get("credentials", credentials)
        return Project(self.root, source_config.get("project", ""), secrets.get("token", ""))

    @action(mode="read")
    def find_issues(
        self,
        source: Source,
        credentials: Json,
        text: Annotated[str, "a part of the title or the text"] = "",
        status: Literal["open", "done"] | None = None,
        limit: int = 10,
    ) -> list[dict[str, str]]:
        """Find issues by their text and status."""
        issues = self.project(source.config, credentials).changes()
        found = [each for each in issues if text.lower() in f"{each.title} {each.text}".lower()]
        return [
            {"id": each.id, "title": each.title, "status": each.status}
            for each in found
            if not each.is_deleted and status in (None, each.status)
        ][:limit]

    @action(mode="write")
    def close_issue(
        self,
        source: Source,
        credentials: Json,
        actor_email: str | None,
        issue: IssueId,
        reason: Annotated[str, "for people who read it later"],
    ) -> str | ActionResponse:
        """Close an issue and say why."""
        try:
            project = self.project(source.config, credentials)
            text = f"{project.issue(issue).text}\n\nClosed by {actor_email or 'Omni'}: {reason}"
        except TrackerError as error:
            return ActionResponse.failure(str(error))
        project.save(issue, text=text, status="done")
        return f"{issue} is closed."

    @action(mode="write", admin_only=True)
    def delete_issue(self, source: Source, credentials: Json, issue: IssueId) -> ActionResponse:
        """Delete an issue for good."""
        try:
            project = self.project(source.config, credentials)
            project.save(project.issue(issue).id, is_deleted=True)
        except TrackerError as error:
            return ActionResponse.failure(str(error))
        return ActionResponse.success({"deleted": issue})

    @action(mode="read", hidden=True)
    def check_project(self, credentials: Json, project: str) -> dict[str, Any]:
        """Say what a project holds; the dialogue that sets up a source asks this, before there is one."""
        opened = self.project({"project": project}, credentials)
        return {"title": opened.title, "issues": len(opened.changes()), "is_archived": opened.is_archived}

    @property
    def actions(self) -> list[ActionDefinition]:
        """Those that ``execute_action`` runs."""
        return [
            ActionDefinition(
                name="download_file",
                description="Download a file of an issue, by the id of its document",
                # The manager puts the document's id in the source in place of its own, and calls it file_id.
                input_schema={
                    "type": "object",
                    "properties": {"document_id": {"type": "string"}, "file_id": {"type": "string"}},
                },
                mode="read",
            )
        ]

    def execute_action(
        self, action: str, params: Json, credentials: Json, source: Source | None = None
    ) -> Response | ActionResponse:
        """Run an action that is declared by hand."""
        if action != "download_file" or source is None:
            return ActionResponse.not_supported(action)
        project = self.project(source.config, credentials)
        issue_id, _, name = str(params.get("file_id", "")).partition("/")
        try:
            issue = project.issue(issue_id)
            path = project.file(issue, unquote(name))
        except TrackerError as error:
            return ActionResponse.failure(str(error), status_code=404)
        return file_response(issue, path)


def file_response(issue: Issue, path: Path) -> Response:
    """Return a file to be saved."""
    response = Response(path.read_bytes(), mimetype=mimetypes.guess_type(path.name)[0])
    response.headers.set("Content-Disposition", "attachment", filename=f"{issue.id}-{path.name}")
    return response
