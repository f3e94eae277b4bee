"""Requests to the endpoints as spans of traces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flask import Blueprint, Response, g, request

if TYPE_CHECKING:
    from omni_connector.telemetry.tracing import Tracing


class RequestTraces:
    """Lets requests to one connector be part of the trace of who sends them; probes and scrapes are not traced.

    Args:
        tracing: makes the spans.
        rules: the endpoints, by the names of their views.
    """

    def __init__(self, tracing: Tracing, rules: Mapping[str, str]) -> None:
        self._tracing = tracing
        self._rules = rules

    def attach(self, blueprint: Blueprint) -> None:
        """Trace the requests of a blueprint."""
        blueprint.before_request(self.begin)
        blueprint.after_request(self.answered)
        blueprint.teardown_request(self.end)

    def begin(self) -> None:
        """Begin a span; for ``before_request``."""
        if request.method == "POST":
            rule = self._rules.get((request.endpoint or "").rpartition(".")[2], "")
            headers = {name.lower(): value for name, value in request.headers.items()}
            g.omni_span = self._tracing.begin_request(request.method, rule, headers)

    def answered(self, response: Response) -> Response:
        """Note the status; for ``after_request``."""
        if "omni_span" in g:
            g.omni_span.answered(response.status_code)
        return response

    def end(self, error: BaseException | None = None) -> None:
        """End the span; for ``teardown_request``."""
        del error
        span = g.pop("omni_span", None)
        if span is not None:
            span.end()
