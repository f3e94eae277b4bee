"""The tracker's connector: what it announces, what it refuses, and its runs.

Settings of a source: ``project``. Credentials: ``token``, and ``webhook_secret`` for ``app.py``.
"""

import sys
from pathlib import Path
from typing import Any

from everything.tracker import TrackerError
from everything.tracker_actions import TrackerActions
from everything.tracker_sync import sync_project, watch_project
from omni_connector import (
    SearchOperator,
    SkillDefinition,
    StdioMcpServer,
    SyncContext,
    SyncRefusedError,
    SyncUnavailableError,
)

Json = dict[str, Any]

HOW_TO_WRITE = """An issue has one sentence as its title that says what is wrong, not what to do.
The text says how to see it happen."""


class TrackerConnector(TrackerActions):
    """Indexes a project: its issues, their files, and who works on it."""

    # A manager looks for attributes_schema by a source's type, and has it by a connector's name: let them be equal.
    name = "linear"
    version = "1.0.0"
    display_name = "Tracker"
    description = "Issues, files and people of a project"
    source_types = ["linear"]
    sync_modes = ["full", "incremental", "realtime"]

    search_operators = [
        SearchOperator(operator="status", attribute_key="status"),
        SearchOperator(operator="assignee", attribute_key="assignee", value_type="person"),
        SearchOperator(operator="due", attribute_key="due", value_type="datetime"),
    ]
    attributes_schema = {
        "type": "object",
        "properties": {
            "status": {"type": "string", "enum": ["open", "done"]},
            "assignee": {"type": "string", "format": "email"},
            "due": {"type": "string", "format": "date"},
        },
    }
    extra_schema = {"type": "object", "properties": {"revision": {"type": "integer"}}}

    skills = [
        SkillDefinition(id="write-an-issue", title="How to write an issue", content=HOW_TO_WRITE),
        SkillDefinition(
            id="open-issues", title="What is to be done", description="Open issues and who has them"
        ),
        SkillDefinition(id="triage", title="How to sort an issue in", mcp_prompt="triage"),
    ]

    mcp_server = StdioMcpServer(
        sys.executable,
        ["-m", "everything.tracker_mcp"],
        cwd=str(Path(__file__).parents[1]),
        needs_credentials=False,  # To tell what it offers; its tools want the token.
    )

    def prepare_mcp_env(self, credentials: Json) -> dict[str, str]:
        """Return what the MCP server needs to open the owner's projects."""
        return {"TRACKER_FOLDER": str(self.root), "TRACKER_TOKEN": credentials.get("token", "")}

    def validate_sync_request(self, source_config: Json, credentials: Json, sync_mode: str) -> None:
        """Refuse what cannot work before it begins."""
        try:
            project = self.project(source_config, credentials)
        except TrackerError as error:
            raise SyncRefusedError(str(error)) from error
        if sync_mode == "realtime" and project.is_archived:
            raise SyncUnavailableError(f"{project.title} is archived: there is nothing to wait for")

    def sync(self, source_config: Json, credentials: Json, state: Json | None, ctx: SyncContext) -> None:
        """Emit the project, or watch it."""
        project = self.project(source_config, credentials)
        if ctx.sync_mode == "realtime":
            watch_project(project, state, ctx)
        else:
            sync_project(project, state, ctx)

    def load_skill(self, skill_id: str, arguments: Json, credentials: Json) -> str | None:
        """Return the text of a skill that depends on the moment; ``project`` is its argument."""
        if skill_id != "open-issues":
            return None
        project = self.project(arguments, credentials)
        issues = [each for each in project.changes() if each.status == "open" and not each.is_deleted]
        lines = [f"- {each.id} {each.title} ({each.assignee or 'nobody'})" for each in issues]
        return "\n".join([f"Open in {project.title}:", *lines])
