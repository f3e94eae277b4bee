"""A wiki that is known by its MCP server alone, over streamable HTTP; ``async def`` throughout.

People connect their accounts (OAuth), and what they do is done with them; syncs use the organisation's. Credentials:
``access_token``.
"""

import logging
from typing import Annotated, Any

from omni_connector import (
    Connector,
    Document,
    DocumentPermissions,
    HttpMcpServer,
    OAuthManifestConfig,
    OAuthScopeSet,
    SyncContext,
    action,
)

log = logging.getLogger(__name__)

Json = dict[str, Any]


class WikiConnector(Connector):
    """Indexes the pages, and offers whatever the wiki's server does.

    Args:
        url: the address of that server.
    """

    name = "notion"
    version = "1.0.0"
    display_name = "Wiki"
    source_types = ["notion"]

    def __init__(self, url: str) -> None:
        self._url = url

    @property
    def mcp_server(self) -> HttpMcpServer:
        """The server; it lists its tools only to users with an account."""
        return HttpMcpServer(self._url)

    def prepare_mcp_headers(self, credentials: Json) -> dict[str, str]:
        """Return the account's token, as the server wants it."""
        return {"Authorization": f"Bearer {credentials['access_token']}"}

    def oauth_config(self) -> OAuthManifestConfig:
        """Return where people connect their accounts."""
        return OAuthManifestConfig(
            provider="notion",
            auth_endpoint="https://wiki.example.com/oauth/authorize",
            token_endpoint="https://wiki.example.com/oauth/token",  # noqa: S106 - an address, no secret.
            userinfo_endpoint="https://wiki.example.com/oauth/userinfo",
            scopes={"notion": OAuthScopeSet(read=["pages.read"], write=["pages.write"])},
        )

    async def on_credential_ready(self, source_id: str, credentials: Json) -> None:
        """Try the account that was connected: when this fails, the manager learns it at once."""
        account = await self.mcp.call_tool("who_am_i", {}, credentials)
        log.info("%s connected an account for source %s", account.content, source_id)

    async def sync(
        self, source_config: Json, credentials: Json, state: Json | None, ctx: SyncContext
    ) -> None:
        """Emit every page, read as a resource of the server."""
        del source_config, state
        listed = await self.mcp.call_tool("list_pages", {}, credentials)
        for name in listed.content.splitlines():
            page = await self.mcp.read_resource(f"wiki://pages/{name}", credentials)
            await ctx.emit(
                Document(
                    external_id=name,
                    title=name.capitalize(),
                    content=page["contents"][0]["text"],
                    permissions=DocumentPermissions(public=True),
                )
            )
            await ctx.increment_scanned()

    @action(mode="write", required_scopes=["pages.write"])
    async def write_page(self, name: str, text: Annotated[str, "the whole page"], credentials: Json) -> str:
        """Write a page of the wiki.

        In place of the server's tool of the same name, which knows nothing of scopes.
        """
        written = await self.mcp.call_tool("write_page", {"name": name, "text": text}, credentials)
        return written.content
