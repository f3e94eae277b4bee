"""Values as Prometheus reads them; the only module that imports prometheus_client."""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIApplication

from attrs import frozen
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import Metric
from prometheus_client.exposition import ThreadingWSGIServer, choose_encoder
from prometheus_client.registry import Collector

from omni_connector.telemetry.samples import COUNTER, HISTOGRAM, Family, Values
from omni_connector.tokens import AcceptedTokens, bearer_token, is_accepted

EVERYWHERE = "0.0.0.0"  # noqa: S104 - Prometheus comes from another machine.


def exposition(
    families: Iterable[Family], values: Values, *, connector: str, accept: str
) -> tuple[bytes, str]:
    """Return the values in the format that ``accept`` asks for, and its content type; each has the label ``connector``."""
    encode, content_type = choose_encoder(accept)
    return encode(_registry(families, lambda: values, connector)), content_type


class MetricsServer:
    """Answers ``GET /metrics`` at a port of its own, for processes that serve nothing else. ``close`` it.

    Args:
        families: what there is.
        values: says the values of now.
        connector: its name.
        port: where to listen, at all addresses; 0 takes a free one.
        tokens: one of them must come with each request; None: it is open.

    Attributes:
        port: where it listens.

    Raises:
        OSError: the port cannot be used.
    """

    def __init__(
        self,
        families: Iterable[Family],
        values: Callable[[], Values],
        *,
        connector: str,
        port: int,
        tokens: AcceptedTokens | None = None,
    ) -> None:
        app = make_wsgi_app(_registry(families, values, connector))
        app = app if tokens is None else _Closed(app, tokens)
        self._server: WSGIServer = make_server(
            EVERYWHERE, port, app, ThreadingWSGIServer, handler_class=_Silent
        )
        self._thread = threading.Thread(target=self._server.serve_forever, name="omni-metrics", daemon=True)
        self._thread.start()
        self.port = self._server.server_port

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def forget(self) -> None:
        """Close what a forked process has of it, in that process."""
        self._server.socket.close()


@frozen
class _Closed:
    """Lets requests with a token pass."""

    app: WSGIApplication
    tokens: AcceptedTokens

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        presented = bearer_token(environ.get("HTTP_AUTHORIZATION", ""))
        if presented is not None and is_accepted(presented, self.tokens):
            return self.app(environ, start_response)
        start_response("401 Unauthorized", [("WWW-Authenticate", 'Bearer realm="omni-connector"')])
        return [b"This worker needs a token (CONNECTOR_AUTH_TOKEN).\n"]


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the base has.
        """Log nothing."""


def _registry(families: Iterable[Family], values: Callable[[], Values], connector: str) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Values(tuple(families), values, connector))
    return registry


@frozen(eq=False)
class _Values(Collector):
    families: tuple[Family, ...]
    values: Callable[[], Values]
    connector: str

    def collect(self) -> Iterator[Metric]:
        values = self.values()
        for family in self.families:
            name = family.name.removesuffix("_total") if family.kind == COUNTER else family.name
            metric = Metric(name, family.text, family.kind)
            for given, series in sorted(values.get(family.name, {}).items()):
                labels = {"connector": self.connector, **dict(zip(family.labels, given, strict=True))}
                if family.kind == HISTOGRAM:
                    _add_histogram(metric, family, labels, series)
                else:
                    metric.add_sample(family.name, labels, series[0])
            yield metric


def _add_histogram(metric: Metric, family: Family, labels: dict[str, str], series: list[float]) -> None:
    count = 0.0
    for bound, more in zip((*map(str, family.buckets), "+Inf"), series[:-1], strict=True):
        count += more
        metric.add_sample(f"{family.name}_bucket", {**labels, "le": bound}, count)
    metric.add_sample(f"{family.name}_count", labels, count)
    metric.add_sample(f"{family.name}_sum", labels, series[-1])
