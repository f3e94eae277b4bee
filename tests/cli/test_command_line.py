import json
import re
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from omni_connector import __version__
from omni_connector.cli import exit_codes
from omni_connector.cli.errors import CommandError, ManagerRefusedError
from omni_connector.cli.main import COMMANDS, CommandLine, cli
from omni_connector.cli.options import json_option, verbose_option
from omni_connector.cli.signals import StoppedBySignal
from omni_connector.code_location import author_location
from omni_connector.exceptions import ConfigurationError, ConnectorError
from omni_connector.local import LocalManagerError, StoreError

HEAVY = ("flask", "requests", "rich", "gunicorn", "sqlite3", "asyncio", "cattrs", "waitress")


@pytest.mark.parametrize("args", [["--help"], *([name, "--help"] for name in COMMANDS), ["--version"]])
def test_help_and_version_load_nothing_heavy(args):
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "from omni_connector.cli.main import cli\n"
        "try:\n"
        f"    cli({args!r})\n"
        "except SystemExit as end:\n"
        "    assert end.code == 0\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules.keys() - before])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "HEAVY []", done.stderr


def test_help_lists_every_command_and_the_exit_codes(omni):
    text = omni("--help").stdout
    for name in COMMANDS:
        assert f"\n  {name} " in text
    assert "130  cancelled with Ctrl-C" in text
    assert omni("run", "--help").stdout.count("the sync run failed") == 1


def test_version_is_printed(omni):
    assert omni("--version").stdout == f"omni-connector {__version__}\n"


def test_the_package_can_be_run_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "omni_connector.cli", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"omni-connector {__version__}\n"


@pytest.mark.parametrize(
    "args",
    [
        ["nonsense"],
        ["run"],
        ["run", "x.py", "--mode", "sometimes"],
        ["run", "x.py", "--set", "key"],
        ["run", "x.py", "--set", "a..b=1"],
        ["search"],
    ],
)
def test_a_command_line_that_cannot_be_understood_exits_2(omni, args):
    result = omni(*args)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr


BUG = "Error: RuntimeError: odd{}. This is a bug in omni-connector or in the connector; run with -v for the traceback.\n"


class Raising(CommandLine):
    """One command, which raises."""

    def __init__(self, error: BaseException) -> None:
        super().__init__("raising")

        def fail(**_: object) -> None:
            raise error from KeyError("the cause")

        self._command = click.command("fail")(json_option(verbose_option(fail)))

    def get_command(self, ctx, cmd_name):
        return self._command


@pytest.mark.parametrize(
    ("error", "exit_code", "message"),
    [
        (ConfigurationError("Something is missing."), 3, "Error: Something is missing.\n"),
        (ConfigurationError(["One.", "Two."]), 3, "Error:\n  - One.\n  - Two.\n"),
        (ConnectorError("refused"), 3, "Error: refused\n"),
        (StoreError("no data"), 3, "Error: no data\n"),
        (LocalManagerError(400, "no"), 3, "Error: no\n"),
        (ManagerRefusedError("no sync", status=409), 1, "Error: no sync\n"),
        (
            RuntimeError("odd"),
            70,
            BUG,
        ),
        (CommandError("already a message", exit_code=5), 5, "Error: already a message\n"),
        (StoppedBySignal(15), 143, "\nInterrupted before anything was started.\n"),
        (KeyboardInterrupt(), 130, "\nInterrupted before anything was started.\n"),
    ],
)
def test_every_error_becomes_a_message_and_an_exit_code(error, exit_code, message):
    result = CliRunner().invoke(Raising(error), ["fail"])
    place = author_location(error)
    assert result.stderr == message.format(f" (in {place})")
    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert not place or __file__ in place


def test_an_error_is_one_json_object_where_json_is_wanted():
    result = CliRunner().invoke(Raising(ConfigurationError(["One.", "Two."])), ["fail", "--json"])
    assert json.loads(result.stdout) == {"error": "One.\nTwo.", "exit_code": 3}


def test_verbose_shows_the_traceback():
    result = CliRunner().invoke(Raising(RuntimeError("odd")), ["fail", "-v"])
    assert "Traceback (most recent call last)" in result.stderr
    assert "RuntimeError: odd" in result.stderr


def test_a_closed_pipe_is_no_bug():
    result = CliRunner().invoke(Raising(BrokenPipeError(32, "Broken pipe")), ["fail"])
    assert (result.exit_code, result.output) == (141, "")


def test_every_exit_status_is_explained():
    known = {value for value in vars(exit_codes).values() if isinstance(value, int)} - {exit_codes.SIGNALLED}
    assert set(exit_codes.STATUSES) == known | {130, 143}
    help_text = CliRunner().invoke(cli, ["--help"]).output
    assert {int(number) for number in re.findall(r"^ +(\d+)  ", help_text, re.MULTILINE)} == set(
        exit_codes.STATUSES
    )


def test_a_misspelt_command_is_named_as_it_may_be_meant(omni):
    result = omni("serach", "x")
    assert (result.exit_code, "Did you mean 'search'?" in result.stderr) == (2, True), result.stderr
