"""The classes that a connector declares for its sources: settings, credentials, and the state of its runs."""

import functools
import inspect
import typing
from collections.abc import Mapping
from typing import Any

from attrs import evolve, frozen

from omni_connector.exceptions import ConfigurationError
from omni_connector.models.json_values import JsonValue
from omni_connector.typed.schema import Schema
from omni_connector.typed.state_class import StateClass
from omni_connector.typed.typed_class import TypedClass

OF_THE_MANAGER = ("read_only", "user_filter_mode", "user_whitelist", "user_blacklist", "approve_deletions")
"""Keys in a source's settings that the manager reads, or that it has beside them (PROTOCOL, sections 14 and 16), and the one
with which an operator approves deletions (docs/how-to/deletions.md)."""


@frozen
class DeclaredTypes:
    """What was declared; None where authors are given dicts as they are."""

    config: TypedClass | None = None
    credentials: TypedClass | None = None
    state: StateClass | None = None

    @classmethod
    def of(cls, kind: type, base: type) -> "DeclaredTypes":
        """Return what a class declares: by ``Base[Settings, Token, State]``, or by attributes, which count more."""
        names = ("config", "credentials", "state")
        given = dict(zip(names, type_arguments(kind, base), strict=True))
        for name in names:
            attribute = inspect.getattr_static(kind, name, None)
            if isinstance(attribute, type):
                given[name] = attribute
        place = kind.__name__
        config, credentials, state = (_declared(each) for each in given.values())
        return cls(
            None if config is None else _of_config(config, place),
            None if credentials is None else _of_credentials(credentials, place),
            None
            if state is None
            else StateClass(TypedClass(state, f"{place}.state", name="state", prefix="state.")),
        )

    def only(self, *, config: bool, credentials: bool) -> "DeclaredTypes":
        """Return those of them that are wanted, so that nothing is said about the others."""
        return evolve(
            self,
            config=self.config if config else None,
            credentials=self.credentials if credentials else None,
        )

    def require_usable(self) -> None:
        """Look whether values can be made into the classes.

        Raises:
            ConfigurationError: lists everything that is wrong with them.
        """
        problems: list[str] = []
        for each in (self.config, self.credentials, None if self.state is None else self.state.typed):
            try:
                if each is not None:
                    each.schema  # noqa: B018 - made when it is asked for.
            except ConfigurationError as error:
                problems += error.problems
        if problems:
            raise ConfigurationError(problems)

    def made_of(self, config: JsonValue, credentials: JsonValue) -> tuple[Any, Any]:
        """Return what authors are given for these JSON values: instances of what was declared, the others as they are.

        Raises:
            ConfigurationError: lists everything that is wrong in both, a line each, by path, without secrets.
        """
        problems: list[str] = []
        if self.config is not None:
            config = self.config.made_of(_without_the_managers(config, self.config), problems)
        if self.credentials is not None:
            credentials = self.credentials.made_of(credentials, problems)
        if problems:
            raise ConfigurationError(problems)
        return config, credentials

    def state_of(self, saved: JsonValue) -> Any:
        """Return what authors are given for a saved state.

        Raises:
            ConfigurationError: it does not fit the declared class.
        """
        return saved if self.state is None else self.state.loaded(saved)

    def states_of(self, saved: JsonValue) -> Any:
        """As ``state_of``, of the partitions' states by key."""
        if self.state is None or not isinstance(saved, Mapping):
            return saved
        return {key: self.state.loaded(each) for key, each in saved.items()}

    @functools.cached_property
    def secret_names(self) -> frozenset[str]:
        """Names of settings, at any depth, whose values are secret."""
        return frozenset() if self.config is None else self.config.secret_names

    @property
    def schemas(self) -> dict[str, Schema]:
        """JSON Schemas of ``config`` and ``credentials``, as far as they are declared."""
        declared = {"config": self.config, "credentials": self.credentials}
        return {name: each.schema for name, each in declared.items() if each is not None}

    @property
    def announced(self) -> dict[str, Schema]:
        """The same under the names by which ``GET /manifest`` and ``omni-connector manifest`` show them."""
        return {f"{name}_schema": schema for name, schema in self.schemas.items()}


def _without_the_managers(config: JsonValue, declared: TypedClass) -> JsonValue:
    own = declared.schema["properties"]
    if not isinstance(config, Mapping):
        return config
    return {name: each for name, each in config.items() if name in own or name not in OF_THE_MANAGER}


def _declared(given: Any) -> Any:
    """Return the class that was given; None for what leaves dicts as they are."""
    is_class = isinstance(given, (type, typing.ForwardRef)) and typing.get_origin(given) is None
    return given if is_class and given not in {Any, object, dict} else None


def _of_config(kind: Any, place: str) -> TypedClass:
    return TypedClass(kind, f"{place}.config", takes_more=getattr(kind, "takes_other_keys", False) is True)


def _of_credentials(kind: Any, place: str) -> TypedClass:
    # The manager keeps what an OAuth provider has sent beside the tokens.
    return TypedClass(
        kind,
        f"{place}.credentials",
        name="credentials",
        prefix="credentials.",
        takes_more=True,
        is_secret=True,
    )


def type_arguments(kind: type, base: type) -> tuple[Any, ...]:
    """Return what a class gives for the type parameters of its ``base``; a type variable where it gives nothing."""
    if kind is base:
        return tuple(base.__parameters__)  # type: ignore[attr-defined]  # It is generic.
    for parent in vars(kind).get("__orig_bases__", kind.__bases__):
        origin = typing.get_origin(parent) or parent
        if isinstance(origin, type) and issubclass(origin, base):
            names: tuple[object, ...] = getattr(origin, "__parameters__", ())
            given = dict(zip(names, typing.get_args(parent), strict=False))
            return tuple(
                given.get(each, each) if isinstance(each, typing.TypeVar) else each
                for each in type_arguments(origin, base)
            )
    return tuple(base.__parameters__)  # type: ignore[attr-defined]  # As above.
