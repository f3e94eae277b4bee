import json
import subprocess
import sys

import pytest
from flask import Flask
from support.processes import ROOT

from omni_connector.local import HttpServer

FEED = """<rss version="2.0"><channel><title>News</title>
<item><guid isPermaLink="false">1</guid><title>Boat</title><description>A boat</description></item></channel></rss>"""


@pytest.fixture
def source():
    """A server that is a feed and an API at once."""
    app = Flask(__name__)
    app.add_url_rule("/feed", "feed", lambda: FEED)
    page = {
        "items": [{"id": "1", "title": "Boat", "content": "A boat"}],
        "next_cursor": "1",
        "has_more": False,
    }
    app.add_url_rule("/items", "items", lambda: page)
    with HttpServer(app, threads=2) as server:
        yield server.url


@pytest.fixture
def run(tmp_path):
    """Run ``omni-connector run`` with an example; return its summary."""

    def run(name, *settings):
        options = [option for setting in settings for option in ("--set", setting)]
        command = [sys.executable, "-m", "omni_connector.cli", "run", str(ROOT / "examples" / name), "--json"]
        ended = subprocess.run(
            [*command, "--data", str(tmp_path / "data"), *options],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return json.loads(ended.stdout)

    return run


def test_the_folder_example_runs(run, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "todo.txt").write_text("milk")
    summary = run("filesystem_connector.py", f"path={tmp_path / 'notes'}", "public=true")
    assert summary["status"] == "completed"
    assert summary["emitted"] == 1
    assert run("filesystem_connector.py", f"path={tmp_path / 'notes'}", "public=true")["emitted"] == 0


@pytest.mark.slow
def test_the_mailboxes_example_runs(run, tmp_path):
    folder = tmp_path / "archive"
    folder.mkdir()
    for name in "ab":
        (folder / f"{name}.mbox").write_text("From ann Mon Jan  5 10:00:00 2026\nSubject: Boats\n\nText\n")
    summary = run("mailboxes_connector.py", f"path={folder}", "public=true")
    assert summary["status"] == "completed"
    assert (summary["scanned"], summary["emitted"]) == (2, 2)
    assert run("mailboxes_connector.py", f"path={folder}", "public=true")["emitted"] == 0


@pytest.mark.slow
def test_the_feed_example_runs(run, source):
    summary = run("rss_connector.py", f'feeds=["{source}/feed"]')
    assert (summary["status"], summary["emitted"]) == ("completed", 1)


def test_the_async_example_runs(run, source):
    summary = run("async_connector.py", f"url={source}")
    assert (summary["status"], summary["emitted"]) == ("completed", 1)
