"""Requests to the endpoints: how long they take, for metrics, and their spans, for traces."""

from __future__ import annotations

import time
from collections.abc import Mapping
from http import HTTPStatus

from flask import Blueprint, Response, g, request

from omni_connector.telemetry.instruments import Instruments

KNOWN_STATUSES = frozenset(int(status) for status in HTTPStatus)


class ObservedRequests:
    """Measures the requests of one connector, and lets them join the trace of their caller.

    Probes and scrapes are not traced.

    Args:
        instruments: metrics and traces, where there are any.
        rules: the endpoints, by the names of their views.
    """

    def __init__(self, instruments: Instruments, rules: Mapping[str, str]) -> None:
        self._metrics = instruments.metrics
        self._tracing = instruments.tracing
        self._rules = rules

    def attach(self, blueprint: Blueprint) -> None:
        """Observe the requests of a blueprint, if there are metrics or traces."""
        if self._metrics is not None or self._tracing is not None:
            blueprint.before_request(self._begin)
            blueprint.after_request(self._answered)
            blueprint.teardown_request(self._end)

    def _begin(self) -> None:
        g.omni_began = time.monotonic()
        if self._tracing is not None and request.method == "POST":
            headers = {name.lower(): value for name, value in request.headers.items()}
            g.omni_span = self._tracing.begin_request(request.method, self._rule(""), headers)

    def _answered(self, response: Response) -> Response:
        began = g.pop("omni_began", None)
        if self._metrics is not None and began is not None:
            status = str(response.status_code) if response.status_code in KNOWN_STATUSES else "other"
            seconds = time.monotonic() - began
            self._metrics.answered(self._rule("other"), request.method, status, seconds)
        if "omni_span" in g:
            g.omni_span.answered(response.status_code)
        return response

    def _end(self, error: BaseException | None = None) -> None:
        del error
        span = g.pop("omni_span", None)
        if span is not None:
            span.end()

    def _rule(self, unknown: str) -> str:
        return self._rules.get((request.endpoint or "").rpartition(".")[2], unknown)
