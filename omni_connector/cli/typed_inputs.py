"""``--config``, ``--set`` and ``--credentials`` for a connector that declares classes for them."""

from collections.abc import Iterable
from typing import Any

from omni_connector.cli.inputs import put
from omni_connector.connector_base import ConnectorBase
from omni_connector.models.json_values import JsonValue
from omni_connector.typed.from_text import converted_texts, schema_at
from omni_connector.typed.schema import Schema
from omni_connector.typed.values import value_problems

Inputs = tuple[dict[str, Any], dict[str, Any] | None]


def typed_inputs(connector: ConnectorBase, inputs: Inputs, assignments: Iterable[tuple[str, str]]) -> Inputs:
    """Return configuration and credentials with texts converted to what the connector declares, where it declares anything.

    Args:
        connector: the connector.
        inputs: as they were read, without knowing the connector.
        assignments: ``--set``, as it was typed; it is in the configuration already.

    Raises:
        ConfigurationError: lists everything that is wrong in them, by path.
    """
    declared = connector.declared_types
    config, credentials = inputs
    if declared.config is not None:
        for key, text in dict(assignments).items():
            _put_text(config, key, text, declared.config.schema)
        config = converted_texts(config, declared.config.schema)
    if declared.credentials is not None and credentials is not None:
        credentials = converted_texts(credentials, declared.credentials.schema)
    # Without --credentials, the source may have some already: they are looked at when the sync starts.
    declared.only(config=True, credentials=credentials is not None).made_of(config, credentials)
    return config, credentials


def _put_text(config: dict[str, Any], key: str, text: str, schema: Schema) -> None:
    """Take a value as the text that was typed, where it was read as JSON and does not fit: ``--set version=1.10``."""
    value: JsonValue = config
    for name in key.split("."):
        if not isinstance(value, dict) or name not in value:
            return  # Another assignment has replaced it.
        value, schema = value[name], schema_at(schema, name)
    if not isinstance(value, str) and value_problems(value, schema, ""):
        put(config, key, text)
