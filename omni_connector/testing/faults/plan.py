"""Which calls go wrong, and how."""

import random
import re
import threading
from collections import Counter
from collections.abc import Iterable
from fnmatch import translate
from typing import Self

from attrs import define, field, frozen

from omni_connector.testing.faults.kinds import Fault

ENDPOINTS = {
    "register": "POST /sdk/register",
    "sync-config": "GET /sdk/source/*/sync-config",
    "content": "POST /sdk/content",
    "extract-content": "POST /sdk/extract-content",
    "extract-text": "POST /sdk/extract-text",
    "events": "POST /sdk/events/batch",
    "event": "POST /sdk/events",
    "scanned": "POST /sdk/sync/*/scanned",
    "updated": "POST /sdk/sync/*/updated",
    "heartbeat": "POST /sdk/sync/*/heartbeat",
    "checkpoint": "PUT /sdk/sync/*/checkpoint",
    "connector-state": "PUT /sdk/source/*/connector-state",
    "complete": "POST /sdk/sync/*/complete",
    "fail": "POST /sdk/sync/*/fail",
    "progress": "GET /sync/*/progress",
    "any": "* *",
}
"""Names for what a run calls (PROTOCOL); elsewhere give ``METHOD /path``, in which ``*`` stands for anything."""

_PATTERNS = {name: re.compile(translate(where)) for name, where in ENDPOINTS.items() if name != "any"}


def endpoint_of(method: str, path: str) -> str:
    """Return the endpoint's name in ``ENDPOINTS``, or the method and path of one that has none there."""
    call = f"{method} {path.partition('?')[0]}"
    return next((name for name, pattern in _PATTERNS.items() if pattern.match(call)), call)


class FaultPlan:
    """A list of rules; of those that want the same call the first wins. May be changed while calls come in.

    Every rule counts the calls that it matches, from 1, whether or not another rule breaks them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # Protects the rules and what they have counted.
        self._rules: list[_Rule | _RandomRule] = []

    def add(self, where: str, fault: Fault, *, calls: int | Iterable[int] | None = None) -> Self:
        """Break certain calls of an endpoint.

        Args:
            where: a name in ``ENDPOINTS``, or ``METHOD /path`` with ``*`` for anything.
            fault: how.
            calls: the number of the call, from 1 and counted from now on, or several; None for every one.

        Raises:
            ValueError: ``where`` is neither a name nor a pattern.
        """
        wanted = None if calls is None else frozenset([calls] if isinstance(calls, int) else calls)
        rule = _Rule(_pattern(where), fault, wanted)
        with self._lock:
            self._rules.append(rule)
        return self

    def add_random(self, *faults: Fault, seed: int, rate: float, where: str = "any") -> Self:
        """Break calls at random.

        The nth call of an endpoint meets the same fault whenever the seed is the same, however the calls of different
        endpoints are interleaved.

        Args:
            faults: one of these.
            seed: of the choice.
            rate: share of the calls that go wrong, 0 to 1.
            where: as for ``add``.

        Raises:
            ValueError: ``where`` is neither a name nor a pattern, or there is no fault to choose from.
        """
        if not faults:
            raise ValueError("give at least one fault to choose from")
        rule = _RandomRule(_pattern(where), faults, seed, rate)
        with self._lock:
            self._rules.append(rule)
        return self

    def clear(self) -> None:
        """Forget all rules: from now on everything goes well."""
        with self._lock:
            self._rules.clear()

    def choose(self, method: str, path: str) -> Fault | None:
        """Count a call; return what happens to it, None for nothing.

        Args:
            method: of HTTP, such as ``POST``.
            path: of the call, with or without its query.
        """
        call = f"{method} {path.partition('?')[0]}"
        with self._lock:
            found = [rule.choose(call) for rule in self._rules if rule.pattern.match(call)]
        return next((fault for fault in found if fault is not None), None)


@define
class _Rule:
    pattern: re.Pattern[str]
    fault: Fault
    wanted: frozenset[int] | None
    seen: int = 0

    def choose(self, call: str) -> Fault | None:
        del call
        self.seen += 1
        return self.fault if self.wanted is None or self.seen in self.wanted else None


@frozen
class _RandomRule:
    pattern: re.Pattern[str]
    faults: tuple[Fault, ...]
    seed: int
    rate: float
    seen: Counter[str] = field(factory=Counter)

    def choose(self, call: str) -> Fault | None:
        endpoint = endpoint_of(*call.split(" ", 1))
        self.seen[endpoint] += 1
        # The ids of runs and sources differ from run to run, so that only a name or a method can be part of the seed.
        name = endpoint if endpoint in ENDPOINTS else call.partition(" ")[0]
        chance = random.Random(f"{self.seed} {name} {self.seen[endpoint]}")  # noqa: S311 - repeatable, guards nothing.
        return chance.choice(self.faults) if chance.random() < self.rate else None


def _pattern(where: str) -> re.Pattern[str]:
    text = ENDPOINTS.get(where, where)
    if not re.fullmatch(r"[A-Z*]+ [/*].*", text):
        names = ", ".join(ENDPOINTS)
        raise ValueError(f"{where!r} is no endpoint: give one of {names}, or a pattern such as 'POST /sdk/*'")
    return re.compile(translate(text))
