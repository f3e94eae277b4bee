"""Has files extracted by a manager of any age."""

from http import HTTPStatus

import attrs
from attrs import frozen

from omni_connector.exceptions import ExtractionError, SdkClientError, UnsupportedByManagerError
from omni_connector.manager import refusals
from omni_connector.manager.calls import Call
from omni_connector.manager.compatibility import Compatibility, Feature
from omni_connector.manager.means import Owner
from omni_connector.manager.pending import Pending
from omni_connector.manager.sender import Sender

NO_EXTRACTION = (
    "{operation}: this manager is older than {since} and extracts no text from files: extract it in the connector, and "
    "give it as Document(content=...)"
)


@frozen
class Extraction:
    """One kind of extraction, which old managers lack.

    Attributes:
        compatibility: what the manager lacks.
        feature: the kind.
    """

    compatibility: Compatibility
    feature: Feature

    def begin(self, sender: Sender, call: Call[str], owner: Owner) -> Pending[str]:
        """Begin a call; an ExtractionError comes through its result where the manager extracts nothing."""
        if self.compatibility.lacks(self.feature):
            failed: Pending[str] = Pending()
            failed.set_exception(self._none(call.operation))
            return failed
        extracted = sender.send(attrs.evolve(call, explain=self._refused), owner)
        extracted.add_done_callback(self._ended)
        return extracted

    def _refused(self, error: SdkClientError) -> SdkClientError:
        if isinstance(error, UnsupportedByManagerError) and self.compatibility.missed(self.feature):
            return self._none(error.operation)
        return refusals.of_extraction(error)

    def _ended(self, extracted: Pending[str]) -> None:
        if extracted.exception() is None:
            self.compatibility.found(self.feature)

    def _none(self, operation: str) -> ExtractionError:
        message = NO_EXTRACTION.format(operation=operation, since=self.feature.since)
        return ExtractionError(message, operation=operation, status=HTTPStatus.NOT_FOUND)
