"""Mirror an MCP server: index what it can tell, and hand its tools to agents.

    pip install 'omni-connector[mcp]' mcp-server-git
    omni-connector run examples/mcp_connector.py --set repo_path=. --set public=true
    omni-connector search "fix"

The server is ``mcp-server-git``. Each commit of a repository becomes a document; the server's tools (``git_log``,
``git_show``, ``git_diff``, ...) become actions, without a line for any of them. The manager adds the source's settings
to the parameters of an action, so that an agent need not know ``repo_path``.

Settings of the source:

``repo_path``  the repository's folder.
``public``     true: everybody finds the commits.
``users``      or only these, by e-mail address.
``latest``     how many commits are looked at; 200 unless given.

The state holds the newest commit that was indexed. An incremental run ends there; a full one sends all again.
"""

import re
import sys
from collections.abc import Iterator
from typing import Any

from omni_connector import (
    ConfigurationError,
    Connector,
    Document,
    DocumentMetadata,
    DocumentPermissions,
    StdioMcpServer,
    SyncContext,
)

LATEST = 200

COMMIT = re.compile(
    r"^Commit: (?P<id>[0-9a-f]{40})\nAuthor: (?P<author>.*)\nDate: (?P<date>.*)\nMessage: (?P<title>.*)",
    re.MULTILINE,
)
"""One commit, as ``git_log`` of the server prints it."""


class GitConnector(Connector):
    """Indexes the commits of a repository."""

    name = "git-history"
    version = "1.0.0"
    display_name = "Git history"
    sync_modes = ["full", "incremental"]
    source_types = ["local_files"]
    read_only = True  # Agents may look; the server could also commit and reset.

    mcp_server = StdioMcpServer(sys.executable, ["-m", "mcp_server_git"], needs_credentials=False)

    def sync(
        self,
        source_config: dict[str, Any],
        credentials: dict[str, Any],
        state: dict[str, Any] | None,
        ctx: SyncContext,
    ) -> None:
        """Emit the commits, the newest first."""
        del credentials
        repository = source_config.get("repo_path")
        if not isinstance(repository, str):
            raise ConfigurationError(
                "repo_path is missing: give the folder of a repository, --set repo_path=FOLDER"
            )
        before = state or {"newest": None, "refused": []}
        newest, is_known = before["newest"], False
        for number, commit in enumerate(self._commits(repository, int(source_config.get("latest", LATEST)))):
            newest = commit["id"] if number == 0 else newest
            is_known = is_known or commit["id"] == before["newest"]
            if is_known and commit["id"] not in before["refused"]:
                continue  # Sent by an earlier run.
            ctx.increment_scanned()
            shown = self.mcp.call_tool("git_show", {"repo_path": repository, "revision": commit["id"]})
            ctx.emit(
                Document(
                    external_id=commit["id"],
                    title=commit["title"],
                    content=shown.content,
                    metadata=DocumentMetadata(author=commit["author"], created_at=commit["date"]),
                    permissions=DocumentPermissions(
                        public=source_config.get("public") is True, users=source_config.get("users") or []
                    ),
                )
            )
        refused = [error.document_id for error in ctx.flush()]
        ctx.complete({"newest": newest, "refused": refused})

    def _commits(self, repository: str, latest: int) -> Iterator[dict[str, str]]:
        listed = self.mcp.call_tool("git_log", {"repo_path": repository, "max_count": latest})
        for match in COMMIT.finditer(listed.content):
            yield match.groupdict()


if __name__ == "__main__":
    GitConnector().serve()
