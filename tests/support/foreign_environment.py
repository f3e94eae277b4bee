"""Virtual environments for programs that do not go together with ours, made by uv when they are first needed."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path


def environment_with(folder: Path, *requirements: str) -> Path:
    """Return the ``bin`` folder of an environment in ``folder`` with these packages; several processes make it once."""
    name = hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:12]
    environment = folder / f"environment-{name}"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (environment / "ready").exists():
            uv("venv", "--quiet", "--clear", "--python", sys.executable, str(environment))
            python = str(environment / "bin/python")
            uv("pip", "install", "--quiet", "--python", python, *requirements)
            (environment / "ready").touch()
    return environment / "bin"


def uv(*arguments: str) -> None:
    """Run uv; fail with what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "uv", *arguments], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
