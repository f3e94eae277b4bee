"""``.ci/run`` runs to its last line: with a ``make``, and system packages, that are only made up."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / ".ci" / "run"
TOOLS = ("bash", "dirname", "env", "grep", "mkdir", "sed", "sort", "tail", "tee", "wc")
"""What the script uses of the system, beside what it looks for."""

MAKE = """#!/usr/bin/env bash
echo "make $*" >> made
shift
[ "$*" = failed-again ] && exit "$AGAIN"
[ "$*" = "$FAILING" ] && printf '%b' "$FAILED"
case $* in
  test*) echo "==== 12 passed, 1 skipped in 3.21s ====" ;;
  *types*) echo "==== 3 failed, 1 passed in 0.12s ====" ;;
  *) echo "No tests in $*" ;;
esac
[ "$*" != "$FAILING" ]
"""


class Checkout:
    """A folder with the script, and a PATH on which only made-up programs are."""

    def __init__(self, folder):
        self.folder = folder
        self.programs = folder / "programs"
        self.programs.mkdir()
        (folder / ".ci").mkdir()
        shutil.copy(SCRIPT, folder / ".ci" / "run")
        for name in TOOLS:
            (self.programs / name).symlink_to(shutil.which(name))
        self.add("make", MAKE)
        self.add("apt-get", '#!/usr/bin/env bash\necho "$*" >> installed\n')

    def add(self, name, text="#!/usr/bin/env bash\n"):
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def run(self, failing="", failed="", again=1):
        environ = {"PATH": str(self.programs), "FAILING": failing, "FAILED": failed, "AGAIN": str(again)}
        command = [self.folder / ".ci" / "run"]
        return subprocess.run(
            command, cwd="/", env=environ, capture_output=True, text=True, timeout=60, check=False
        )

    def lines_of(self, name):
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def checkout(tmp_path):
    made = Checkout(tmp_path)
    for found in re.findall(r"^need (\S+)", SCRIPT.read_text(), re.MULTILINE):
        if found != "make":
            made.add(found)
    return made


def steps():
    """Return the steps of the script, in order."""
    return [
        f"make --no-print-directory {step}"
        for step in re.findall(r"^step (.*?)(?: +#.*)?$", SCRIPT.read_text(), re.MULTILINE)
    ]


def test_every_step_runs_and_the_end_says_how_long_and_with_what_result(checkout):
    done = checkout.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert checkout.lines_of("made") == steps()
    assert any("test-all MARKS=slow" in step for step in steps())
    end = done.stdout.splitlines()[-(len(steps()) + 4) :]
    assert [line.split("s  ")[1] for line in end[: len(steps())]] == [
        step.split(maxsplit=2)[2] for step in steps()
    ]
    assert end[len(steps())].endswith("in all")
    assert end[len(steps()) + 1 :] == [
        "==== 12 passed, 1 skipped in 3.21s ====",
        "==== 3 failed, 1 passed in 0.12s ====",
        "==== 12 passed, 1 skipped in 3.21s ====",
    ]
    assert checkout.lines_of("installed") == []


@pytest.mark.parametrize(
    "failing", [".venv/.installed-dev", "lint", "pythons", "test-all MARKS=slow WORKERS=5"]
)
def test_the_first_step_that_fails_ends_it_with_its_name_and_status_1(checkout, failing):
    done = checkout.run(failing)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == f"FAILED: make {failing}"
    assert checkout.lines_of("made")[-1] == f"make --no-print-directory {failing}"
    assert "in all" in done.stdout


FAILED = "FAILED tests/a.py::test_b[1] - assert 0\\nERROR tests/c.py::test_d - OSError\\n"


def test_a_few_tests_that_pass_alone_do_not_end_it_and_are_named(checkout):
    done = checkout.run("test", FAILED, again=0)
    assert (done.returncode, done.stderr) == (0, "")
    again = "make --no-print-directory failed-again"
    assert checkout.lines_of("made") == [*steps()[:2], again, *steps()[2:]]
    assert done.stdout.splitlines()[-2:] == [
        "failed beside others, passed alone: ERROR tests/c.py::test_d - OSError",
        "failed beside others, passed alone: FAILED tests/a.py::test_b[1] - assert 0",
    ]


@pytest.mark.parametrize(
    ("failed", "again", "tried"),
    [
        pytest.param(FAILED, 1, True, id="fail again"),
        pytest.param("".join(f"FAILED tests/a.py::test_{n}\\n" for n in range(4)), 0, False, id="too many"),
        pytest.param("", 0, False, id="no tests"),
    ],
)
def test_other_failures_end_it(checkout, failed, again, tried):
    done = checkout.run("test", failed, again)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "FAILED: make test")
    assert ("make --no-print-directory failed-again" in checkout.lines_of("made")) == tried


def test_what_is_missing_is_installed_once_before_the_first_step(checkout):
    for name in ("promtool", "redis-server"):
        (checkout.programs / name).unlink()
    assert checkout.run().returncode == 0
    assert checkout.lines_of("installed") == [
        "update -qq",
        "install -y -qq --no-install-recommends prometheus redis-server",
    ]
    assert checkout.lines_of("made") == steps()


def test_packages_that_cannot_be_installed_end_it(checkout):
    (checkout.programs / "promtool").unlink()
    checkout.add("apt-get", "#!/usr/bin/env bash\necho no network >&2\nexit 100\n")
    done = checkout.run()
    assert done.returncode != 0
    assert "no network" in done.stderr
    assert checkout.lines_of("made") == []


def test_the_makefile_has_every_step():
    for step in steps():
        make, *arguments = step.split()
        done = subprocess.run(
            [make, "--dry-run", *arguments], cwd=ROOT, capture_output=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
