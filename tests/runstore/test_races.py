"""Sixteen processes that claim one slot at the same moment: exactly one gets it, every time."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import uuid
from collections import Counter

import pytest
from support.processes import Process
from support.racing import LOST, WON, race
from support.thorough import thorough

from omni_connector.runstore.memory import MemoryStore

RACERS = 16
ROUNDS = [("sqlite", thorough(10, 200)), ("redis", thorough(40, 200))]
EXPECTED = Counter({WON: 1, LOST: RACERS - 1})


class Race:
    """A pipe to each racer, which starts a round, and one from all of them, on which they say how it went."""

    def __init__(self):
        self.starts, self._started = zip(*(os.pipe() for _ in range(RACERS)), strict=True)
        self._result, self.result = os.pipe()
        self._open = [*self.starts, *self._started, self._result, self.result]

    def run(self, rounds):
        """Return how each round went. Every racer has answered before the next round begins."""
        outcomes = []
        for _ in range(rounds):
            for started in self._started:
                os.write(started, b".")
            answers = b""
            while len(answers) < RACERS:
                answers += os.read(self._result, RACERS - len(answers))
            outcomes.append(Counter(bytes([answer]) for answer in answers))
        for started in self._started:
            os.close(started)
            self._open.remove(started)
        return outcomes

    def close(self):
        for descriptor in self._open:
            os.close(descriptor)


@pytest.fixture
def racing():
    with contextlib.closing(Race()) as racing:
        yield racing


@pytest.mark.slow
@pytest.mark.parametrize(("shared_url", "rounds"), ROUNDS, indirect=["shared_url"])
def test_of_sixteen_processes_exactly_one_wins_each_round(shared_url, racing, rounds):
    connector = uuid.uuid4().hex
    with contextlib.ExitStack() as stack:
        for start in racing.starts:
            where = [shared_url, connector, str(start), str(racing.result)]
            racer = Process(sys.executable, "-m", "support.racing", *where, pass_fds=(start, racing.result))
            stack.enter_context(racer)
        assert racing.run(rounds) == [EXPECTED] * rounds


def test_of_sixteen_threads_exactly_one_wins_each_round(racing):
    store = MemoryStore()
    threads = [threading.Thread(target=race, args=(store, start, racing.result)) for start in racing.starts]
    for thread in threads:
        thread.start()
    outcomes = racing.run(200)
    for thread in threads:
        thread.join()
    assert outcomes == [EXPECTED] * 200
