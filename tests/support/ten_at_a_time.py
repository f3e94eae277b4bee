"""A manager on a virtual clock that serves ten uploads at a time, at some distance: what a limit makes of it."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque

from omni_connector.manager.limit import AdaptiveLimit


class TenAtATime:
    """Simulates uploads against a manager.

    Args:
        service_seconds: how long each upload is served.
        distance_seconds: of the way there and back.
        jitter: by which share the service takes longer or shorter.
        places: uploads that are served at once.
    """

    def __init__(self, *, service_seconds=0.02, distance_seconds=0.0, jitter=0.0, places=10):
        self.now = 0.0
        self.service_seconds = service_seconds
        self.distance_seconds = distance_seconds
        self.places = places
        self._events = []
        self._numbers = itertools.count()
        self._serving = 0
        self._queue = deque()
        self._jitter = jitter
        self._random = random.Random(1)

    def uploads(self, *, limit=None, fixed=None, seconds=30.0, warm_up=5.0):
        """Return the uploads a second after the warm-up, and how many were in the air on average."""
        value = (lambda: fixed) if limit is None else (lambda: limit.value)
        in_air = done = 0
        area = 0.0

        def begin():
            nonlocal in_air
            in_air += 1
            self._at(self.now + self.distance_seconds / 2, "arrives", self.now)

        while in_air < value():
            begin()
        while self._events:
            moment, _, what, started = heapq.heappop(self._events)
            if moment > warm_up:
                area += in_air * (moment - max(self.now, warm_up))
            self.now = moment
            if moment > warm_up + seconds:
                break
            if what == "arrives":
                self._queue.append(started)
                self._serve()
            elif what == "served":
                self._serving -= 1
                self._serve()
                self._at(self.now + self.distance_seconds / 2, "answered", started)
            else:
                in_air -= 1
                done += moment > warm_up
                if limit is not None:
                    limit.finished(started, is_full=True)
                while in_air < value():
                    begin()
        return done / seconds, area / seconds

    def _serve(self):
        while self._queue and self._serving < self.places:
            self._serving += 1
            seconds = self.service_seconds * self._random.uniform(1 - self._jitter, 1 + self._jitter)
            self._at(self.now + seconds, "served", self._queue.popleft())

    def _at(self, moment, what, started):
        heapq.heappush(self._events, (moment, next(self._numbers), what, started))


def best_fixed(*, service_seconds=0.02, distance_seconds=0.0, places=10, **_):
    """Return the throughput of the best fixed number of uploads, and the smallest that reaches it; known exactly."""
    most = min(places / service_seconds, 64 / (service_seconds + distance_seconds))
    return most, min(64, math.ceil(places * (service_seconds + distance_seconds) / service_seconds))


def adapting(fixed=None, **manager):
    """Return throughput and average number of an adapting limit."""
    world = TenAtATime(**manager)
    return world.uploads(limit=AdaptiveLimit(fixed, clock=lambda: world.now))
