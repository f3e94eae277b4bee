"""The tracker's own MCP server, over stdio; as its vendor would ship it. It knows nothing of Omni."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError
from mcp_types import ToolAnnotations

from everything.tracker import Project, TrackerError

server = MCPServer("tracker")


def opened(project: str) -> Project:
    """Open a project with the token from the environment."""
    return Project(Path(os.environ["TRACKER_FOLDER"]), project, os.environ["TRACKER_TOKEN"])


@contextmanager
def reported_as(kind: type[Exception]) -> Iterator[None]:
    """Report errors of the tracker to the client, with their text."""
    try:
        yield
    except TrackerError as error:
        raise kind(str(error)) from error


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def count_issues(project: str) -> dict[str, int]:
    """Count the issues of a project by their status."""
    counts = {"open": 0, "done": 0}
    with reported_as(ToolError):
        for issue in opened(project).changes():
            counts[issue.status] += not issue.is_deleted
    return counts


@server.tool()
def assign_issue(project: str, issue: str, person: str) -> str:
    """Give an issue to somebody, by their address."""
    with reported_as(ToolError):
        tracker = opened(project)
        if person not in [each.email for each in tracker.people if not each.has_left]:
            raise TrackerError(f"{person} does not work on {tracker.title}.")
        tracker.save(tracker.issue(issue).id, assignee=person)
    return f"{person} has {issue} now."


@server.resource("tracker://statuses", mime_type="text/plain")
def statuses() -> str:
    """What the statuses mean."""
    return "open: somebody has to do something.\ndone: nobody has."


@server.resource("tracker://{project}/issues/{issue}", mime_type="text/plain")
def issue_text(project: str, issue: str) -> str:
    """The text of an issue."""
    with reported_as(ResourceNotFoundError):
        return opened(project).issue(issue).text


@server.prompt(title="Sort an issue in", description="Decide who has to look at an issue.")
def triage(issue: str, urgency: str = "usual") -> str:
    """Return what to ask."""
    return f"Who should look at {issue}? Its urgency is {urgency}. Choose the person with the fewest open issues."


if __name__ == "__main__":
    server.run("stdio")
