"""A class of an author's from which the SDK makes instances: its schema, its secrets, and what is wrong with a value."""

import functools
import re
from collections.abc import Iterable, Iterator
from typing import Any

from attrs import frozen

from omni_connector.exceptions import ConfigurationError
from omni_connector.masking.rules import is_secret_name
from omni_connector.models.action_schema import SchemaCopier
from omni_connector.models.json_values import JsonValue
from omni_connector.typed.refusals import refusals
from omni_connector.typed.schema import Schema, UndeclarableTypeError, has_fields, schema_of, with_notes
from omni_connector.typed.values import UnusableValueError, converted, member_problems, require_convertible

SHORTEST_REPLACED = 4
"""Characters of a secret that is replaced; a message with a shorter one in it would become unreadable."""


@frozen
class TypedClass:
    """An attrs class, a dataclass or a TypedDict, made of JSON objects.

    Attributes:
        place: where it is declared, such as ``Notes.config``; for messages.
        name: what the whole is called in messages.
        prefix: what the paths of its keys begin with, such as ``credentials.``.
        takes_more: keys that it does not have are ignored.
        is_secret: messages show none of its values.
    """

    kind: type
    place: str
    name: str = "config"
    prefix: str = ""
    takes_more: bool = False
    is_secret: bool = False

    @functools.cached_property
    def schema(self) -> Schema:
        """The JSON Schema of what it is made of; secrets are ``writeOnly``.

        Raises:
            ConfigurationError: it has none; says what to declare instead.
        """
        name = getattr(self.kind, "__name__", str(self.kind))
        if not has_fields(self.kind):
            raise ConfigurationError(
                f"{self.place}: {name} is neither an attrs class nor a dataclass: put @attrs.define above the class."
            )
        try:
            require_convertible(self.kind)
            schema = schema_of(self.kind)
        except UndeclarableTypeError as error:
            raise ConfigurationError(f"{self.place}: {name}: {error}") from error
        except (NameError, TypeError) as error:
            raise ConfigurationError(
                f"{self.place}: an annotation of {name} cannot be read ({error}); use types that are imported or defined at the "
                "top of the module."
            ) from error
        made: Schema = _Strict(closed=not self.takes_more).schema(schema, "")
        return made

    @functools.cached_property
    def secret_names(self) -> frozenset[str]:
        """Names of the keys, at any depth, whose values are secret."""
        return frozenset(_secret_names(self.schema))

    def made_of(self, value: JsonValue, problems: list[str]) -> Any:
        """Return an instance made of a JSON object; add what is wrong with it to ``problems``, one line each."""
        problems += (mismatches := self.mismatches(value))
        if not isinstance(value, dict):
            return None
        if mismatches:
            refused = list(refusals(value, self.kind, self.name, self._members_of(mismatches)))
        else:
            try:
                return converted(value, self.kind, self.name)
            except UnusableValueError as error:
                refused = error.problems
        secrets = self._secrets_of(value)
        problems += [_without(self._with_prefix(each), secrets) for each in refused]
        return None

    def mismatches(self, value: JsonValue) -> list[str]:
        """Return what in ``value`` does not fit the schema, one line each."""
        if not isinstance(value, dict):
            return [f"{self.name}: an object by name is required"]
        return list(member_problems(value, self._strict, self.prefix))

    @functools.cached_property
    def _strict(self) -> Schema:
        made: Schema = _Strict(closed=not self.takes_more, all_secret=self.is_secret).schema(self.schema, "")
        return made

    def _members_of(self, problems: Iterable[str]) -> set[str]:
        """Return the names of the fields that problems are about."""
        return {re.split(r"[.:\[]", each.removeprefix(self.prefix), maxsplit=1)[0] for each in problems}

    def _with_prefix(self, problem: str) -> str:
        inside = problem.removeprefix(f"{self.name}.")
        return problem if inside == problem else f"{self.prefix}{inside}"

    def _secrets_of(self, value: JsonValue) -> list[str]:
        """Return the texts in it that no message may show, the longest first; also those that are too short to be masked."""
        found = set(_secret_texts(value, self._strict))
        return sorted(found, key=len, reverse=True)


class _Strict(SchemaCopier):
    """Copies a schema; objects take no other keys, and keys whose names say so are secret."""

    def __init__(self, *, closed: bool, all_secret: bool = False) -> None:
        self._closed = closed
        self._all_secret = all_secret

    def schema(self, value: JsonValue, path: str) -> JsonValue:
        """Return the schema at ``path``."""
        copy = super().schema(value, path)
        if not isinstance(copy, dict):
            return copy
        if self._closed and "properties" in copy:
            copy.setdefault("additionalProperties", False)
        alternatives = copy.get("anyOf", [copy])
        is_secret = (
            self._all_secret
            or any(each.get("writeOnly") for each in alternatives)
            or (
                any(each.get("type") == "string" for each in alternatives)
                and is_secret_name(path.rpartition(".")[2])
            )
        )
        if not is_secret or copy.get("writeOnly"):
            return copy
        copy.pop("default", None)
        return with_notes(copy, None, is_secret=True)

    def keeps_keyword(self, key: str, value: JsonValue) -> bool:
        """Keep all."""
        del key, value
        return True


def _secret_names(schema: Schema) -> Iterator[str]:
    for name, each in schema.get("properties", {}).items():
        if each.get("writeOnly"):
            yield name
    for each in _inner(schema):
        yield from _secret_names(each)


def _inner(schema: Schema) -> Iterator[Schema]:
    more = schema.get("additionalProperties")
    lists: Iterable[Any] = [*schema.get("anyOf", ()), *schema.get("prefixItems", ())]
    for each in (*schema.get("properties", {}).values(), *lists, schema.get("items"), more):
        if isinstance(each, dict):
            yield each


def _secret_texts(value: JsonValue, schema: Schema, *, inside: bool = False) -> Iterator[str]:
    inside = inside or schema.get("writeOnly") is True
    for each in schema.get("anyOf", ()):
        yield from _secret_texts(value, each, inside=inside)
    if isinstance(value, str):
        if inside and value:
            yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            each = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            yield from _secret_texts(item, each if isinstance(each, dict) else {}, inside=inside)
    elif isinstance(value, list):
        items = schema.get("items")
        for item in value:
            yield from _secret_texts(item, items if isinstance(items, dict) else {}, inside=inside)


def _without(text: str, secrets: Iterable[str]) -> str:
    """Return what an author's validator says without the secrets that it quotes."""
    path, colon, reason = text.partition(": ")
    for each in secrets:
        if len(each) >= SHORTEST_REPLACED:
            reason = reason.replace(each, "***")
        elif re.search(rf"(?<!\w){re.escape(each)}(?!\w)", reason):
            reason = "its value is refused"
    return f"{path}{colon}{reason}"
