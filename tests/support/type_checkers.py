"""The type checkers that authors use, over programs that they could write."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

BARE_DICTS = "--allow-any-generics"
"""For programs that say ``dict`` where mypy's strict mode wants ``dict[str, Any]``; pyright's usual mode does not mind."""

CHECKERS = {
    "mypy": ["mypy", "--strict"],
    "pyright": ["pyright", "--pythonpath", sys.executable],
}

BY_EACH_CHECKER = pytest.mark.parametrize(
    "checker", [pytest.param(name, marks=pytest.mark.types) for name in CHECKERS]
)
"""Runs a test with each checker, in ``make types``."""


def type_problems(checker: str, program: Path, text: str, *options: str) -> str:
    """Write a program; return what a checker says of it, empty when it is content."""
    program.write_text(text, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        *CHECKERS[checker],
        *(options if checker == "mypy" else ()),
        str(program),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""
