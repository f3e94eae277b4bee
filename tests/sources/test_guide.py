"""The code in docs/how-to/sources.md runs."""

from __future__ import annotations

import re
from pathlib import Path

from support.source_server import Answer, AsyncScripted, SourceServer

from omni_connector import Document, DocumentPermissions
from omni_connector.sources import numbered_pages
from omni_connector.testing import run_sync

PAGE = Path(__file__).resolve().parents[2].joinpath("docs/how-to/sources.md").read_text(encoding="utf-8")
WIKI, REACHABLE, ASYNC = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def entry(name):
    return {
        "id": name,
        "title": name,
        "html": f"<p>{name}</p><p>x",
        "changed": 1785585600,
        "readers": ["a@example.com"],
    }


def test_the_wiki_is_read_page_by_page():
    def interface(seen):
        if seen.path == "/oauth/token":
            return Answer({"access_token": "access-token-1", "refresh_token": "refresh-token-2"})
        assert seen.headers["Authorization"] == "Bearer access-token-1"
        first = "cursor" not in seen.query
        return Answer({"pages": [entry("a" if first else "b")], "next": "c1" if first else None})

    namespace = {"__name__": "guide"}
    exec(compile(WIKI, "docs/how-to/sources.md", "exec"), namespace)
    with SourceServer(interface) as server:
        result = run_sync(
            namespace["Wiki"](),
            config={"url": server.url, "client_id": "c"},
            credentials={"refresh_token": "refresh-token-1"},
        )
    assert (result.status, result.state) == ("completed", {"position": None})
    assert {name: document.content for name, document in result.documents.items()} == {
        "a": "a\n\nx",
        "b": "b\n\nx",
    }
    assert result.documents["a"].metadata["updated_at"] == "2026-08-01T12:00:00Z"


def test_a_source_that_is_not_reachable_is_said():
    namespace = {}
    exec(compile(REACHABLE, "docs/how-to/sources.md", "exec"), namespace)
    with SourceServer([Answer({}), Answer({}, status=404)]) as server:
        said = [namespace["check_connection"](None, {"url": server.url}, {}) for _ in range(2)]
    assert said == [None, f"{server.url}/about answers 404: correct the setting url."]


def test_the_async_form_is_awaited():
    def to_document(item):
        return Document(
            external_id=item, title=item, content=item, permissions=DocumentPermissions(public=True)
        )

    namespace = {"numbered_pages": numbered_pages, "to_document": to_document}
    exec(compile(ASYNC, "docs/how-to/sources.md", "exec"), namespace)

    class Reader(AsyncScripted):
        sync = namespace["sync"]

    answers = [Answer({"page_size": 2}), Answer(["a", "b"]), Answer(["c"]), Answer([])]
    with SourceServer(answers) as server:
        result = run_sync(Reader(None), config={"url": server.url})
    assert set(result.documents) == {"a", "b", "c"}
