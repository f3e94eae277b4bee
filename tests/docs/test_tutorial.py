"""The tutorial works as it stands: its files are built up block by block, and its commands are run in order."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.processes import ListeningSocket, Process
from support.reader import Reader
from support.type_checkers import BARE_DICTS, BY_EACH_CHECKER, type_problems

from omni_connector.local import HttpServer

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "tutorial"
PAGE = (FOLDER / "index.md").read_text(encoding="utf-8")


@pytest.fixture
def wiki():
    """The API, as the page starts it, at a free port and without its slowness."""
    names = runpy.run_path(str(FOLDER / "wiki_server.py"))
    wiki = names["Wiki"]()
    with HttpServer(names["create_app"](wiki), threads=8) as server:
        wiki.address = server.url.removeprefix("http://")
        yield wiki


@pytest.mark.slow
def test_the_tutorial_works_as_it_stands(tmp_path, monkeypatch, wiki):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    # The tests of step 8 have run all checks just before, and nearly half of this test's time is theirs.
    few = {"check wiki_connector.py": "check wiki_connector.py --only permissions --only deletions"}
    reader = Reader(tmp_path, "wiki_connector.py", {"127.0.0.1:9000": wiki.address, **few})
    first, to_permissions, to_tests, rest = re.split("## [379][.]", PAGE)
    reader.follow(first)
    with console(reader, first) as address:
        assert "wiki 1.0.0" in read(address)
    reader.follow(to_permissions)
    with console(reader, to_permissions) as address:
        assert "Incident of 3 March" in read(f"{address}/console/person?email=ann@acme.example")
        carol = read(f"{address}/console/person?email=carol@acme.example")
        assert "Expenses" in carol
        assert "Incident of 3 March" not in carol
    reader.follow(to_tests)
    wiki.requests_per_second = 10_000
    reader.follow(rest)
    serve(tmp_path)


@BY_EACH_CHECKER
def test_the_connector_passes_type_checkers(checker, tmp_path):
    program = Reader(tmp_path, "wiki_connector.py", {}).write(PAGE)
    assert type_problems(checker, tmp_path / "checked.py", program, BARE_DICTS) == ""


@contextmanager
def console(reader, page):
    """The last ``omni-connector dev`` of a part of the page, at a free port; its address."""
    command = re.findall("^omni-connector dev .*$", page, re.MULTILINE)[-1]
    with in_shell(reader.folder, f"{reader.typed(command)} --port 0") as process:
        address = process.wait_for(r"Console +(http://\S+)")[1]
        process.wait_for("wiki is running")
        yield address


def read(address):
    with urllib.request.urlopen(address, timeout=60) as answer:
        return answer.read().decode()


def serve(folder):
    """Step 10, at free ports: the connector registers, and the command that the manager prints syncs its source."""
    manager_command, gunicorn, interval = re.findall(
        r"^```sh\n(.*?)^```", PAGE.split("## 10.")[1], re.MULTILINE | re.DOTALL
    )
    with in_shell(folder, f"{manager_command.strip()} --port 0") as manager:
        address = manager.wait_for(r"Manager at (http://\S+),")[1]
        with ListeningSocket() as free:
            port = str(free.port)
        command = gunicorn.replace("http://127.0.0.1:8090", address).replace("PORT=8000", f"PORT={port}")
        with in_shell(folder, command) as server:
            server.wait_for("Registered at")
            subprocess.run(
                manager.wait_for("curl -X POST .*")[0], shell=True, check=True, capture_output=True
            )
            server.wait_for(r"Sync of source .* completed: 16 scanned")
            subprocess.run(interval, shell=True, check=True, capture_output=True, cwd=folder)


def in_shell(folder, script):
    """Return the process of a script whose last line goes on running."""
    *before, last = script.strip().splitlines()
    return Process("bash", "-c", "\n".join([f"cd {folder}", *before, f"exec {last}"]))
