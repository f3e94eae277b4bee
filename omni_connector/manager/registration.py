"""Announces a connector to a manager of any age, and says what is wrong where that fails."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from attrs import frozen

from omni_connector.exceptions import NotFoundError, SdkClientError, UnsupportedByManagerError
from omni_connector.manager import endpoints, refusals
from omni_connector.manager.calls import Call
from omni_connector.manager.compatibility import Compatibility, Feature
from omni_connector.manager.sessions import without_secrets
from omni_connector.models.json_values import JsonValue
from omni_connector.models.manifest import BUILT_IN_SOURCE_TYPES

NO_REGISTRATION = (
    "{operation}: this manager is older than 23 March 2026 and takes no registrations. Tell it this connector's address "
    "(CONNECTOR_GOOGLE_URL, CONNECTOR_WEB_URL, ...); it reads GET /manifest by itself"
)
NOT_A_MANAGER = (
    "what answers at {url} is not the connector-manager ({found}). Set CONNECTOR_MANAGER_URL to the manager's address, "
    "such as http://connector-manager:8090"
)
NO_MANAGER = "404 to POST /sdk/register, and GET /health does not answer as a manager does"


@frozen
class Registration:
    """Registers one connector.

    Attributes:
        do: makes a call.
        compatibility: what the manager lacks.
        manager_url: its address.
    """

    do: Callable[[Call[Any]], Any]
    compatibility: Compatibility
    manager_url: str

    def send(self, manifest: dict[str, JsonValue]) -> None:
        """Register it, without the source types that the manager does not know.

        Raises:
            UnsupportedByManagerError: the manager takes no registrations.
            NotFoundError: what answers is no manager.
        """
        try:
            self.do(endpoints.register(self._registrable(manifest)))
        except SdkClientError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                raise self._not_registered(error) from error
            known = self.compatibility.lacks(Feature.SOURCE_TYPES)
            found = self.compatibility.note_unknown(error)
            if known or found is not Feature.SOURCE_TYPES:
                raise
            self.do(endpoints.register(self._registrable(manifest)))
            return
        self.compatibility.forget()

    def _not_registered(self, error: SdkClientError) -> SdkClientError:
        """Tell an old manager from an address at which there is no manager: both answer 404."""
        try:
            answer = self.do(endpoints.health())
        except SdkClientError:
            answer = None
        if answer == {"status": "healthy"}:
            message = NO_REGISTRATION.format(operation=error.operation)
            return refusals.as_kind(UnsupportedByManagerError, error, message)
        found = NO_MANAGER
        if isinstance(answer, dict) and answer.get("status") == "healthy" and "service" in answer:
            found = f"it is the connector {answer['service']!r}"
        url = without_secrets(self.manager_url)
        return refusals.as_kind(NotFoundError, error, NOT_A_MANAGER.format(url=url, found=found))

    def _registrable(self, manifest: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """Leave out the source types that the manager does not know, unless none would remain."""
        if not self.compatibility.lacks(Feature.SOURCE_TYPES):
            return manifest
        known = [name for name in manifest.get("source_types") or () if name in BUILT_IN_SOURCE_TYPES]
        return {**manifest, "source_types": known} if known else manifest
