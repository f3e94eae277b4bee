"""What every process knows of the registration, which only one of them does at a time."""

import functools

from attrs import frozen

from omni_connector.exceptions import RunStoreError
from omni_connector.models.codec import decode, encode
from omni_connector.runstore.runs import SharedRuns
from omni_connector.runstore.store import VERSION

NOT_YET = "not registered yet"


@frozen
class RegistrationNotes:
    """Keeps in the run store how the last registration went.

    Attributes:
        shared: the run store, and what waits for it while it is away.
        url: at which the manager reaches the connector.
        kept_seconds: a registration counts for so long; the manager itself forgets it after 300 s.
    """

    shared: SharedRuns
    url: str
    kept_seconds: float

    def registered(self, how: str = "registered") -> None:
        """Note that the connector is registered, or need not be."""
        self._keep("registered", how)

    def failed(self, reason: str) -> None:
        """Note why it is not; an earlier registration counts until its time is over."""
        self._keep("unregistered", reason)

    def state(self) -> str:
        """Return how the connector is registered.

        Raises:
            RunStoreError: it is not, or that cannot be known now; says why.
        """
        found = self.shared.store.get(f"registered/{self.url}")
        if found is not None:
            return str(decode(found)["text"])
        reason = self.shared.store.get(f"unregistered/{self.url}")
        raise RunStoreError(NOT_YET if reason is None else str(decode(reason)["text"]))

    def _keep(self, kind: str, text: str) -> None:
        note = encode({"v": VERSION, "text": text})
        store = self.shared.store
        self.shared.keeper.surely(functools.partial(store.put, f"{kind}/{self.url}", note, self.kept_seconds))
