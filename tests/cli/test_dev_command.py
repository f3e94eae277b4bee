"""``omni-connector dev`` as a process, with the connector as a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from support.waiting import eventually

pytestmark = pytest.mark.slow

CONNECTOR = """
from omni_connector import Connector, Document
import words

class Notes(Connector):
    name = "notes"
    version = "{version}"
    source_types = ["local_files"]
    sync_modes = ["full"]

    def sync(self, source_config, credentials, state, ctx):
        print("at", state)
        for number in range((state or {{"at": 0}})["at"], source_config.get("notes", 3)):
            ctx.emit(Document(external_id=str(number), title=words.TITLE, content="text"))
            ctx.save_state({{"at": number + 1}})
            if source_config.get("waits") and number == 1 and not words.GO_ON:
                print("waiting")
                while True:
                    ctx.sleep(0.05)
        ctx.complete(new_state={{"at": 0}})
"""
WORDS = "TITLE = {title!r}\nGO_ON = {go_on}\n"


class Project:
    """A connector in two files, served by ``dev``."""

    def __init__(self, folder, process):
        self.folder = folder
        self._process = process
        self.write()

    def write(self, version="1", title="Before", *, go_on=False):
        (self.folder / "words.py").write_text(WORDS.format(title=title, go_on=go_on))
        (self.folder / "notes.py").write_text(CONNECTOR.format(version=version))

    def start(self, *options, **environ):
        self.popen = self._process("dev", "notes.py", "--port", "0", *options, **environ)
        first = self.popen.stdout.readline()
        self.url = json.loads(first)["url"] if "--json" in options else first.split()[1]
        return self

    def until(self, text):
        said = []
        for line in self.popen.stderr:
            said.append(line)
            if text in line:
                return line
        raise AssertionError(f"ended without {text!r}: {said}")

    def get(self, path):
        with urlopen(f"{self.url}{path}", timeout=60) as answer:
            return json.load(answer)

    def status(self, path, host):
        try:
            with urlopen(Request(f"{self.url}{path}", headers={"Host": host}), timeout=60) as answer:
                return answer.status
        except HTTPError as error:
            with error:
                return error.code

    def post(self, path):
        with urlopen(Request(f"{self.url}{path}", method="POST"), timeout=60) as answer:
            return json.load(answer)

    @property
    def source_id(self):
        return self.get("/local/sources")[0]["id"]

    def sync(self):
        return self.post(f"/sync/{self.source_id}")["sync_run_id"]

    def run(self, run_id):
        return self.get(f"/local/runs/{run_id}")

    def child(self):
        (child,) = Path(f"/proc/{self.popen.pid}/task/{self.popen.pid}/children").read_text().split()
        return int(child)


@pytest.fixture
def project(tmp_path, process):
    return Project(tmp_path, process)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_way_of_an_author(project):
    """Start, sync, change, break, mend, and Ctrl-C; with what happened as JSON."""
    project.start("--set", "notes=2", "--json")
    project.until("notes is running.")
    run_id = project.sync()
    project.until("completed: ")
    assert [each["title"] for each in project.get("/local/documents")["documents"]] == ["Before"] * 2

    project.write(version="2", title="After")
    assert re.search(r"(notes|words)\.py changed; the connector starts again", project.until("changed"))
    project.until("notes is running.")
    assert [each["manifest"]["version"] for each in project.get("/connectors")] == ["2"]

    (project.folder / "words.py").write_text("TITLE = \n")
    assert project.until("words.py, line 1:") == f"{project.folder}/words.py, line 1:\n"
    assert project.popen.stderr.readline() == "    TITLE =\n"
    assert "SyntaxError: invalid syntax" in project.popen.stderr.readline()
    project.write(version="3", title="Mended")
    project.until("notes is running.")
    project.sync()
    project.until("completed: ")
    assert {each["title"] for each in project.get("/local/documents")["documents"]} == {"Mended"}
    assert project.run(run_id)["status"] == "completed"

    child = project.child()
    project.popen.send_signal(signal.SIGINT)
    project.until("Stopped.")
    assert project.popen.wait(60) == 0
    assert not is_alive(child)
    events = [json.loads(line) for line in project.popen.stdout]
    assert (events[0]["event"], events[0]["connector"], events[-1]["event"]) == (
        "started",
        "notes",
        "stopped",
    )
    (broken,) = [each for each in events if each["event"] == "error"]
    assert (Path(broken["file"]).name, broken["line"], broken["code"]) == ("words.py", 1, "TITLE =")
    (_, ended) = [each for each in events if each["event"] == "run_ended"]
    assert (ended["status"], ended["emitted"], ended["errors"], ended["traceback"]) == (
        "completed",
        2,
        [],
        None,
    )
    assert any(each["event"] == "restarting" and each["files"] for each in events)


def test_what_becomes_of_a_sync_in_progress_is_said_at_the_end(project):
    project.start("--set", "waits=true")
    project.until("notes is running.")
    project.sync()
    project.until("waiting")
    project.popen.send_signal(signal.SIGINT)
    assert project.until("Stopped.") == (
        "Stopped. The full sync of notes goes on from its last checkpoint at the next start.\n"
    )


def test_a_sync_goes_on_with_the_new_code_and_nothing_is_left_when_the_command_is_killed(project):
    project.start("--set", "waits=true")
    project.until("notes is running.")
    run_id = project.sync()
    project.until("waiting")
    os.kill(project.child(), signal.SIGKILL)
    project.until("Error: The connector's process was ended by the signal SIGKILL.")
    project.write(go_on=True)
    project.until("goes on from its last checkpoint")
    assert "{'at': 2}" in project.until("at {")
    project.until("completed: ")
    assert project.run(run_id)["status"] == "completed"
    project.write(go_on=False)
    project.until("notes is running.")
    project.sync()
    project.until("waiting")
    child = project.child()
    project.popen.kill()
    assert eventually(lambda: not is_alive(child))


def test_the_console_is_opened_a_further_file_is_watched_and_a_name_is_allowed(project, tmp_path):
    """Python opens what the variable BROWSER names."""
    browser, opened, words = tmp_path / "browser", tmp_path / "opened", tmp_path / "words.txt"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}.new && mv {opened}.new {opened}\n')
    browser.chmod(0o700)
    words.write_text("one")
    project.start("--open", "--watch", "words.txt", "--allow-host", "console.internal", BROWSER=str(browser))
    assert eventually(opened.exists)
    assert opened.read_text().strip() == project.url
    for host, status in (("console.internal", 200), ("evil.example", 403)):
        assert project.status("/", host) == status
    project.until("notes is running.")
    words.write_text("two")
    assert "words.txt changed; the connector starts again." in project.until("changed")


def test_the_console_is_not_opened_unless_that_is_wanted(project, tmp_path):
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f"#!/bin/sh\ntouch {opened}\n")
    browser.chmod(0o700)
    project.start("--no-open", BROWSER=str(browser))
    project.until("notes is running.")
    project.popen.send_signal(signal.SIGINT)
    project.until("Stopped.")
    assert not opened.exists()


TYPED = """
from dataclasses import dataclass

from omni_connector import Connector


@dataclass
class Settings:
    prefix: str
    count: int = 1


@dataclass
class Secrets:
    token: str


class Typed(Connector[Settings, Secrets]):
    name, version, source_types = "notes", "1", ["local_files"]

    def sync(self, config, credentials, state, ctx):
        ctx.complete()
"""


def test_what_is_stored_is_kept_and_counts_as_given(project, tmp_path):
    """A typed value goes on top; one that the connector refuses changes nothing."""
    (tmp_path / "notes.py").write_text(TYPED)
    (tmp_path / "token").write_text("t")

    def dev(*options, expected="Sync it at"):
        project.start(*options)
        project.until("notes is running.")
        project.until(expected)
        (source,) = project.get("/local/sources")
        project.popen.send_signal(signal.SIGINT)
        project.popen.wait(60)
        return source["config"]

    assert dev("--set", "count=7", expected="The source needs settings") == {"count": 7}
    assert dev("--set", "prefix=A", "--secret", "token=@token") == {"count": 7, "prefix": "A"}
    assert dev("--set", "count=3") == {"count": 3, "prefix": "A"}
    assert dev("--set", "cuont=4", expected="nothing of it is stored") == {"count": 3, "prefix": "A"}
    assert dev() == {"count": 3, "prefix": "A"}
