"""The programs of docs/how-to/bridges.md run as they stand there."""

import re
import sys
from pathlib import Path

import pytest
from flask import Flask
from support import a_tap

from omni_connector.local import HttpServer

PROGRAMS = re.findall(
    r"```python\n(.*?)```", Path("docs/how-to/bridges.md").read_text(encoding="utf-8"), re.DOTALL
)


def program(name):
    """Run the program that defines a class; return the class."""
    found = [text for text in PROGRAMS if f"class {name}(" in text]
    assert len(found) == 1
    names = {}
    exec(compile(found[0], "bridges.md", "exec"), names)
    return names[name]


def test_the_guide_has_three_programs():
    assert len(PROGRAMS) == 3


@pytest.mark.slow
def test_the_dlt_program(run_sync):
    pytest.importorskip("dlt", reason="needs the extra [dlt]")
    app = Flask(__name__)
    issue = {"id": 7, "title": "Issue", "text": "Text", "reporter": "ann@example.com", "updated": 1}
    app.add_url_rule("/issues", view_func=lambda: [issue])
    with HttpServer(app, threads=2) as server:
        result = run_sync(program("Issues")(), config={"url": server.url}, credentials={"token": "t0ken-7"})
    assert result.status == "completed", result.error
    assert result.documents["issues/7"].permissions["users"] == ["ann@example.com"]


def test_the_singer_program(run_sync):
    class Issues(program("GitHubIssues")):
        tap = (sys.executable, a_tap.__file__)

        def tap_config(self, config, credentials):
            assert super().tap_config(config, credentials) == {"repository": "a/b", "access_token": "t0ken-7"}
            return config

    record = {"id": 7, "title": "Issue", "body": None}
    lines = [
        {"type": "SCHEMA", "stream": "issues", "schema": {}, "key_properties": ["id"]},
        {"type": "RECORD", "stream": "issues", "record": record},
    ]
    config = {"repository": "a/b", "lines": lines, "streams": [{"tap_stream_id": "issues"}]}
    result = run_sync(Issues(), config=config, credentials={"token": "t0ken-7"})
    assert (result.status, list(result.documents)) == ("completed", ["issues/7"]), result.error


def test_the_loader_program(run_sync, tmp_path):
    (tmp_path / "a.txt").write_text("Text")
    result = run_sync(program("Handbook")(), config={"folder": str(tmp_path), "users": ["ann@example.com"]})
    assert result.documents[f"{tmp_path}/a.txt"].permissions["users"] == ["ann@example.com"]
