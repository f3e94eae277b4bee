"""Records that authors read as dicts or by attributes: a source's row, a parameter of an old action declaration.

They are dicts, because that is what travels; connectors written for an SDK with pydantic models read ``source.config``.
"""

import copy
from collections.abc import Mapping
from typing import Any, ClassVar, Self


class Record(dict[str, Any]):
    """A dict whose keys may also be read and set as attributes."""

    __slots__ = ()

    lacking: ClassVar[Mapping[str, Any]] = {}
    """Attributes of records that do not have the key."""

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        if name in self.lacking:
            return self.lacking[name]
        known = ", ".join(sorted(self)) or "nothing"
        raise AttributeError(f"{type(self).__name__} has no {name!r}; it has {known}", name=name, obj=self)

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def model_dump(self, *, exclude_none: bool = False, **_options: Any) -> dict[str, Any]:
        """Return a plain dict with copies of what the record holds."""
        dumped: dict[str, Any] = copy.deepcopy(dict(self))
        return {key: value for key, value in dumped.items() if value is not None or not exclude_none}

    @classmethod
    def model_validate(cls, obj: Mapping[str, Any]) -> Self:
        """Return ``obj`` as such a record."""
        return obj if isinstance(obj, cls) else cls(obj)


class Source(Record):
    """A source's row (manager.openapi.yaml, Source), as ``execute_action`` gets it.

    Attributes:
        id: of the source.
        name: for people.
        source_type: such as ``web``.
        config: its settings.
        is_active: whether it is synced.
        is_deleted: whether it is about to be removed.
        scope: ``org`` or ``user``.
        created_by: id of the user who made it.
        created_at: RFC 3339 text, with a six-digit year (PROTOCOL, section 19).
        updated_at: the same.
        user_filter_mode: ``all``, ``whitelist`` or ``blacklist``; ``user_whitelist`` and ``user_blacklist`` beside it.
        connector_state: durable notes of the source, or None.
        checkpoint: the last published one, or None.
    """

    __slots__ = ()

    lacking: ClassVar[Mapping[str, Any]] = {
        "user_filter_mode": "all",
        "user_whitelist": None,
        "user_blacklist": None,
        "connector_state": None,
        "checkpoint": None,
        "sync_interval_seconds": None,
    }


class ActionParameter(Record):
    """A parameter, as actions declared them before March 2026: ``parameters={"query": ActionParameter(...)}``.

    Attributes:
        type: of the JSON value, such as ``string``.
        required: whether the action needs it.
        description: what it is; left out unless given.
    """

    __slots__ = ()

    lacking: ClassVar[Mapping[str, Any]] = {"type": "string", "required": False, "description": None}
