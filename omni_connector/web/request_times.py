"""How long requests to the endpoints take, for metrics."""

import time
from collections.abc import Mapping
from http import HTTPStatus

from flask import Blueprint, Response, g, request

from omni_connector.telemetry.metrics import Metrics

KNOWN_STATUSES = frozenset(int(status) for status in HTTPStatus)


class RequestTimes:
    """Measures the requests of one connector, from their headers to those of the answer.

    Args:
        metrics: learn of them.
        rules: the endpoints, by the names of their views.
    """

    def __init__(self, metrics: Metrics, rules: Mapping[str, str]) -> None:
        self._metrics = metrics
        self._rules = rules

    def attach(self, blueprint: Blueprint) -> None:
        """Measure the requests of a blueprint."""
        blueprint.before_request(self.begin)
        blueprint.after_request(self.end)

    def begin(self) -> None:
        """Note the time; for ``before_request``."""
        g.omni_began = time.monotonic()

    def end(self, response: Response) -> Response:
        """Record the request, whatever has become of it; for ``after_request``."""
        began = g.pop("omni_began", None)
        if began is not None:
            view = (request.endpoint or "").rpartition(".")[2]
            status = str(response.status_code) if response.status_code in KNOWN_STATUSES else "other"
            seconds = time.monotonic() - began
            self._metrics.answered(self._rules.get(view, "other"), request.method, status, seconds)
        return response
