"""A Singer tap that says what its config tells it to: ``{"streams": [...], "lines": [...]}``; run as a program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path


def main():
    arguments = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=False))
    config = json.loads(Path(arguments["--config"]).read_text())
    if "report" in config:
        report(Path(config["report"]), arguments)
    if "--discover" in sys.argv:
        print(json.dumps({"streams": config.get("streams", [])}))
        return
    for line in config.get("lines", []):
        if line == "rotate":
            Path(arguments["--config"]).write_text(json.dumps({**config, "token": config["token"] + "+"}))
        elif isinstance(line, str) and line.startswith("token "):
            Path(arguments["--config"]).write_text(json.dumps({**config, "token": line[6:]}))
        elif isinstance(line, dict):
            print(json.dumps(line), flush=True)
        else:
            say(line)


def say(line):
    """Do what is no message."""
    word, _, rest = line.partition(" ")
    if word == "error":
        print(rest, file=sys.stderr, flush=True)
    elif word == "exit":
        sys.exit(int(rest))
    elif word == "die":
        os.kill(os.getpid(), 9)
    elif word == "child":  # Keeps the pipes open, and ignores SIGTERM.
        code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
        child = subprocess.Popen([sys.executable, "-c", code])
        Path(rest).write_text(str(child.pid))
    elif word == "hang":
        time.sleep(60)
    elif word == "long":
        sys.stdout.write("x" * int(rest))
        sys.stdout.flush()
        time.sleep(60)
    else:
        print(line, flush=True)


def report(path, arguments):
    """Note what the tap was given."""
    folder = Path(arguments["--config"]).parent
    path.write_text(
        json.dumps(
            {
                "environment": dict(os.environ),
                "folder": str(folder),
                "modes": {
                    each.name: oct(each.stat().st_mode & 0o777) for each in [folder, *folder.glob("*.json")]
                },
                "state": json.loads(Path(arguments["--state"]).read_text())
                if "--state" in arguments
                else None,
                "catalog": json.loads(Path(arguments["--catalog"]).read_text())
                if "--catalog" in arguments
                else None,
            }
        )
    )


if __name__ == "__main__":
    main()
