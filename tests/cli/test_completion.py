"""Completion, as the real shells ask for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from omni_connector.cli.main import cli
from omni_connector.local import LocalManager, open_store

BIN = Path(sys.executable).parent
SCRIPTS = {
    "bash": """
        eval "$(omni-connector completion bash)"
        COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); compopt() {{ echo "$2"; }}
        _omni_connector_completion omni-connector; printf '%s\\n' "${{COMPREPLY[@]}}"
    """,
    "zsh": """
        autoload -Uz compinit; compinit -D -u; eval "$(omni-connector completion zsh)"
        compadd() {{ while [[ $1 == -* ]]; do [[ $1 == -[UV] ]] && shift; shift; done; print -l -- "$@" ${{(P)${{@[-1]}}}}; }}
        _describe() {{ print -l -- ${{(P)3}}; }}
        _path_files() {{ print -- default; }}
        words=({words}); CURRENT=$#words; _omni_connector_completion
    """,
    "fish": """
        omni-connector completion fish | source
        complete -C (string join ' ' -- {words})
    """,
}


def ask(*words, limit=None):
    """Return what is completed for the last word, as click answers."""
    line = " ".join(["omni-connector", *words])
    environ = {
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words)),
        "_OMNI_CONNECTOR_COMPLETE": "bash_complete",
    }
    result = CliRunner(env=environ).invoke(cli, [], prog_name="omni-connector")
    return [each.partition(",")[2] for each in result.stdout.split()], result.stdout


@pytest.mark.slow
@pytest.mark.parametrize("shell", SCRIPTS)
def test_real_shells_complete_commands_options_and_values(shell, run_notes, tmp_path):
    run_notes({"notes": 12})
    environ = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    flag = "-f" if shell == "zsh" else "--norc" if shell == "bash" else "--no-config"

    def completed(*words):
        # fish asks for a line, the others for words, of which the last may be empty.
        shown = " ".join(
            ["omni-connector", *(f"'{each}'" if each or shell != "fish" else "''" for each in words)]
        )
        script = SCRIPTS[shell].format(words=shown)
        done = subprocess.run(
            [shutil.which(shell), flag, "-c", script],
            capture_output=True,
            text=True,
            env=environ,
            check=False,
            timeout=60,
        )
        return {
            line.split("\t")[0].split(":")[0] for line in done.stdout.splitlines()
        }, done.stdout + done.stderr

    for words, expected in (
        (("sou",), "sources"),
        (("runs", "--stat"), "--status"),
        (("run", "a.py", "--mode", "inc"), "incremental"),
        (("state", "--source", "no"), "notes"),
        (("show", "note-1"), "note-11"),
    ):
        found, said = completed(*words)
        assert expected in found, f"{shell} {words}: {said}"


def test_values_of_the_data_are_completed_bounded_and_without_what_a_shell_would_execute(run_notes):
    run = run_notes({"notes": 3})
    assert ask("show", "note-")[0] == ["note-0", "note-1", "note-2"]
    assert ask("documents", "--run", run["sync_run_id"][:5].lower())[0] == [run["sync_run_id"]]
    assert ask("documents", "--change", "re")[0] == ["refused"]
    assert ask("run", "no")[1] == "file,no\n"
    with LocalManager(".omni", schedule=False) as manager:
        for name in ("$(reboot)", "a b", "notes-2"):
            manager.add_source(source_type="web", name=name)
        assert ask("runs", "--source", "")[0] == ["notes", "notes-2"]
    assert ask("runs", "--data", "elsewhere", "--source", "")[0] == []
    assert open_store(".omni").count_documents() == 3


def test_a_completion_loads_neither_the_manager_nor_the_sdk(run_notes):
    run_notes({"notes": 1})
    code = (
        "import sys; from omni_connector.cli.main import cli\n"
        "try: cli([], prog_name='omni-connector')\n"
        "finally: print(sorted({'flask', 'requests', 'rich', 'omni_connector.local.manager', 'omni_connector.connector_base'}"
        " & set(sys.modules)))"
    )
    for line in ("omni-connector show note", "omni-connector ", "omni-connector run --m"):
        environ = {
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(line.split(" ")) - 1),
            "_OMNI_CONNECTOR_COMPLETE": "bash_complete",
        }
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env={**os.environ, **environ},
            check=False,
            timeout=60,
        )
        assert done.stdout.splitlines()[-1] == "[]", (line, done.stdout, done.stderr)
