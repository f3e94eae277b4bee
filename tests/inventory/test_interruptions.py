"""A real process is killed at random points of its syncs, while its source changes: nothing is lost, nothing is left over."""

from __future__ import annotations

import contextlib
import json
import random
import signal

import pytest
from support.forked_commands import ForkedCommands
from support.redis_server import RedisServer

from omni_connector.local import LocalManager

COMPLETED_WITH_ERRORS = 4
SCOPES = ("one", "two")
TARGET = "tests/support/interrupted.py:Interrupted"


class Interrupting:
    """Runs syncs, and kills some of them."""

    def __init__(self, folder, seed, inventory):
        self.inventory = inventory
        self.commands = ForkedCommands(folder)
        self.chance = random.Random(seed)
        self.data = folder / "data"
        self.file = folder / "source.json"
        self.source = {}
        self.wanted_kills = 25 if inventory.startswith("redis:") else 50
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
                source[name] = [source[name][0], chance.randrange(3)]
            elif chance.random() < 0.1:
                source[name] = [chance.choice(SCOPES), source[name][1]]
        for _ in range(20):
            source[f"d{chance.randrange(300):03}"] = [chance.choice(SCOPES), chance.randrange(3)]
        self.file.write_text(json.dumps(source))

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
        with LocalManager(self.data, schedule=False) as manager:
            return {each.external_id: int(each.content.split()[1]) for each in manager.documents()}

    def emitted(self):
        """Return how many events the last run has sent."""
        with LocalManager(self.data, schedule=False) as manager:
            [source] = manager.sources()
            return len(manager.events(manager.runs(source.id)[-1].id))


@pytest.fixture(params=["sqlite", "redis"])
def interrupting(request, tmp_path):
    with contextlib.ExitStack() as stack:
        place = f"sqlite://{tmp_path / 'inventory.sqlite3'}"
        if request.param == "redis":
            place = stack.enter_context(RedisServer(tmp_path)).url
        world = Interrupting(tmp_path, 1, place)
        stack.callback(world.commands.close)
        yield world


def interrupt(world):
    """Kill processes; look at the result after each sync that comes to its end."""
    world.change()
    world.change()
    assert world.sync("full")
    while world.kills < world.wanted_kills:
        mode = world.chance.choice(["incremental", "incremental", "full"])
        is_moving = world.chance.random() < 0.7
        world.change()
        while not world.sync(mode, world.point()):
            if is_moving:
                world.change()
        if is_moving:  # What changed behind the place where it was is found by the next one.
            assert world.sync("incremental")
        world.catch_up()
        expected = {name: version for name, (_, version) in world.source.items()}
        assert world.index() == expected, (world.kills, mode, is_moving)
    assert world.sync("incremental")
    assert world.emitted() == 0
    assert world.resumed > 0
    assert world.failed > 0


@pytest.mark.slow
def test_random_interruptions_leave_exactly_what_is_in_the_source(interrupting):
    interrupt(interrupting)
    assert interrupting.kills >= interrupting.wanted_kills
