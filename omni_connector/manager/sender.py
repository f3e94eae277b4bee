"""Sends calls over the wire, as many at once as help, and repeats them as their policy says."""

from queue import SimpleQueue
from typing import TypeVar

from omni_connector.forking import begins_anew
from omni_connector.manager.calls import Call
from omni_connector.manager.gate import Permits, SharedGate
from omni_connector.manager.means import EXTRACTIONS, Means, Owner, new_clock
from omni_connector.manager.pending import Pending
from omni_connector.manager.sending import Sending

T = TypeVar("T")


class Sender:
    """The way of all calls to one manager. ``close`` it. Safe to use from many threads, and after a fork.

    Args:
        means: what the calls share.
    """

    def __init__(self, means: Means) -> None:
        self.means = means
        self._shared_extractions: SharedGate | None = None
        begins_anew(self)

    def send(self, call: Call[T], owner: Owner, body: tuple[bytes, ...] | None = None) -> Pending[T]:
        """Begin a call, which never blocks for the network; ``body`` as for ``Sending``.

        Returns:
            What the answer says, to come, or the SdkClientError after the last attempt.
        """
        sending = Sending(self.means, call, owner, body)
        sending.enter()
        return sending

    def call(self, call: Call[T], owner: Owner, body: tuple[bytes, ...] | None = None) -> T:
        """Make a call in this thread: wait for its turn, and carry each attempt.

        Raises:
            SdkClientError: the last attempt failed.
        """
        sending = Sending(self.means, call, owner, body)
        turns = sending.turns = SimpleQueue()
        sending.enter()
        try:
            while not sending.done():
                if turns.get():
                    sending.attempt()
        finally:
            if not sending.done():
                sending.stop("its thread was interrupted")
            sending.return_turns()
        return sending.result()

    def abort(self, owner: Owner) -> None:
        """End the calls of an owner at once, whose ``stop`` was set before."""
        for call in list(owner.calls):
            call.stop("the run was stopped")
        self.means.wire.abort(owner)

    def share_extractions(self, permits: Permits) -> None:
        """Extract only what has a permit, too: other processes of the connector extract as well."""
        self._shared_extractions = self.means.gates["extractions"] = SharedGate(EXTRACTIONS, permits)

    def close(self) -> None:
        """End everything."""
        means = self.means
        means.is_closed = True
        if self._shared_extractions is not None:
            self._shared_extractions.close()
        means.clock.close()
        for call in list(means.open):
            call.stop("the client is closed")
        means.wire.close()
        means.streams.close()

    def after_fork(self) -> None:
        """Begin anew: what the parent has under way stays the parent's."""
        self.means.open = set()
        self.means.clock = new_clock()
