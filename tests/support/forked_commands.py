"""Runs ``omni-connector`` commands, each in a process of its own that is forked from one which has loaded everything.

A process that is started anew takes a second to load, which fifty of them would spend in vain.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from support.processes import Process

READY = "ready to fork"


class ForkedCommands:
    """Starts that process. ``close`` it."""

    def __init__(self, folder):
        self._output = folder / "output.txt"
        self._requests = folder / "requests"
        os.mkfifo(self._requests)
        self._process = Process(sys.executable, "-m", "support.forked_commands", str(self._requests))
        self._write = self._requests.open("w")
        self._process.wait_for(READY)
        self._count = 0

    def run(self, *arguments, **environ):
        """Run a command; return its exit status, negative for a signal, and what it printed."""
        self._count += 1
        request = {
            "number": self._count,
            "arguments": arguments,
            "environ": environ,
            "output": str(self._output),
        }
        self._write.write(json.dumps(request) + "\n")
        self._write.flush()
        status = int(self._process.wait_for(rf"ended {self._count}: (-?\d+)", 120)[1])
        return status, self._output.read_text()

    def close(self):
        """End it."""
        self._write.close()
        self._process.end()


def serve(requests):
    """Fork for each request; one thread, or forking would not be safe.

    What is not loaded here is loaded by every command, which takes five times as long where ``local_run`` is left out.
    """
    import redis  # noqa: F401

    import omni_connector.cli.local_run
    import omni_connector.cli.main
    import omni_connector.cli.run
    import omni_connector.connector
    import omni_connector.manager.curl_wire
    import omni_connector.runstore.inventory_redis
    import omni_connector.runstore.inventory_sqlite  # noqa: F401

    with requests.open() as lines:
        say(READY)
        for line in lines:
            request = json.loads(line)
            child = os.fork()
            if child == 0:
                perform(request)
            _, status = os.waitpid(child, 0)
            say(f"ended {request['number']}: {os.waitstatus_to_exitcode(status)}")


def say(line):
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def perform(request):
    """Be the command."""
    from omni_connector.cli.main import main

    os.environ.update(request["environ"])
    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    code = 1
    try:
        sys.argv = ["omni-connector", *request["arguments"]]
        main()
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
