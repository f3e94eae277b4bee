"""Real servers, from PyPI, from npm and made with the ``mcp`` package, over both transports.

Those from PyPI and npm only in ``make test-all``.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
from flask import Flask
from support.mcp_servers import http_library

from omni_connector import McpRefusedError
from omni_connector.local import HttpServer
from omni_connector.models.action_schema import schema_problems
from omni_connector.models.mcp_servers import HttpMcpServer, StdioMcpServer


def catalogue_of(bridged):
    assert bridged.discover() is True
    return bridged.catalogue


def modes(catalogue):
    return {tool.name: tool.mode for tool in catalogue.tools}


@pytest.mark.slow
def test_time_from_pypi(bridge_to):
    bridged = bridge_to(StdioMcpServer(sys.executable, ["-m", "mcp_server_time", "--local-timezone", "UTC"]))
    assert set(modes(catalogue_of(bridged))) == {"get_current_time", "convert_time"}
    noon = {"source_timezone": "Europe/Paris", "time": "12:00", "target_timezone": "Asia/Tokyo"}
    told = bridged.call_tool("convert_time", noon)
    assert "Asia/Tokyo" in told.content
    with pytest.raises(McpRefusedError, match="Nowhere"):
        bridged.call_tool("get_current_time", {"timezone": "Nowhere/Land"})


@pytest.mark.slow
def test_git_from_pypi(bridge_to, tmp_path):
    git = ["git", "-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    (tmp_path / "todo.txt").write_text("milk")
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "Buy milk"], check=True)
    server = StdioMcpServer(sys.executable, ["-m", "mcp_server_git"], cwd=tmp_path)
    bridged = bridge_to(server)
    assert modes(catalogue_of(bridged))["git_log"] == "read"
    assert modes(bridged.catalogue)["git_commit"] == "write"
    assert "Buy milk" in bridged.call_tool("git_log", {"repo_path": str(tmp_path)}).content


@pytest.mark.slow
def test_fetch_from_pypi(bridge_to):
    bridged = bridge_to(
        StdioMcpServer(
            sys.executable, ["-m", "mcp_server_fetch", "--ignore-robots-txt", "--allow-private-ips"]
        )
    )
    catalogue = catalogue_of(bridged)
    assert [prompt.name for prompt in catalogue.prompts] == ["fetch"]
    assert [(skill.id, skill.mcp_prompt) for skill in catalogue.skills] == [("mcp:fetch", "fetch")]
    page = Flask(__name__)
    page.add_url_rule("/", "page", lambda: "<title>Boats</title><h1>Boats</h1><p>They float.</p>")
    with HttpServer(page, threads=2) as web:
        assert "They float." in bridged.call_tool("fetch", {"url": web.url}).content
        with pytest.raises(McpRefusedError, match="404"):
            bridged.call_tool("fetch", {"url": f"{web.url}/nothing"})


@pytest.mark.slow
def test_the_filesystem_server_from_npm(bridge_to, npm_server, tmp_path):
    (tmp_path / "todo.txt").write_text("milk, bread")
    bridged = bridge_to(npm_server("filesystem", str(tmp_path)))
    found = modes(catalogue_of(bridged))
    assert (found["read_text_file"], found["write_file"]) == ("read", "write")
    assert bridged.call_tool("read_text_file", {"path": str(tmp_path / "todo.txt")}).content == "milk, bread"
    bridged.call_tool("write_file", {"path": str(tmp_path / "new.txt"), "content": "eggs"})
    assert (tmp_path / "new.txt").read_text() == "eggs"
    with pytest.raises(McpRefusedError, match="denied"):
        bridged.call_tool("read_text_file", {"path": "/etc/passwd"})


@pytest.mark.slow
def test_the_memory_server_from_npm(bridge_to, npm_server, tmp_path):
    server = npm_server("memory", env={"MEMORY_FILE_PATH": str(tmp_path / "memory.json")})
    bridged = bridge_to(server)
    catalogue_of(bridged)
    ann = {"name": "Ann", "entityType": "person", "observations": ["likes boats"]}
    bridged.call_tool("create_entities", {"entities": [ann]})
    told = bridged.call_tool("search_nodes", {"query": "boats"})
    assert "Ann" in told.content
    assert told.structured_content["entities"][0]["name"] == "Ann"


@pytest.fixture(params=["stdio", "http"])
def everything(request, npm_server):
    return (
        npm_server("everything", "stdio")
        if request.param == "stdio"
        else request.getfixturevalue("everything_over_http")
    )


@pytest.mark.slow
def test_the_everything_server_from_npm(bridge_to, everything):
    bridged = bridge_to(everything)
    catalogue = catalogue_of(bridged)
    assert modes(catalogue)["echo"] == "read"
    assert {"simple-prompt", "args-prompt"} <= {prompt.name for prompt in catalogue.prompts}
    uris = [resource.uri_template for resource in catalogue.resources]
    assert "demo://resource/dynamic/text/{resourceId}" in uris
    assert "demo://resource/static/document/features.md" in uris
    assert bridged.call_tool("echo", {"message": "hello"}).content == "Echo: hello"
    weather = bridged.call_tool("get-structured-content", {"location": "Chicago"}).structured_content
    assert set(weather) == {"temperature", "conditions", "humidity"}
    (text,) = bridged.read_resource("demo://resource/dynamic/text/1")["contents"]
    assert "Resource 1" in text["text"]
    (blob,) = bridged.read_resource("demo://resource/dynamic/blob/1")["contents"]
    assert "text" not in blob
    assert blob["blob"]
    asked = bridged.get_prompt("args-prompt", {"city": "Oslo"})
    assert asked["messages"] == [
        {"role": "user", "content": {"type": "text", "text": "What's weather in Oslo?"}}
    ]
    with pytest.raises(McpRefusedError, match="no-such-tool not found"):
        bridged.call_tool("no-such-tool", {})


@pytest.fixture(params=["stdio", pytest.param("http", marks=pytest.mark.slow)])
def either_library(request, library):
    if request.param == "stdio":
        yield library
    else:
        with http_library() as url:
            yield HttpMcpServer(url)


def test_a_server_of_the_mcp_package(bridge_to, either_library):
    bridged = bridge_to(either_library)
    catalogue = catalogue_of(bridged)
    assert modes(catalogue) == {
        "find_book": "read", "lend": "write", "arrange": "write", "who_are_you": "read", "burn": "write",
    }  # fmt: skip
    found = bridged.call_tool("find_book", {"title": "Boats"})
    assert found.structured_content == {"title": "Boats", "year": 1984}
    lent = bridged.call_tool("lend", {"book": {"title": "Boats", "year": 1}, "days": 3})
    assert lent.content == "Boats for 3 days"
    deep = {"books": [], "shelves": [{"books": [], "shelves": []}, {}]}
    assert bridged.call_tool("arrange", {"shelf": deep}).content == "0 books, 2 shelves"
    with pytest.raises(McpRefusedError, match="burn") as failed:
        bridged.call_tool("burn", {"title": "Boats"})
    assert failed.value.code is None
    assert bridged.read_resource("library://books/Boats") == {
        "contents": [
            {"uri": "library://books/Boats", "text": "The text of Boats.", "mime_type": "text/plain"}
        ]
    }
    assert bridged.read_resource("library://cover.png")["contents"][0]["blob"] == "iVBORw=="
    told = bridged.get_prompt("recommend", {"subject": "boats"})
    assert told["description"] == "Ask for a recommendation."
    assert told["messages"][0]["content"]["text"] == "Recommend a book about boats for a any mood."
    assert [skill.title for skill in catalogue.skills] == ["Recommend a book"]


@pytest.mark.parametrize("name", [pytest.param("library", marks=pytest.mark.slow), "awkward"])
def test_every_announced_schema_is_one_that_the_manager_takes(bridge_to, name, request):
    catalogue = catalogue_of(bridge_to(request.getfixturevalue(name)))
    assert [problem for tool in catalogue.tools for problem in schema_problems(tool.input_schema)] == []
    everything = [tool for tool in catalogue.tools if "anyOf" not in tool.input_schema]
    assert everything == catalogue.tools
