"""Every command of every page is run here, each page in a folder of its own, or is in ``NOT_RUN`` with the reason.

Commands of ``omni-connector`` run in this process. One that runs until it is stopped gets a free port, is asked what the page asks with
``curl``, and gets SIGINT. gunicorn, uvicorn and waitress load their application, which answers one request: tests/process starts them.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import uvicorn
import waitress.adjustments
from click.testing import CliRunner
from gunicorn.app.wsgiapp import WSGIApplication
from starlette.testclient import TestClient
from support.processes import ListeningSocket, Process
from support.waiting import eventually
from test_code_blocks import ROOT, commands
from test_migration import wiki  # noqa: F401 - a fixture.
from uvicorn.importer import import_from_string

from omni_connector.cli import exit_codes
from omni_connector.cli.main import cli
from omni_connector.server import close_services
from omni_connector.target import load_connector
from omni_connector.testing import serve_connector

pytestmark = pytest.mark.docs

NOT_RUN = {
    "docs/tutorial/index.md": "test_tutorial.py follows the whole page",
    "python3 -m venv": "an environment of its own, as CI makes them",
    ". .venv": "activates that",
    "make": "each target takes minutes; CI runs all of them",
    "pip": "installs from the network; .ci/try-wheel does it",
    "pytest": "is what runs this; CI runs all tests",
    "uv": "the same",
    "mypy": "half a minute; CI runs it",
    "ruff": "CI runs it",
    "celery": "needs a Redis; tests/process/test_celery.py starts the workers",
    "python -m benchmarks": "an hour",
}
"""Commands by their beginning, and pages."""

NOTES = """
from pathlib import Path
from flask import Response
from omni_connector import Connector, Document, DocumentPermissions, action

class MyConnector(Connector):
    name = "notes"
    version = "1"
    source_types = ["web"]
    sync_modes = ["full", "incremental"]

    def sync(self, config, credentials, state, ctx):
        for path in Path(config.get("folder", "notes")).glob("*.txt"):
            permissions = DocumentPermissions(users=["ann@example.com"])
            ctx.emit(Document(external_id=path.stem, title=path.stem, content=path, permissions=permissions))
        ctx.complete({"done": True})

    @action
    def ping(self):
        '''Answer.'''
        return "pong"

    @action
    def export(self, format: str):
        '''Export all.'''
        return Response(b"%PDF", content_type="application/pdf")
"""
FILES = {
    **dict.fromkeys(["connector.py", "my_connector.py", "my_package/my_module.py"], NOTES),
    "notes/note-7.txt": "Holiday policy, on call.",
    "notes/milk.txt": "Milk and hello.",
    "wiki.toml": 'name = "wiki"\nsource_type = "confluence"',
    "credentials.json": '{"password": "s3cret", "token": "t"}',
    "password.txt": "s3cret",
}
FIRST_BLOCK_AS = {
    "docs/how-to/actions.md": "with_action.py",
    "docs/how-to/checking.md": "notes_connector.py",
    "docs/how-to/flask.md": "my_app.py",
    "docs/how-to/migration.md": "wiki_connector.py",
    "docs/how-to/webhooks.md": "webhook_receiver.py",
}
ENVIRONMENT = {
    "CONNECTOR_MANAGER_URL": "http://manager.invalid:8090",
    "CONNECTOR_URL": "http://connector.invalid:8000",
    "OMNI_CONNECTOR": "my_connector:MyConnector",
    "PORT": "8000",
    "NOTES_CREDENTIALS": '{"password": "s3cret"}',
    "NOTES_PASSWORD": "s3cret",
}
"""What a page takes for granted; its own ``export`` lines replace it."""

ENDLESS = {"manager": "Manager at http", "dev": "is running", "--watch": "Ctrl-C ends"}
"""Commands that run until a signal comes, and what they say when they are ready."""


def reason_not_to_run(page, words):
    """Return the entry of the table that a command is, or None."""
    line = " ".join(words)
    return next((entry for entry in NOT_RUN if page == entry or line.startswith(entry)), None)


def test_the_table_names_nothing_that_is_gone():
    assert set(NOT_RUN) - {reason_not_to_run(page, words) for page, words in commands()} == set()


PAGES = sorted({page for page, words in commands() if reason_not_to_run(page, words) is None})


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_work(page, tmp_path, monkeypatch, request):
    """A program for which ``Shell`` has no method fails here: run it, or give the reason in the table."""
    lines = [words for name, words in commands() if name == page and reason_not_to_run(name, words) is None]
    shell = Shell(page, lines, tmp_path / "folder", monkeypatch, request)
    for words in lines:
        shell.type(words)


class Shell:
    """The terminal of somebody who reads one page."""

    def __init__(self, page, lines, folder, monkeypatch, request):
        self.folder, self._patch, self._request = folder, monkeypatch, request
        self._asked = [arguments for program, *arguments in lines if program == "curl"]
        files = dict(FILES)
        if page in FIRST_BLOCK_AS:
            text = (ROOT / page).read_text(encoding="utf-8")
            files[FIRST_BLOCK_AS[page]] = re.search(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[
                1
            ]
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        monkeypatch.chdir(folder)
        monkeypatch.syspath_prepend(folder)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        for name, value in {"PATH": path, **ENVIRONMENT}.items():
            monkeypatch.setenv(name, value)

    def type(self, words):
        """Run one command, as a process of its own would: what it imports of the folder, or makes at import, is forgotten."""
        program, *arguments = words
        try:
            getattr(self, f"_{program.replace('-', '_')}")(arguments)
        finally:
            for name, module in list(sys.modules.items()):
                is_made_at_import = name in {
                    "omni_connector.wsgi",
                    "omni_connector.asgi",
                    "omni_connector.gunicorn_conf",
                }
                if is_made_at_import or str(self.folder) in (getattr(module, "__file__", None) or ""):
                    del sys.modules[name]

    def _omni_connector(self, arguments):
        for name, ready in ENDLESS.items():
            if name in arguments:
                port = [] if name == "--watch" else ["--port", "0"]
                run_until_ready([*arguments, *port], ready, self._ask)
                return
        if arguments[0] == "serve":
            self._serve(arguments)
            return
        statuses = {exit_codes.OK}
        if "wiki_connector.py" in arguments:
            statuses = {exit_codes.COMPLETED_WITH_ERRORS}  # That wiki has a page without a title.
            url = self._request.getfixturevalue("wiki")
            arguments = [each.replace("http://localhost:9000", url) for each in arguments]
        arguments, stdin = (arguments[:-2], arguments[-1]) if "<" in arguments else (arguments, None)
        result = CliRunner().invoke(
            cli, arguments, input=stdin and Path(stdin).read_text(), catch_exceptions=False
        )
        assert result.exit_code in statuses, (arguments, result.output)

    def _serve(self, arguments):
        manager = self._request.getfixturevalue("omni_manager")
        with ListeningSocket() as free:
            environ = {**os.environ, "PORT": str(free.port), "CONNECTOR_MANAGER_URL": manager.url}
        del environ["CONNECTOR_URL"]
        line = f"cd {self.folder} && exec omni-connector {shlex.join(arguments)}"
        with Process("bash", "-c", line, env=environ) as process:
            process.wait_for("Registered at")

    def _gunicorn(self, arguments):
        for option in {"--certfile", "--keyfile", "--ca-certs"} & set(arguments):
            Path(arguments[arguments.index(option) + 1]).touch()
        self._patch.setattr(sys, "argv", ["gunicorn", *arguments])
        answer_and_close(WSGIApplication().wsgi())

    def _uvicorn(self, arguments):
        uvicorn.main.make_context("uvicorn", [os.path.expandvars(each) for each in arguments])
        with TestClient(import_from_string(arguments[-1])) as client:  # Begins and ends as the server does.
            assert client.get("/health").status_code == 200

    def _waitress_serve(self, arguments):
        waitress.adjustments.Adjustments.parse_args([os.path.expandvars(each) for each in arguments])
        answer_and_close(import_from_string(arguments[-1]))

    def _curl(self, _):
        """Ask a connector, where the page starts nothing that has been asked."""
        if self._asked:
            manager = self._request.getfixturevalue("omni_manager")
            with serve_connector(load_connector("my_connector.py"), manager) as served:
                self._ask(served.url)

    def _ask(self, url):
        for arguments in self._asked:
            here = [re.sub(r"^http://[^/]+", url, each) for each in arguments]
            bash(shlex.join(["curl", "--silent", "--show-error", "--fail", *here]))
        self._asked = []

    def _export(self, arguments):
        pairs = [each.partition("=") for each in arguments]
        given = " ".join(f'{name}="{value}"' for name, _, value in pairs)
        environ = dict(
            each.split("=", 1) for each in bash(f"export {given}; env -0").split("\0") if "=" in each
        )
        for name, _, _ in pairs:
            self._patch.setenv(name, environ[name])

    def _echo(self, arguments):
        bash(f"echo {shlex.join(arguments[:-2])} >> {arguments[-1]}")
        assert "omni-connector" in bash("source ~/.bashrc; complete -p omni-connector")

    def _cd(self, arguments):
        self._patch.chdir(ROOT / arguments[0])

    def _python(self, arguments):
        assert bash(f"python {' '.join(arguments)}")


def bash(script):
    return subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True).stdout


def answer_and_close(app):
    """Ask an application for its health, and stop what it has started."""
    (health,) = (str(rule) for rule in app.url_map.iter_rules() if str(rule).endswith("/health"))
    assert app.test_client().get(health).status_code == 200
    close_services(app)


def run_until_ready(arguments, ready, use):
    """Run a command until it says that it is ready, use the address that it has printed, and stop it as Ctrl-C does."""
    said, ended = io.StringIO(), threading.Event()

    def use_and_stop():
        try:
            eventually(lambda: ended.is_set() or ready in said.getvalue())
            if not ended.is_set():
                use("".join(re.findall(r"http://[\w.]+:\d+", said.getvalue())[:1]))
        finally:
            if not ended.is_set():
                os.kill(os.getpid(), signal.SIGINT)

    with ThreadPoolExecutor(1) as pool, contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        using = pool.submit(use_and_stop)
        try:
            cli.main(arguments, standalone_mode=False)
        finally:
            ended.set()
    using.result()
    assert ready in said.getvalue(), said.getvalue()
