"""Actions: what the manager asks for and what a connector answers."""

from typing import Any

from attrs import define, field, frozen

from omni_connector.awaitables import AwaitableValue
from omni_connector.models import fields
from omni_connector.models.codec import encode
from omni_connector.models.json_values import JsonValue
from omni_connector.models.model import HIDDEN, Model

SUCCESS = "success"
ERROR = "error"


@frozen(kw_only=True)
class ActionRequest(Model):
    """Body of ``POST /action`` (connector.openapi.yaml).

    Attributes:
        params: an object or None; the manager merges the source's config into it.
        credentials: a ServiceCredential row; from older managers the secrets alone; or None.
        source: the whole source row, or None before a source exists (transient actions).
        actor_email: address of the acting user, or None.
    """

    action: str
    params: dict[str, Any] | None = None
    credentials: Any = None
    source: Any = None
    actor_email: str | None = None


@define(kw_only=True)
class ActionHttpResponse:
    """An answer as HTTP, which ``execute_action`` may return; it reaches the manager as it is.

    Names of ``headers`` are in lower case; more may be added.
    """

    status_code: int
    headers: dict[str, str]
    body: bytes


@define(kw_only=True)
class ActionResponse(Model, AwaitableValue):
    """What an action answers.

    Attributes:
        status: ``success`` or ``error``.
        error: what went wrong, in words for the acting user.
        status_code: HTTP status of the answer, not part of its body.
    """

    status: str = field(validator=fields.one_of(SUCCESS, ERROR))
    result: JsonValue = None
    error: str | None = field(default=None, validator=fields.optional_text)
    status_code: int = field(default=200, metadata=HIDDEN)

    @classmethod
    def success(cls, result: JsonValue = None) -> "ActionResponse":
        """The action was done; ``result`` is any JSON value."""
        return cls(status=SUCCESS, result=result)

    @classmethod
    def failure(cls, error: str, *, status_code: int = 400) -> "ActionResponse":
        """The action failed, or its parameters are unusable."""
        return cls(status=ERROR, error=error, status_code=status_code)

    @classmethod
    def not_supported(cls, action: str) -> "ActionResponse":
        """The connector has no such action."""
        return cls(status=ERROR, error=f"Action not supported: {action}", status_code=404)

    def to_wire(self) -> dict[str, JsonValue]:
        """Return the JSON object that is sent."""
        return {"status": self.status, "result": self.result, "error": self.error}

    def to_response(self, status_code: int | None = None) -> ActionHttpResponse:
        """Return the answer as HTTP, for authors who want to add a header, or another status than ``self.status_code``.

        Raises:
            InvalidValueError: the result has no JSON form.
        """
        body = encode(self.to_wire())
        headers = {"content-type": "application/json", "content-length": str(len(body))}
        return ActionHttpResponse(
            status_code=self.status_code if status_code is None else status_code, headers=headers, body=body
        )
