"""Forms made from JSON Schemas: the fields to show, the JSON values that come back, and what is wrong with them."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import evolve, field, frozen

from omni_connector.console.hidden_values import properties_of, without_null
from omni_connector.masking.rules import is_secret_name
from omni_connector.models.json_values import JsonValue
from omni_connector.typed.from_text import converted_texts
from omni_connector.typed.schema import Schema
from omni_connector.typed.values import member_problems

REMOVE = ".remove"
"""Ends the name of the box that removes a stored secret."""

_INDEX = re.compile(r"\[\d+\]")
_ACRONYMS = {
    "api",
    "dsn",
    "http",
    "id",
    "ids",
    "imap",
    "ip",
    "json",
    "sql",
    "ssl",
    "tls",
    "uri",
    "url",
    "urls",
}
_SCALARS = {"string", "integer", "number", "boolean"}


@frozen(kw_only=True)
class FormField:
    """One field, as the macro ``ui.fields`` shows it.

    Attributes:
        name: of the input.
        path: of the value, such as ``deep.inner``; problems begin with it.
        label: what people read.
        description: what it is, or None.
        kind: ``text``, ``number``, ``date``, ``flag``, ``choice``, ``lines``, ``json``, ``secret`` or ``group``.
        required: it has no default.
        text: what is in the input.
        choices: of a ``choice``: value and label.
        hint: what is taken without it, or how it is written.
        is_set: a secret is stored.
        error: what is wrong with it, or None.
        fields: of a ``group``.
    """

    name: str
    path: str
    label: str
    description: str | None
    kind: str
    required: bool
    text: str = ""
    choices: list[tuple[str, str]] = field(factory=list)
    hint: str = ""
    is_set: bool = False
    error: str | None = None
    fields: "list[FormField]" = field(factory=list)


@frozen
class SchemaForm:
    """The form of an object.

    Attributes:
        schema: of the object; must not have references.
        prefix: what the names of inputs begin with.
        place: what the paths of problems begin with, such as ``credentials.``.
    """

    schema: Schema
    prefix: str = ""
    place: str = ""

    def fields(self, value: Mapping[str, Any], problems: Iterable[str] = ()) -> list[FormField]:
        """Return the fields for a value, each with its problem."""
        found = list(self._fields(self.schema, value, ""))
        return _with_errors(found, list(problems))

    def read(self, form: Mapping[str, str], former: Mapping[str, Any]) -> dict[str, JsonValue]:
        """Return the value that was typed. What has no field, and secrets that were left empty, are as they were."""
        value: dict[str, JsonValue] = {
            name: each for name, each in former.items() if name not in properties_of(self.schema)
        }
        value |= self._read(self.schema, form, former, "")
        made = converted_texts(value, self.schema)
        return made if isinstance(made, dict) else value

    def problems(self, value: dict[str, JsonValue]) -> list[str]:
        """Return what is wrong with a value, a line each, in the words of the command line."""
        return list(member_problems(value, self.schema, self.place))

    def unmatched(self, problems: Iterable[str]) -> list[str]:
        """Return the problems that are shown at none of the fields."""
        paths = set(_paths(self.schema, self.place))
        return [each for each in problems if _place_of(each, paths) is None]

    def _fields(self, schema: Schema, value: Mapping[str, Any], path: str) -> Iterator[FormField]:
        for name, declared in properties_of(schema).items():
            each, is_optional = without_null(declared)
            inner = f"{path}{name}"
            stored, is_stored = value.get(name), name in value
            kind = _kind(name, each, is_optional=is_optional)
            shown = stored if is_stored else each.get("default")
            common: dict[str, Any] = {
                "name": f"{self.prefix}{inner}",
                "path": f"{self.place}{inner}",
                "label": each.get("title") or _label_of(name),
                "description": declared.get("description") or each.get("description"),
                "required": name in schema.get("required", ()),
                "kind": kind,
            }
            if kind == "group":
                members = stored if isinstance(stored, dict) else {}
                yield FormField(**common, fields=list(self._fields(each, members, f"{inner}.")))
            elif kind == "secret":
                yield FormField(**common, is_set=is_stored and stored not in ("", None))
            else:
                yield FormField(
                    **common,
                    text=_text(kind, shown if kind in {"flag", "choice"} else stored),
                    choices=_choices(each, is_optional=not common["required"]) if kind == "choice" else [],
                    hint=_hint(kind, each),
                )

    def _read(
        self, schema: Schema, form: Mapping[str, str], former: Mapping[str, Any], path: str
    ) -> dict[str, JsonValue]:
        value: dict[str, JsonValue] = {}
        for name, declared in properties_of(schema).items():
            each, is_optional = without_null(declared)
            inner = f"{path}{name}"
            is_kept = name in former or name in schema.get("required", ())
            if _kind(name, each, is_optional=is_optional) == "group":
                stored = former.get(name)
                typed: Any = self._read(each, form, stored if isinstance(stored, dict) else {}, f"{inner}.")
                typed = typed or ({} if is_kept else None)
            else:
                typed = _typed(_Input(form, f"{self.prefix}{inner}"), name, declared, former.get(name))
                without = each.get("default", False if typed is False else None)
                if not is_kept and typed in (without, _text("choice", without)):
                    typed = None  # Left as it is without it.
            if typed is not None:
                value[name] = typed
        return value


@frozen
class _Input:
    """What came for one field."""

    form: Mapping[str, str]
    name: str

    @property
    def text(self) -> str:
        return self.typed.strip()

    @property
    def typed(self) -> str:
        """The text with the spaces around it."""
        return self.form.get(self.name, "").replace("\r\n", "\n")

    @property
    def is_there(self) -> bool:
        return self.name in self.form

    @property
    def is_to_be_removed(self) -> bool:
        return f"{self.name}{REMOVE}" in self.form


def _typed(given: _Input, name: str, schema: Schema, stored: Any) -> JsonValue:
    """Return what was typed into a field, as text where it can be; None where it was left empty."""
    each, is_optional = without_null(schema)
    kind = _kind(name, each, is_optional=is_optional)
    if kind == "flag":
        return given.is_there
    if kind == "secret":
        return given.typed.rstrip("\n") or (None if given.is_to_be_removed else stored)
    if kind == "text":
        return given.typed or None
    if kind == "lines":
        return [line.strip() for line in given.text.split("\n") if line.strip()] or None
    return _json_or_text(given.text) if kind == "json" and given.text else given.text or None


def _kind(name: str, schema: Schema, *, is_optional: bool) -> str:  # noqa: PLR0911 - one line a kind.
    kind = schema.get("type")
    if "properties" in schema and not is_optional:
        return "group"
    if schema.get("writeOnly") or (kind == "string" and is_secret_name(name)):
        return "secret"
    if "enum" in schema:
        return "choice"
    if kind == "boolean":
        return "choice" if is_optional else "flag"
    if kind in {"integer", "number"}:
        return "number"
    if kind == "string":
        return "date" if schema.get("format") == "date" else "text"
    if kind == "array":
        items = schema.get("items", {})
        return "lines" if items.get("type") in _SCALARS else "json"
    alternatives = schema.get("anyOf", ())
    if alternatives and all(each.get("type") in _SCALARS for each in alternatives):
        return "text"
    return "json"


def _label_of(name: str) -> str:
    """Return ``Base URL`` for ``base_url``."""
    words = [each.upper() if each in _ACRONYMS else each for each in name.replace("_", " ").split()]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


def _text(kind: str, value: JsonValue) -> str:
    if value is None or (kind == "flag" and value is False):
        return ""
    if kind == "lines" and isinstance(value, list):
        return "\n".join(
            each if isinstance(each, str) else json.dumps(each, ensure_ascii=False) for each in value
        )
    if isinstance(value, str) and kind != "json":
        return value
    return json.dumps(value, ensure_ascii=False, indent=2 if kind == "json" else None)


def _choices(schema: Schema, *, is_optional: bool) -> list[tuple[str, str]]:
    values = schema.get("enum", [True, False])
    shown = [(each if isinstance(each, str) else json.dumps(each), _label(each)) for each in values]
    return shown if "default" in schema or not is_optional else [("", "Not set"), *shown]


def _label(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    return "None" if value is None else str(value)


def _hint(kind: str, schema: Schema) -> str:
    default = schema.get("default")
    if kind in {"flag", "choice"}:
        return ""
    written = {"lines": "One per line.", "json": "As JSON."}.get(kind, "")
    if schema.get("format") == "date-time":
        written = "Such as 2026-01-31T09:00:00Z."
    text = _text(kind, default).replace("\n", ", ")
    without = f"Without it: {text}." if text else ""
    return " ".join(each for each in (written, without) if each)


def _json_or_text(text: str) -> JsonValue:
    """Return decoded JSON; text that is none stays text, so that the schema's check names the field."""
    try:
        made: JsonValue = json.loads(text)
    except ValueError:
        return text
    return made


def _paths(schema: Schema, place: str) -> Iterator[str]:
    for name, declared in properties_of(schema).items():
        each, is_optional = without_null(declared)
        if _kind(name, each, is_optional=is_optional) == "group":
            yield from _paths(each, f"{place}{name}.")
        else:
            yield f"{place}{name}"


def _place_of(problem: str, paths: Iterable[str]) -> str | None:
    """Return the path of the field at which a problem is shown: its own, or that of the value that contains it."""
    path, colon, _ = problem.partition(": ")
    if not colon:
        return None
    where = _INDEX.sub("", path)
    fitting = [each for each in paths if where == each or where.startswith(f"{each}.")]
    return max(fitting, key=len, default=None)


def _with_errors(fields: list[FormField], problems: list[str]) -> list[FormField]:
    paths = [each.path for each in _leaves(fields)]
    errors: dict[str, list[str]] = {}
    for problem in problems:
        found = _place_of(problem, paths)
        if found is not None:
            path, _, said = problem.partition(": ")
            errors.setdefault(found, []).append(said if path == found else problem)
    return [_with_error(each, errors) for each in fields]


def _with_error(each: FormField, errors: Mapping[str, list[str]]) -> FormField:
    if each.kind == "group":
        return evolve(each, fields=[_with_error(inner, errors) for inner in each.fields])
    said = errors.get(each.path)
    return evolve(each, error="; ".join(said)) if said else each


def _leaves(fields: Iterable[FormField]) -> Iterator[FormField]:
    for each in fields:
        if each.kind == "group":
            yield from _leaves(each.fields)
        else:
            yield each
