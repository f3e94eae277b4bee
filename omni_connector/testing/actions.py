"""Actions as their callers see them: through the manager, with the connector's answer byte for byte."""

import re
from email.message import Message
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Any

from attrs import field, frozen

from omni_connector.local import LocalManager
from omni_connector.models.codec import decode
from omni_connector.models.json_values import JsonValue

_UNUSUAL = re.compile(r"[^\w.() -]+")


@frozen(kw_only=True)
class ActionFile:
    """A file that an action has returned.

    Attributes:
        name: as the connector calls it, without folders and unusual characters; ``result`` where it has none.
        content_type: such as ``application/pdf``.
        content: the bytes.
    """

    name: str
    content_type: str
    content: bytes = field(repr=False)


@frozen(kw_only=True)
class ActionAnswer:
    """What the caller of an action gets.

    Attributes:
        status_code: HTTP status.
        headers: by name in lower case.
        body: the bytes.
    """

    status_code: int
    headers: dict[str, str] = field(repr=False)
    body: bytes

    def json(self) -> JsonValue:
        """Return the body as JSON.

        Raises:
            ValueError: it is not JSON.
        """
        return decode(self.body)

    @property
    def status(self) -> str | None:
        """``success`` or ``error`` of an ``ActionResponse``; None for other answers."""
        return _text(self._get("status"))

    @property
    def result(self) -> JsonValue:
        """The result of an ``ActionResponse``; None for other answers."""
        return self._get("result")

    @property
    def is_error(self) -> bool:
        """Whether the action was refused, or has failed."""
        return self.status_code >= HTTPStatus.BAD_REQUEST or self.status == "error"

    @property
    def file(self) -> ActionFile | None:
        """The file that the action has returned; None for an ``ActionResponse`` and for errors."""
        headers = Message()
        headers["Content-Type"] = self.headers.get("content-type", "application/octet-stream")
        headers["Content-Disposition"] = self.headers.get("content-disposition", "attachment")
        content_type = headers.get_content_type()
        if self.is_error or (content_type == "application/json" and self.status is not None):
            return None
        name = PurePosixPath((headers.get_filename() or "").replace("\\", "/")).name
        return ActionFile(
            name=_UNUSUAL.sub("_", name).lstrip(".") or "result", content_type=content_type, content=self.body
        )

    @property
    def error(self) -> str | None:
        """What went wrong, in the connector's words, or the manager's when it refused the call; else None."""
        return _text(self._get("error"))

    def _get(self, key: str) -> Any:
        try:
            value = self.json()
        except ValueError:
            return None
        return value.get(key) if isinstance(value, dict) else None


def post_action(
    manager: LocalManager, source_id: str, action: str, params: JsonValue, actor_email: str | None
) -> ActionAnswer:
    """Ask the manager to run an action of a registered connector (manager.openapi.yaml, ``POST /action``)."""
    request = {"source_id": source_id, "action": action, "params": params}
    if actor_email is not None:
        request["user_id"] = manager.add_user(actor_email).id
    answer = manager.app.test_client().post("/action", json=request)
    headers = {name.lower(): value for name, value in answer.headers}
    return ActionAnswer(status_code=answer.status_code, headers=headers, body=answer.data)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
