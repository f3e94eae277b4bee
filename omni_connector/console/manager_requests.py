"""What pages ask of the manager as any of its callers does: the answers of connectors come through it."""

from http import HTTPStatus
from typing import Any

from attrs import frozen

from omni_connector.console.page import console
from omni_connector.models.json_values import JsonValue


@frozen
class Asked:
    """The answer to a request.

    Attributes:
        value: what was answered, decoded; None for an error.
        error: why there is none, or None.
    """

    value: JsonValue = None
    error: str | None = None


def ask(path: str, body: dict[str, JsonValue]) -> Asked:
    """Send a POST to the manager, such as ``/skill``."""
    answer = console().manager.app.test_client().post(path, json=body)
    found: Any = answer.get_json(silent=True)
    if answer.status_code < HTTPStatus.BAD_REQUEST:
        return Asked(found)
    said = found.get("error") if isinstance(found, dict) else None
    return Asked(
        error=str(said or answer.get_data(as_text=True) or f"The manager answered {answer.status_code}.")
    )
