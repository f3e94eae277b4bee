"""What ``omni-connector new`` makes is whole, and passes its own tests and checks."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from support.ports import free_port
from support.processes import ROOT, Process

from omni_connector import scaffold
from omni_connector.cli.main import cli
from omni_connector.exceptions import ConfigurationError
from omni_connector.models.manifest import BUILT_IN_SOURCE_TYPES
from omni_connector.scaffold import LONGEST_NAME, TEMPLATE, VARIANTS, make_project

LONG_NAME = f"a{'-bcde' * 9}"[:LONGEST_NAME].rstrip("-")


def new(*args):
    return CliRunner().invoke(cli, ["new", *map(str, args)])


def tool(folder, *command):
    ended = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def shell(folder, command):
    """Run a line as a shell of this environment does."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    ended = subprocess.run(
        ["/bin/sh", "-ec", command],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_new_project_passes_the_steps_of_its_workflow(variant, tmp_path, shared_folder, monkeypatch):
    monkeypatch.setenv(
        "MYPY_CACHE_DIR", str(shared_folder / "mypy-of-projects")
    )  # What it knows of this package.
    folder = make_project("acme-things", variant, tmp_path)
    workflow = yaml.safe_load((folder / ".github/workflows/test.yml").read_text())
    install, *checks = [step["run"] for step in workflow["jobs"]["test"]["steps"] if "run" in step]
    assert install in (folder / "README.md").read_text()  # It is run by another test.
    assert [check.split()[0] for check in checks] == ["ruff", "ruff", "mypy", "pyright", "pytest"]
    for check in checks:
        shell(folder, check)


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", ["xyz", LONG_NAME])
def test_names_of_any_length_give_well_formatted_code(name, variant, tmp_path):
    folder = make_project(name, variant, tmp_path)
    tool(folder, "ruff", "check", "--no-cache", ".")
    tool(folder, "ruff", "format", "--no-cache", "--check", ".")


def test_a_project_has_all_its_files_and_no_rest_of_the_template(tmp_path):
    ended = new("acme-notes", "--files", "--into", tmp_path)
    assert ended.exit_code == 0, ended.output
    folder = tmp_path / "acme-notes"
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == [
        ".dockerignore",
        ".github/workflows/test.yml",
        ".gitignore",
        "Dockerfile",
        "README.md",
        "acme_notes/__init__.py",
        "acme_notes/connector.py",
        "acme_notes/py.typed",
        "pyproject.toml",
        "tests/test_connector.py",
        "vendor/README.md",
    ]
    for path in folder.rglob("*"):
        assert path.is_dir() or not {"{{", "{%"} & set(path.read_text().split()), path
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["name"] == "acme-notes"
    assert (
        "class AcmeNotesConnector(Connector[Settings]):" in (folder / "acme_notes/connector.py").read_text()
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_new_connector_has_a_source_type_of_omni(variant):
    text = (TEMPLATE / "variants" / variant / "connector.py.jinja").read_text()
    (source_type,) = re.findall(r'^    source_types = \["(\w+)"\]$', text, re.MULTILINE)
    assert source_type in BUILT_IN_SOURCE_TYPES


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Notes", "give small letters and digits"),
        ("my_notes", "give small letters and digits"),
        ("../notes", "give small letters and digits"),
        ("9-notes", "give small letters and digits"),
        ("a" * 39, "at most 38 characters"),
        ("json", "there is a Python module json already"),
        ("omni-connector", "there is a Python module omni_connector already"),
        ("flask", "there is a Python module flask already"),
        ("class", "there is a Python module class already"),
    ],
)
def test_a_name_that_no_package_can_have_is_refused(name, reason, tmp_path):
    ended = new(name, "--into", tmp_path)
    assert (ended.exit_code, reason in ended.stderr) == (3, True), ended.stderr
    assert list(tmp_path.glob("*notes*")) == []


def test_two_beginnings_exclude_each_other(tmp_path):
    result = new("acme-notes", "--rest", "--files", "--into", tmp_path)
    assert (result.exit_code, (tmp_path / "acme-notes").exists()) == (2, False)
    assert "--rest and --files exclude each other" in result.stderr


def test_a_folder_that_exists_is_left_alone(tmp_path):
    (tmp_path / "acme-notes").mkdir()
    ended = new("acme-notes", "--into", tmp_path)
    assert ended.exit_code == 3
    assert "there is such a folder already" in ended.stderr
    assert list((tmp_path / "acme-notes").iterdir()) == []


def test_without_the_extra_the_error_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "copier", None)
    with pytest.raises(ConfigurationError, match=r"Install omni-connector\[new\]"):
        make_project("acme-notes", "plain", tmp_path)
    assert not (tmp_path / "acme-notes").exists()


@pytest.mark.parametrize(
    ("recorded", "origin"),
    [
        (None, f"omni-connector=={scaffold.__version__}"),
        ({"url": "file:///src/omni", "dir_info": {"editable": True}}, "file:///src/omni"),
        ({"url": "file:///x/omni.whl", "archive_info": {}}, "file:///x/omni.whl"),
        (
            {"url": "https://git.example/omni", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "git+https://git.example/omni@abc",
        ),
    ],
)
def test_the_install_line_says_where_this_package_came_from(recorded, origin, monkeypatch, tmp_path):
    class Distribution:
        def read_text(self, name):
            return None if recorded is None else json.dumps(recorded)

    class OfCheckout:
        def read_text(self, name):
            return None

    monkeypatch.setattr(scaffold, "distributions", lambda name: [OfCheckout(), Distribution()])
    assert scaffold.wheel_command(scaffold.origin()) == f"pip wheel --no-deps --wheel-dir vendor {origin}"
    shown = new("acme-notes", "--into", tmp_path).stdout
    readme = (tmp_path / "acme-notes" / "README.md").read_text()
    assert (f"vendor {origin}" in shown) is origin.startswith("file:")
    assert f"vendor {'../omni-connector' if origin.startswith('file:') else origin}\n" in readme


def instructions(dockerfile):
    """Return the instructions of a Dockerfile, each a word and the rest."""
    text = re.sub(r"^#.*\n", "", dockerfile.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split()[0], " ".join(line.split()[1:])) for line in text.splitlines() if line]


def test_the_image_is_one_like_that_of_deploy(tmp_path):
    same = ("FROM", "RUN useradd", "USER", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "CMD")
    ours, its = (
        [f"{word} {rest}" for word, rest in instructions(folder / "Dockerfile")]
        for folder in (ROOT / "deploy", make_project("acme-notes", "plain", tmp_path))
    )
    assert [each for each in its if each.startswith(same)] == [each for each in ours if each.startswith(same)]
    assert len([each for each in its if each.startswith(same)]) == 8


@pytest.mark.slow
def test_what_the_image_consists_of_is_built_starts_is_healthy_and_stops(tmp_path):
    """The wheel is made as the README says; what the Dockerfile says is run in folders of this machine."""
    folder = make_project("acme-notes", "plain", tmp_path)
    _, make_wheel, install = (
        (folder / "README.md").read_text().split("```bash\n")[1].split("```")[0].splitlines()
    )
    shell(folder, make_wheel.replace("../omni-connector", str(ROOT)) + " --no-build-isolation")
    assert list((folder / "vendor").glob("omni_connector-*.whl"))
    assert install == 'pip install --find-links vendor -e ".[test]"'
    image = instructions(folder / "Dockerfile")
    of = dict(image)
    place = str(tmp_path / "connector")
    shell(folder, next(rest for word, rest in image if word == "RUN").replace("/opt/connector", place))
    variables = dict(pair.split("=", 1) for pair in of["ENV"].split())
    port = str(free_port())
    started = {
        **variables,
        "PATH": variables["PATH"].replace("/opt/connector", place).replace("$PATH", os.environ["PATH"]),
        "PORT": port,
        "CONNECTOR_MANAGER_URL": "http://127.0.0.1:9",
        "CONNECTOR_URL": f"http://127.0.0.1:{port}",
        "PYTHONPATH": "",
    }
    command, check = json.loads(of["CMD"]), json.loads(of["HEALTHCHECK"].partition("CMD ")[2])
    with Process(f"{place}/bin/{command[0]}", *command[1:], env=started) as process:
        process.wait_for("Booting worker")
        tries = (
            subprocess.run([f"{place}/bin/{check[0]}", *check[1:]], env=started, check=False, timeout=60)
            for _ in range(5)  # Each waits for 4 s, while the worker loads.
        )
        assert any(ended.returncode == 0 for ended in tries)
        process.popen.send_signal(signal.Signals[of["STOPSIGNAL"]])
        assert process.popen.wait(60) == 0


@pytest.mark.slow
def test_the_templates_are_in_the_wheel(tmp_path):
    said = tool(ROOT, "pip", "wheel", "-v", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, ".")
    assert "would be ignored" not in said
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        packed = set(opened.namelist())
    expected = {
        f"omni_connector/scaffold/template/{path.relative_to(TEMPLATE).as_posix()}"
        for path in TEMPLATE.rglob("*")
        if path.is_file()
    }
    assert expected <= packed, expected - packed
