"""Sends events, to managers of every age."""

from collections.abc import Sequence

from omni_connector.exceptions import SdkClientError, UnsupportedByManagerError
from omni_connector.manager import endpoints
from omni_connector.manager.caller import Caller
from omni_connector.manager.compatibility import Feature


class EventCalls(Caller):
    """The calls that send events."""

    def send_events(
        self,
        sync_run_id: str,
        source_id: str,
        events: Sequence[bytes],
        *,
        patient: bool = True,
        insistent: bool = False,
    ) -> Sequence[int]:
        """``POST /sdk/events/batch``, or one by one: all or none. Without ``patient`` a refusal is reported at once.

        Args:
            sync_run_id: the run.
            source_id: its source.
            events: encoded ones, as of ``models.events``; each names the same run and source.
            patient: repeat the call while the manager is in trouble; a 500 only briefly, since one event may be to blame.
            insistent: repeat it for all the time after a 500, too.

        Returns:
            The positions of events that were left out, because the manager does not know their kind.

        Raises:
            SyncRunEndedError: the run is not running, or the source is gone.
        """
        while True:
            left_out = self._compatibility.unknown_events(events)
            known = [one for place, one in enumerate(events) if place not in left_out] if left_out else events
            if left_out and not known:
                return left_out
            try:
                if self._compatibility.lacks(Feature.BATCHES):
                    self._one_by_one(sync_run_id, source_id, known, patient=patient, insistent=insistent)
                else:
                    call = endpoints.events(
                        sync_run_id, source_id, known, patient=patient, insistent=insistent
                    )
                    self._sender.call(call, self._owner)
                    self._compatibility.found(Feature.BATCHES)
            except UnsupportedByManagerError:
                if not self._compatibility.missed(Feature.BATCHES):
                    raise
            except SdkClientError as error:
                if self._compatibility.note_unknown(error) is None:
                    raise
                if self._compatibility.unknown_events(known) == []:
                    raise  # It names a kind that is none of these events'.
            else:
                self._compatibility.found_events(known)
                return left_out

    def send_event(
        self, sync_run_id: str, source_id: str, event: bytes, *, patient: bool = True
    ) -> Sequence[int]:
        """``POST /sdk/events``: as ``send_events`` with one."""
        if self._compatibility.unknown_events([event]):
            return [0]
        try:
            self._do(endpoints.event(sync_run_id, source_id, event, patient=patient, insistent=True))
        except SdkClientError as error:
            if self._compatibility.note_unknown(error) is None or not self._compatibility.unknown_events(
                [event]
            ):
                raise
            return [0]
        self._compatibility.found_events([event])
        return ()

    def _one_by_one(
        self, sync_run_id: str, source_id: str, events: Sequence[bytes], *, patient: bool, insistent: bool
    ) -> None:
        for event in events:
            call = endpoints.event(sync_run_id, source_id, event, patient=patient, insistent=insistent)
            self._do(call)
        if not events:  # Asked to find out whether the manager is well.
            self._do(endpoints.heartbeat(sync_run_id))
