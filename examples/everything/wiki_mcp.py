"""A wiki in memory with its MCP server, over streamable HTTP; as its vendor would run it. It knows nothing of Omni.

    python -m everything.wiki_mcp --port 8200

Anyone with a token may read and write; ``TOKENS`` maps tokens to users.
"""

import argparse

import uvicorn
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations
from pydantic import AnyHttpUrl

ISSUER = AnyHttpUrl("https://wiki.example.com")
TOKENS = {"office-token": "office@example.com", "ann-token": "ann@example.com"}
READ = ToolAnnotations(read_only_hint=True)

pages = {"welcome": "Hello, and mind the step.", "holidays": "Everybody has thirty days."}


class KnownTokens:
    """Knows whose a token is."""

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return what the token allows, or None."""
        person = TOKENS.get(token)
        return None if person is None else AccessToken(token=token, client_id=person, scopes=[])


server = MCPServer(
    "wiki",
    token_verifier=KnownTokens(),
    auth=AuthSettings(issuer_url=ISSUER, resource_server_url=None),
)


@server.tool(annotations=READ)
def who_am_i() -> str:
    """Say whose account this is."""
    token = get_access_token()
    return "nobody" if token is None else token.client_id


@server.tool(annotations=READ)
def list_pages() -> str:
    """List the names of the pages, a line each."""
    return "\n".join(sorted(pages))


@server.tool()
def write_page(name: str, text: str) -> str:
    """Write a page."""
    pages[name] = text
    return f"{who_am_i()} wrote {name}."


@server.resource("wiki://pages/{name}", mime_type="text/plain")
def page(name: str) -> str:
    """A page."""
    return pages[name]


@server.prompt(title="Write in our style", description="How pages are written.")
def style(subject: str) -> str:
    """Return what to ask."""
    return f"Write about {subject} in short sentences."


def serve(port: int) -> None:
    """Serve until the process is stopped."""
    config = uvicorn.Config(server.streamable_http_app(), port=port, log_level="warning")
    listening = config.bind_socket()
    listening.listen()
    print(f"The wiki is at http://127.0.0.1:{listening.getsockname()[1]}/mcp", flush=True)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A wiki with an MCP server.")
    parser.add_argument("--port", type=int, default=8200)
    serve(parser.parse_args().port)
