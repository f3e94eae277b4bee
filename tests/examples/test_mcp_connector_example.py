"""The example that mirrors an MCP server: commits become documents, tools actions."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from mcp_connector import GitConnector
from support.mcp_servers import wait_until_gone
from support.ports import free_port
from support.processes import ROOT, Process
from support.refusing import refusing

from omni_connector.testing import serve_connector


@pytest.fixture
def commit(tmp_path):
    """Make commits in a repository; the fixture's ``repository`` is its folder."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git = ["git", "-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-C", str(folder)]
    subprocess.run([*git, "init", "-q"], check=True)

    def make(title, text):
        (folder / "notes.txt").write_text(text)
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-q", "-m", title], check=True)
        return subprocess.run(
            [*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
        ).stdout.strip()

    make.repository = str(folder)
    return make


@pytest.fixture
def sync(run_sync, commit):
    def run(mode="full", **settings):
        return run_sync(
            GitConnector(), mode=mode, config={"repo_path": commit.repository, "public": True, **settings}
        )

    return run


def test_every_commit_arrives_with_what_is_known_about_it(sync, commit):
    first, second = commit("Buy milk", "milk"), commit("Buy bread", "milk, bread")
    result = sync()
    assert (result.status, result.scanned, result.errors) == ("completed", 2, [])
    assert set(result.documents) == {first, second}
    document = result.documents[second]
    assert (document.title, document.metadata["author"], document.permissions["public"]) == (
        "Buy bread",
        "Ann",
        True,
    )
    assert "+milk, bread" in document.content
    assert document.metadata["created_at"].endswith(("Z", ":00"))


@pytest.mark.slow
def test_an_incremental_run_sends_what_is_new_and_what_the_manager_refused(sync, commit):
    first, second = commit("one", "1"), commit("two", "2")
    with refusing(first):
        assert set(sync().index) == {second}
    third = commit("three", "3")
    assert set(sync("incremental").documents) == {first, third}
    assert sync("incremental").documents == {}


@pytest.mark.slow
def test_a_folder_that_is_no_repository_fails_the_run(sync, tmp_path):
    result = sync(repo_path=str(tmp_path))
    assert result.status == "failed"
    assert str(tmp_path) in result.error
    assert "repo_path is missing" in sync(repo_path=None).error


def test_the_tools_are_actions_and_those_that_write_are_refused(omni_manager, commit):
    commit("Buy milk", "milk")
    with serve_connector(GitConnector(), omni_manager) as served:
        served.put_source(config={"repo_path": commit.repository})
        served.load_mcp_catalogue()
        answer = served.call_action("git_log", {"max_count": 1})
        assert "Buy milk" in answer.result["content"]
        assert served.call_action("git_commit", {"message": "no"}).error == (
            "Action 'git_commit' is not allowed: source is read-only"
        )


@pytest.mark.slow
def test_it_runs_from_the_command_line_and_ends_its_server(commit, tmp_path):
    commit("Buy milk", "milk")
    command = [
        sys.executable,
        "-m",
        "omni_connector.cli",
        "run",
        str(ROOT / "examples" / "mcp_connector.py"),
        "--json",
    ]
    settings = ["--set", f"repo_path={commit.repository}", "--set", "public=true"]
    ended = subprocess.run(
        [*command, "--data", str(tmp_path / "data"), *settings],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert json.loads(ended.stdout)["emitted"] == 1


@pytest.mark.slow
def test_a_served_connector_takes_its_server_along_when_it_ends(omni_manager):
    environ = {"CONNECTOR_MANAGER_URL": omni_manager.url}
    command = [
        sys.executable,
        "-m",
        "omni_connector.cli",
        "serve",
        str(ROOT / "examples" / "mcp_connector.py"),
    ]
    with Process(*command, "--host", "127.0.0.1", "--port", str(free_port()), env=environ) as process:
        process.wait_for("MCP server python.* offers 12 tools")
        (server,) = servers_of(process.popen.pid)
        assert process.terminate() == 0
    wait_until_gone(server)


def servers_of(pid):
    """Return the MCP servers among the descendants of a process."""
    listed = subprocess.run(
        ["ps", "-e", "-o", "pid=,ppid=,args="], check=True, capture_output=True, text=True
    )
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
    family = {str(pid)}
    for _ in rows:
        family |= {child for child, parent, _ in rows if parent in family}
    return [child for child, _, args in rows if child in family and "mcp_server_git" in args]
