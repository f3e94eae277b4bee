"""When a batch of events is sent, and how much may wait."""

from attrs import evolve, frozen

from omni_connector.models.sync import SyncMode


@frozen(kw_only=True)
class DeliveryLimits:
    """The limits of one delivery.

    Attributes:
        flush_events: send when so many events wait (PROTOCOL, section 11: 500 full, 100 incremental, 1 realtime).
        flush_seconds: send when the oldest event, or count, has waited so long.
        batch_events: most events in one request.
        batch_bytes: most bytes in one request; managers before 3 June 2026 refuse 2 MiB (PROTOCOL, section 18).
        buffer_bytes: ``emit`` waits while more than this is on its way, contents included.
        buffer_events: the same by count.
    """

    flush_events: int = 500
    flush_seconds: float = 5.0
    batch_events: int = 500
    batch_bytes: int = 1024 * 1024
    buffer_bytes: int = 16 * 1024 * 1024
    buffer_events: int = 1_500

    @classmethod
    def for_mode(cls, mode: SyncMode) -> "DeliveryLimits":
        """Return the limits that suit a run of ``mode``."""
        return cls(flush_events={SyncMode.FULL: 500, SyncMode.INCREMENTAL: 100, SyncMode.REALTIME: 1}[mode])

    def shared_by(self, runs: int) -> "DeliveryLimits":
        """Return limits for each of several deliveries that together keep to these."""
        return evolve(
            self,
            buffer_bytes=max(1, self.buffer_bytes // runs),
            buffer_events=max(1, self.buffer_events // runs),
        )
