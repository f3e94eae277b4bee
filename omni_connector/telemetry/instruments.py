"""What looks at a connector beside its log."""

from attrs import frozen

from omni_connector.telemetry.metrics import Metrics


@frozen(kw_only=True)
class Instruments:
    """What is recorded of one connector, each None where it is off.

    Attributes:
        metrics: for Prometheus.
    """

    metrics: Metrics | None = None

    def close(self) -> None:
        """Hand over what is not yet recorded. Repeatable."""
        if self.metrics is not None:
            self.metrics.close()
