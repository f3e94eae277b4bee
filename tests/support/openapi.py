"""The protocol's own documents, to hold what travels against them."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml

PROTOCOL = Path(__file__).resolve().parents[2] / "docs" / "protocol"


@functools.cache
def document(side: str) -> dict[str, Any]:
    """Return the parsed document of ``manager`` or ``connector``."""
    return yaml.safe_load((PROTOCOL / f"{side}.openapi.yaml").read_text(encoding="utf-8"))


def problems(side: str, schema: str, value: Any) -> list[str]:
    """Return what keeps ``value`` from being a ``schema`` of that side's document; empty when nothing does."""
    return [error.message for error in _validator(side, schema).iter_errors(value)]


def response_problems(method: str, path: str, status: int, body: Any) -> list[str]:
    """Return what is wrong with a JSON answer of the connector to ``method path``, a template of its document."""
    operation = document("connector")["paths"][path][method]
    documented = operation["responses"].get(str(status))
    if documented is None:
        return [f"{method} {path}: status {status} is not documented"]
    schema = resolved(documented, "connector")["content"]["application/json"]["schema"]
    whole = {**schema, "components": document("connector")["components"]}
    validator = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
    return [error.message for error in validator.iter_errors(body)]


@functools.cache
def _validator(side: str, schema: str) -> jsonschema_rs.Draft202012Validator:
    whole = {"$ref": f"#/components/schemas/{schema}", "components": document(side)["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def request_problems(method: str, path: str, body: Any) -> list[str]:
    """Return what is wrong with a JSON request to the manager; its path is matched with the documented ones."""
    for template, operations in document("manager")["paths"].items():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path) and method.lower() in operations:
            operation = operations[method.lower()]
            break
    else:
        return [f"{method} {path} is not documented"]
    if "requestBody" not in operation:
        return []
    whole = {**resolved(operation["requestBody"], "manager")["content"]["application/json"]["schema"]}
    whole["components"] = document("manager")["components"]
    validator = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
    return [error.message for error in validator.iter_errors(body)]


def resolved(part: dict[str, Any], side: str) -> dict[str, Any]:
    """Follow a reference to a request body or a response."""
    if "$ref" not in part:
        return part
    found: Any = document(side)
    for step in part["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found
