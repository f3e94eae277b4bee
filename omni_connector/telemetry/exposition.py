"""Values as Prometheus reads them; the only module that imports prometheus_client."""

from collections.abc import Iterable, Iterator

from attrs import frozen
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from omni_connector.telemetry.samples import COUNTER, HISTOGRAM, Family, Values


def exposition(
    families: Iterable[Family], values: Values, *, connector: str, accept: str
) -> tuple[bytes, str]:
    """Return the values in the format that ``accept`` asks for, and its content type; each has the label ``connector``."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Values(tuple(families), values, connector))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


@frozen(eq=False)
class _Values(Collector):
    families: tuple[Family, ...]
    values: Values
    connector: str

    def collect(self) -> Iterator[Metric]:
        for family in self.families:
            name = family.name.removesuffix("_total") if family.kind == COUNTER else family.name
            metric = Metric(name, family.text, family.kind)
            for given, series in sorted(self.values.get(family.name, {}).items()):
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
