"""A server made with the ``mcp`` package's high-level class: a small library. ``library.py`` speaks stdio, ``library.py
http`` streamable HTTP on a free port, which it prints; ``--port P`` on that one; ``--token T`` wants ``Authorization: Bearer T``."""

from __future__ import annotations

import os
import sys

import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse


class Book(BaseModel):
    """A book."""

    title: str
    year: int


class Shelf(BaseModel):
    """Books, and further shelves."""

    books: list[Book] = []
    shelves: list[Shelf] = []


server = MCPServer("library")
READ = ToolAnnotations(read_only_hint=True)


@server.tool(annotations=READ, title="Find a book")
def find_book(title: str) -> Book:
    """Find a book by its title."""
    return Book(title=title, year=1984)


@server.tool()
def lend(book: Book, days: int = Field(default=14, description="For how long")) -> str:
    """Lend a book."""
    return f"{book.title} for {days} days"


@server.tool()
def arrange(shelf: Shelf) -> str:
    """Arrange a shelf and those inside it."""
    return f"{len(shelf.books)} books, {len(shelf.shelves)} shelves"


@server.tool(annotations=READ)
def who_are_you() -> str:
    """Tell the process."""
    return str(os.getpid())


@server.tool()
def burn(title: str) -> str:
    """Fail."""
    raise ValueError(f"{title} does not burn")


@server.resource("library://rules", mime_type="text/plain")
def rules() -> str:
    """What is allowed."""
    return "No fire."


@server.resource("library://cover.png", mime_type="image/png")
def cover() -> bytes:
    """A picture."""
    return b"\x89PNG"


@server.resource("library://books/{title}", mime_type="text/plain")
def book_text(title: str) -> str:
    """The text of a book."""
    return f"The text of {title}."


@server.prompt(title="Recommend a book", description="Ask for a recommendation.")
def recommend(subject: str, mood: str = "any") -> str:
    return f"Recommend a book about {subject} for a {mood} mood."


def serve_http(token: str | None, port: int) -> None:
    app = server.streamable_http_app()
    if token is not None:

        async def guarded(scope, receive, send):
            given = dict(scope.get("headers", ())).get(b"authorization")
            if scope["type"] == "http" and given != f"Bearer {token}".encode():
                await JSONResponse({"error": "unauthorized"}, 401)(scope, receive, send)
            else:
                await app(scope, receive, send)

    config = uvicorn.Config(app if token is None else guarded, log_level="error", port=port, lifespan="on")
    listening = config.bind_socket()
    listening.listen()
    print(f"listening on {listening.getsockname()[1]}", flush=True)
    uvicorn.Server(config).run(sockets=[listening])


def option(name: str) -> str | None:
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else None


if __name__ == "__main__":
    if "http" in sys.argv:
        serve_http(option("--token"), int(option("--port") or 0))
    else:
        server.run("stdio")
