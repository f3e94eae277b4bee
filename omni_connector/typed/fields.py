"""Fields of settings classes with more to say than a type: a description, and that the value is secret.

``setting()`` and ``secret()`` stand in attrs classes and in dataclasses, or in ``Annotated[str, secret()]``.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import attrs

SECRET = "omni_connector.secret"  # noqa: S105 - the name of a note, not a password.
DESCRIPTION = "description"
"""Keys of a field's metadata; ``description`` may also be given by ``metadata=`` of attrs and dataclasses."""

_AttrsField: Any = type(attrs.field())


class DeclaredField(_AttrsField):  # type: ignore[misc]  # attrs gives its class no name.
    """A field of an attrs class. A dataclass asks the class for its defaults, and gets a field of its own kind."""

    __slots__ = ()
    __class__ = _AttrsField  # attrs takes a field by this, and not by isinstance.

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        default = {} if self._default is attrs.NOTHING else {"default": self._default}
        if isinstance(self._default, attrs.Factory):  # type: ignore[arg-type]  # Typed as a function, but is a class.
            default = {"default_factory": self._default.factory}  # pyright: ignore[reportAttributeAccessIssue]  # As above.
        return dataclasses.field(repr=self.repr, metadata=self.metadata, **default)


def setting(
    description: str | None = None, *, default: Any = attrs.NOTHING, factory: Callable[[], Any] | None = None
) -> Any:
    """Return a field of a settings class, with a description for forms and for the command line.

        @attrs.define  # or @dataclasses.dataclass
        class Settings:
            folder: str = setting("Folder that is read.")
            include: list[str] = setting("Names of files.", factory=lambda: ["*.md"])

    Args:
        description: what it is; a docstring's ``Attributes:`` section and ``Annotated[str, "..."]`` say it as well.
        default: its value where the source has none; without a default or a factory it is required.
        factory: makes that value, for lists and dicts.
    """
    return _field(description, default, factory, is_secret=False)


def secret(
    description: str | None = None, *, default: Any = attrs.NOTHING, factory: Callable[[], Any] | None = None
) -> Any:
    """Return a field as ``setting()`` does, whose value is masked in logs and errors, and typed blindly in forms."""
    return _field(description, default, factory, is_secret=True)


def notes_of(metadata: Mapping[Any, Any]) -> tuple[str | None, bool]:
    """Return the description in a field's metadata, and whether the field is secret."""
    description = metadata.get(DESCRIPTION)
    return description if isinstance(description, str) else None, metadata.get(SECRET) is True


def _field(
    description: str | None, default: Any, factory: Callable[[], Any] | None, *, is_secret: bool
) -> Any:
    notes = ({DESCRIPTION: description} if description else {}) | ({SECRET: True} if is_secret else {})
    field: Any = attrs.field(default=default, factory=factory, repr=not is_secret, metadata=notes)
    field.__class__ = DeclaredField
    return field
