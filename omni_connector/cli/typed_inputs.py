"""``--config``, ``--set`` and ``--credentials`` for a connector that declares classes for them."""

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from omni_connector.cli.inputs import put
from omni_connector.connector_base import ConnectorBase
from omni_connector.exceptions import ConfigurationError
from omni_connector.masking.rules import is_secret_name
from omni_connector.models.json_values import JsonValue
from omni_connector.typed.declared_types import DeclaredTypes
from omni_connector.typed.from_text import converted_texts, schema_at
from omni_connector.typed.schema import Schema
from omni_connector.typed.values import MISSING, NO_SUCH_KEY, REQUIRED_NOT, value_problems

Inputs = tuple[dict[str, Any], dict[str, Any] | None]


def typed_inputs(connector: ConnectorBase, inputs: Inputs, assignments: Iterable[tuple[str, str]]) -> Inputs:
    """Return configuration and credentials with texts converted to what the connector declares, where it declares anything.

    Args:
        connector: the connector.
        inputs: as they were read, without knowing the connector; credentials None where the source has none.
        assignments: ``--set``, as it was typed; it is in the configuration already.

    Raises:
        ConfigurationError: lists everything that is wrong in them, by path.
    """
    declared = connector.declared_types
    config, credentials = secret_settings_placed(declared, inputs)
    if declared.config is not None:
        schema = declared.config.schema
        config = converted_texts(texts_kept(config, assignments, schema), schema)
    if declared.credentials is not None and credentials is not None:
        credentials = converted_texts(credentials, declared.credentials.schema)
    try:
        declared.made_of(config, credentials or {})
    except ConfigurationError as error:
        remedies = _Remedies(declared, dict(assignments))
        raise ConfigurationError([remedies.added_to(each) for each in error.problems]) from error
    return config, credentials


def secret_settings_placed(declared: DeclaredTypes, inputs: Inputs) -> Inputs:
    """Return configuration and credentials, with secrets that belong to the former moved there.

    ``--secret`` and ``--credentials`` are the only ways to give one without typing it, also for a setting that is secret.
    Credentials of which nothing is left become None: none were given.
    """
    config, credentials = inputs
    if declared.config is None or not credentials:
        return inputs
    own = {} if declared.credentials is None else declared.credentials.schema["properties"]
    settings = declared.config.schema["properties"]
    moved = {key for key in credentials if key not in own and settings.get(key, {}).get("writeOnly")}
    if not moved:
        return inputs
    rest = {key: value for key, value in credentials.items() if key not in moved}
    return config | {key: credentials[key] for key in moved}, rest or None


def texts_kept(
    value: dict[str, Any], assignments: Iterable[tuple[str, str]], schema: Schema
) -> dict[str, Any]:
    """Return ``value`` with what was assigned as the text that was typed, where the JSON of it does not fit the schema."""
    for key, text in dict(assignments).items():
        _put_text(value, key, text, schema)
    return value


def missing_remedy(problem: str) -> str:
    """Return a problem with what to type, if it is that something is missing."""
    path, _, said = problem.partition(": ")
    if not said.endswith(MISSING) or "[" in path:
        return problem
    is_credential = path.startswith("credentials.")
    return f"{problem}: give {'it with --credentials FILE' if is_credential else f'--set {path}=...'}"


@frozen
class _Remedies:
    """Says in the words of the command line what to do about a problem with the settings."""

    declared: DeclaredTypes
    typed: Mapping[str, str]

    def added_to(self, problem: str) -> str:
        """Return the problem with its remedy, as far as there is one here."""
        path, _, said = problem.partition(": ")
        if path not in self.typed or said.endswith(MISSING):
            return missing_remedy(problem)
        credentials = self.declared.credentials
        if said.startswith(NO_SUCH_KEY) and credentials and path in credentials.schema["properties"]:
            return f"{path} is a credential: give it with --credentials FILE"
        expected, found, _ = said.partition(REQUIRED_NOT)
        if found and not self._is_secret(path.rpartition(".")[2]):
            return f"{path}: {expected}{found}{self.typed[path]}"
        return problem

    def _is_secret(self, name: str) -> bool:
        return is_secret_name(name) or name in self.declared.secret_names


def _put_text(config: dict[str, Any], key: str, text: str, schema: Schema) -> None:
    """Take a value as the text that was typed, where it was read as JSON and does not fit: ``--set version=1.10``."""
    value: JsonValue = config
    for name in key.split("."):
        if not isinstance(value, dict) or name not in value:
            return  # Another assignment has replaced it.
        value, schema = value[name], schema_at(schema, name)
    if isinstance(value, str) or not value_problems(value, schema, ""):
        return
    if not value_problems(converted_texts(text, schema), schema, ""):
        put(config, key, text)
