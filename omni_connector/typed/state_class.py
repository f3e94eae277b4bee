"""A class of an author's that states are kept in: what is saved of an instance, and how an older state becomes one."""

import functools
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from omni_connector.exceptions import ConfigurationError, InvalidValueError
from omni_connector.models.codec import checkpoint_of
from omni_connector.models.json_values import JsonValue
from omni_connector.typed.schema import has_fields
from omni_connector.typed.typed_class import TypedClass
from omni_connector.typed.values import unstructured

VERSION_KEY = "state_version"
"""Where a saved state says of which version of its class it is, if that has versions."""

AGAIN = "A full run starts without it where the connector lists incremental in sync_modes."


@frozen
class StateClass:
    """An attrs class or a dataclass for states.

    Its ``version``, a class variable, is saved with each state; without one, states have no version. ``migrate(old, version)``, a
    class method, is given the fields of an older state and its version (0 for one without), and returns the fields of now, an
    instance, or None to begin anew.
    """

    typed: TypedClass

    def loaded(self, saved: JsonValue) -> Any:
        """Return the instance that a saved state was made of; None stays None.

        Raises:
            ConfigurationError: it does not fit; says where, and what to do.
        """
        if saved is None:
            return None
        if not isinstance(saved, Mapping):
            raise ConfigurationError(f"{self._name}: the saved state is no object by name. {AGAIN}")
        fields = dict(saved)
        version = self._version
        if version is not None:
            found = fields.pop(VERSION_KEY, 0)
            if not isinstance(found, int) or found > version:
                raise ConfigurationError(
                    f"{self._name}: the saved state is of version {found!r}, and this connector knows versions up to {version}: a "
                    "newer release has saved it. Deploy that release again, or a later one."
                )
            if found < version:
                return self._migrated(fields, found)
        return self._made_of(fields, "as it was saved")

    def _migrated(self, fields: dict[str, JsonValue], found: int) -> Any:
        migrate = getattr(self.typed.kind, "migrate", None)
        if migrate is None:
            raise ConfigurationError(
                f"{self._name}: the saved state is of version {found}, and the class of version {self._version}: give it a "
                "@classmethod migrate(cls, old, version) that returns the fields of now, or None to begin anew."
            )
        try:
            new = migrate(fields, found)
        except Exception as error:  # Of the author's, about a state that was not expected.
            raise ConfigurationError(
                f"{self._name}.migrate failed on the saved state of version {found}: {type(error).__name__}: {error}. Fix it, or let "
                "it return None to begin anew."
            ) from error
        if new is None or isinstance(new, self.typed.kind):
            return new
        if not isinstance(new, Mapping):
            raise ConfigurationError(
                f"{self._name}.migrate returned {type(new).__name__}: return a dict of the fields of now, an instance, or None "
                "to begin anew."
            )
        return self._made_of(dict(new), f"as migrate has made it of version {found}")

    def _made_of(self, fields: dict[str, JsonValue], how: str) -> Any:
        problems: list[str] = []
        made = self.typed.made_of(fields, problems)
        if problems:
            remedy = f"Raise {self._name}.version and convert older states in migrate(). {AGAIN}"
            raise ConfigurationError(
                [f"{self._name}: the state, {how}, does not fit the class. {remedy}", *problems]
            )
        return made

    @property
    def _version(self) -> int | None:
        return version_of(self.typed.kind)

    @property
    def _name(self) -> str:
        return self.typed.kind.__name__


def plain_state(state: Any) -> Any:
    """Return what is saved of an instance of a state class; anything else is returned as it is.

    Raises:
        InvalidValueError: a field holds what could not be read again.
    """
    kind: Any = type(state)
    if isinstance(state, Mapping) or not has_fields(kind):
        return state
    try:
        plain = unstructured(state)
    except (AttributeError, TypeError, ValueError) as error:
        remedy = f"give each field a value of the type that it declares ({error})"
        raise InvalidValueError(model=kind.__name__, field="state", value=kind, remedy=remedy) from error
    fields = checkpoint_of(plain, name=kind.__name__)
    problems = _for_saving(kind).mismatches(fields)
    if problems:
        path, _, remedy = problems[0].partition(": ")
        raise InvalidValueError(model=kind.__name__, field=path, value=kind, remedy=remedy)
    version = version_of(kind)
    return fields if version is None else {**fields, VERSION_KEY: version}


@functools.cache
def _for_saving(kind: Any) -> TypedClass:
    return TypedClass(kind, place=kind.__name__, name="state")


def version_of(kind: type) -> int | None:
    """Return the version of a state class, a class variable, or None where it has none."""
    version = getattr(kind, "version", None)
    is_field = "version" in _for_saving(kind).schema["properties"]
    return version if isinstance(version, int) and not is_field else None
