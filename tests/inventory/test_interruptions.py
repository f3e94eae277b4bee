"""A real process is killed at random points of its syncs, while its source changes: nothing is lost, nothing is left over.

``INTERRUPTIONS=50 pytest -m slow tests/inventory/test_interruptions.py`` kills that many in each test, at other points each time.
"""

from __future__ import annotations

import json
import os
import random
import signal
import tempfile
from pathlib import Path

import pytest
from support.forked_commands import ForkedCommands
from support.redis_server import RedisServer

from omni_connector.local import open_store

KILLS = int(os.environ.get("INTERRUPTIONS", "8"))
COMPLETED_WITH_ERRORS = 4
SCOPES = ("one", "two")
FAILING_AT_FIRST = {"d003": ["one", 0], "d013": ["two", 0]}
TARGET = "tests/support/interrupted.py:Interrupted"


class Interrupting:
    """Runs syncs, and kills some of them."""

    def __init__(self, folder, chance, inventory, commands):
        self.inventory = inventory
        self.commands = commands
        self.chance = chance
        self.data = folder / "data"
        self.file = folder / "source.json"
        self.source = {}
        self.kills = 0
        self.resumed = 0
        self.failed = 0

    def change(self):
        """Change some documents, to versions that they may have had before; add, remove and move some."""
        chance, source = self.chance, self.source
        for name in list(source):
            if chance.random() < 0.1:
                del source[name]
            elif chance.random() < 0.3:
                source[name] = [source[name][0], chance.randrange(2)]
            elif chance.random() < 0.1:
                source[name] = [chance.choice(SCOPES), source[name][1]]
        for _ in range(20):
            source[f"d{chance.randrange(300):03}"] = [chance.choice(SCOPES), chance.randrange(2)]
        self.write()

    def write(self):
        self.file.write_text(json.dumps(self.source))

    def sync(self, mode, kill=""):
        """Run a sync; return whether it came to its end."""
        arguments = ["run", TARGET, "--data", str(self.data), "--set", f"file={self.file}", "--mode", mode]
        status, output = self.commands.run(*arguments, KILL=kill, OMNI_INVENTORY=self.inventory)
        self.resumed += "Resuming" in output
        if status == -signal.SIGKILL:
            self.kills += 1
            return False
        assert status in {0, COMPLETED_WITH_ERRORS}, output
        return True

    def steps(self):
        """Return how many steps the last sync that came to its end took."""
        return int(self.file.with_name(f"{self.file.name}.steps").read_text().partition(": ")[2])

    def point(self):
        """Return a point at which to kill the next process; right after a batch was accepted is the most delicate."""
        kind = self.chance.choice(["step", "step", "sent", "sent", "ms"])
        figure = self.chance.randrange({"step": self.steps(), "sent": 4, "ms": 400}[kind])
        return f"{kind}:{figure + 1}"

    def catch_up(self):
        """Sync until no document waits for another attempt."""
        while self.failing():
            self.failed += 1
            assert self.sync("incremental")

    def failing(self):
        """Return whether a document has failed in the version that it has now."""
        failed = self.file.with_name(f"{self.file.name}.failed")
        return any((failed / f"{name}-{version}").exists() for name, (_, version) in self.source.items())

    def index(self):
        """Return the versions that the manager has."""
        return {each.external_id: int(each.content.split()[1]) for each in open_store(self.data).documents()}

    def emitted(self):
        """Return how many events the last run has sent."""
        store = open_store(self.data)
        [source] = store.sources()
        return len(store.events(store.runs(source.id)[-1].id))


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    commands = ForkedCommands(tmp_path_factory.mktemp("commands"))
    yield commands
    commands.close()


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def folder(tmp_path):
    """A folder in memory: what a process has written outlives it there as well, and the disk is not waited for."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


@pytest.fixture(params=["sqlite-4", "sqlite-5", "redis-3"])
def interrupting(request, folder, commands, redis_server):
    kind, _, seed = request.param.partition("-")
    place = redis_server.url if kind == "redis" else f"sqlite://{folder / 'inventory.sqlite3'}"
    chance = random.Random(None if "INTERRUPTIONS" in os.environ else seed)
    return Interrupting(folder, chance, place, commands)


def interrupt(world):
    """Kill processes; look at the result after each sync that comes to its end."""
    world.change()
    world.change()
    world.source |= FAILING_AT_FIRST
    world.write()
    assert world.sync("full")
    world.catch_up()
    for _ in range(2 * KILLS):
        mode = world.chance.choice(["incremental", "incremental", "full"])
        is_moving = world.chance.random() < 0.7
        world.change()
        while not world.sync(mode, world.point() if world.kills < KILLS else ""):
            if is_moving:
                world.change()
        if is_moving:  # What changed behind the place where it was is found by the next one.
            assert world.sync("incremental")
        world.catch_up()
        expected = {name: version for name, (_, version) in world.source.items()}
        assert world.index() == expected, (world.kills, mode, is_moving)
        if world.kills == KILLS:
            break
    assert world.sync("incremental")
    assert world.emitted() == 0


@pytest.mark.slow
def test_random_interruptions_leave_exactly_what_is_in_the_source(interrupting):
    interrupt(interrupting)
    assert interrupting.kills == KILLS
    assert interrupting.resumed > 0
    assert interrupting.failed > 0
