"""An executor that has partitions read in child processes, which are given ids alone: ``python -m benchmarks.partition_processes``.

It shows that a partition can be read anywhere, and is what the speed of a source that computes is measured with. Parent and
child exchange lines of JSON: a task goes down; the child asks for the assignment and sends reports; each is answered.
"""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from attrs import frozen

from omni_connector.event_loop import EventLoop
from omni_connector.exceptions import ConnectorError
from omni_connector.manager import SdkClient
from omni_connector.models.codec import decode, encode, structure, unstructure
from omni_connector.partitions.executor import ExecutorFactory, SharedRun
from omni_connector.partitions.messages import Assignment, PartitionReport, PartitionTask
from omni_connector.pool import WorkerPool
from omni_connector.runtime.hooks import HookCaller
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.runtime.partition_runner import PartitionRunner, RunInParts, RunResources
from omni_connector.sync.state import RunState
from omni_connector.target import load_connector

ROOT = Path(__file__).resolve().parents[1]


@frozen
class Lines:
    """JSON objects, a line each, both ways."""

    incoming: IO[bytes]
    outgoing: IO[bytes]

    def send(self, message: dict[str, Any]) -> None:
        """Send one."""
        self.outgoing.write(encode(message) + b"\n")
        self.outgoing.flush()

    def receive(self) -> dict[str, Any]:
        """Wait for one.

        Raises:
            EOFError: the other side is gone.
        """
        line = self.incoming.readline()
        if not line:
            raise EOFError
        message: dict[str, Any] = decode(line)
        return message


# -- the parent ---------------------------------------------------------------------------------------------------------


class ProcessExecutor:
    """Has each partition read by one of several processes. ``close`` it.

    Args:
        run: the run.
        target: names the connector, as for ``load_connector``.
        manager_url: where the processes report.
        processes: how many.
    """

    def __init__(self, run: SharedRun, *, target: str, manager_url: str, processes: int) -> None:
        self.capacity = 2 * processes
        self._run = run
        command = [sys.executable, "-m", "benchmarks.partition_processes", target, manager_url]
        self._children = [_child(command) for _ in range(processes)]
        self._idle: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
        for child in self._children:
            self._idle.put(child)
        self._pool = WorkerPool(f"omni-part-{run.sync_run_id}", processes)

    def submit(self, task: PartitionTask) -> None:
        """Have it read as soon as a process is free."""
        self._pool.submit(self._follow, task)

    def close(self) -> None:
        """End the processes."""
        self._pool.close()
        for child in self._children:
            with suppress(OSError):  # It has ended before.
                _ends(child).outgoing.close()
            child.wait()
            _ends(child).incoming.close()

    def _follow(self, task: PartitionTask) -> None:
        """Answer what the child asks while it reads the partition."""
        child = self._idle.get()
        lines, desk, state = _ends(child), self._run.desk, self._run.state
        try:
            lines.send({"task": unstructure(task)})
            while "end" not in (message := lines.receive()):
                lines.send(_answer(desk, state, message))
        except (OSError, EOFError):
            desk.lose(task.key, "the process that read it is gone")
        finally:
            self._idle.put(child)


def in_processes(target: str, manager_url: str, processes: int) -> ExecutorFactory:
    """Return what makes such an executor for each run."""

    def executor(run: SharedRun) -> ProcessExecutor:
        return ProcessExecutor(run, target=target, manager_url=manager_url, processes=processes)

    return executor


def _child(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own module.
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )


def _ends(child: subprocess.Popen[bytes]) -> Lines:
    if child.stdout is None or child.stdin is None:
        raise RuntimeError("a child without pipes")
    return Lines(child.stdout, child.stdin)


def _answer(desk: Any, state: RunState, message: dict[str, Any]) -> dict[str, Any]:
    if "assignment" in message:
        return {"assignment": unstructure(desk.assignment(message["assignment"]))}
    try:
        desk.receive(structure(PartitionReport, message["report"]))
    except ConnectorError as error:
        return {"error": str(error)}
    return {"stopped": state.reason} if state.stopped.is_set() else {}


# -- the child ----------------------------------------------------------------------------------------------------------


class PipeDesk:
    """The ``PartitionDesk`` of the parent, at the other end of a pipe."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._lock = threading.Lock()  # Held from a question to its answer.
        self.stop: Callable[[str], None] = str

    def assignment(self, key: str) -> Assignment:
        """Ask for it."""
        return structure(Assignment, self._ask({"assignment": key})["assignment"])

    def receive(self, report: PartitionReport) -> None:
        """Pass it on."""
        answer = self._ask({"report": unstructure(report)})
        if "stopped" in answer:
            self.stop(answer["stopped"])
        if "error" in answer:
            raise ConnectorError(answer["error"])

    def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self._lines.send(message)
            return self._lines.receive()


def main() -> None:
    """Read partitions until the parent hangs up."""
    target, manager_url = sys.argv[1:]
    connector = load_connector(target)
    loop = EventLoop()
    lines = Lines(sys.stdin.buffer, sys.stdout.buffer)
    desk = PipeDesk(lines)
    with SdkClient(manager_url) as manager:
        resources = RunResources(hooks=HookCaller(connector, loop), manager=manager, options=RuntimeOptions())
        while True:
            try:
                task = structure(PartitionTask, lines.receive()["task"])
            except EOFError:
                break
            state = RunState(task.sync_run_id)
            desk.stop = state.cancel
            assignment = desk.assignment(task.key)
            source = manager.sync_config(task.source_id)
            run = RunInParts.elsewhere(task, source, connector, assignment, state=state, desk=desk)
            PartitionRunner(resources, run).read(assignment)
            lines.send({"end": task.key})
    loop.close()


if __name__ == "__main__":
    main()
