"""The table of what is covered cannot rot: it is as the documents are, and every test that it names exists."""

from __future__ import annotations

import pytest
from support.exchanges import all_operations
from support.openapi import document
from support.protocol_coverage import (
    OPERATION_TESTS,
    SCHEMA_TESTS,
    SIDES,
    TABLE,
    fields_of,
    missing_tests,
    render,
)

HOW = "docs/reference/protocol-coverage.md is out of date: type `make protocol-coverage`"


def test_the_table_is_up_to_date():
    assert TABLE.read_text(encoding="utf-8") == render(), HOW


def test_every_test_that_it_names_exists():
    assert missing_tests() == []


def test_every_operation_has_tests():
    known = {name for side in SIDES for name in all_operations(side)}
    assert set(OPERATION_TESTS) == known
    assert all(OPERATION_TESTS.values())


def test_no_tests_are_named_for_schemas_that_are_gone():
    known = {name for side in SIDES for name in document(side)["components"]["schemas"]}
    assert set(SCHEMA_TESTS) <= known


def properties(part):
    """Count what stands under ``properties`` anywhere in a document, by another way than the table is made."""
    if isinstance(part, list):
        return sum(properties(item) for item in part)
    if not isinstance(part, dict):
        return 0
    own = part.get("properties")
    count = len(own) if isinstance(own, dict) and all(isinstance(one, dict) for one in own.values()) else 0
    return count + sum(properties(item) for item in part.values())


@pytest.mark.parametrize("side", SIDES)
def test_every_property_of_the_documents_has_its_row(side):
    text = TABLE.read_text(encoding="utf-8")
    half = text.split(f"## {side}.openapi.yaml")[1].split("\n## ")[0]
    for where, field in fields_of(side):
        assert f" `{field}` |" in half, (where, field)
    schemas = document(side)["components"]["schemas"]
    rows = [field for where, field in fields_of(side) if where in schemas]
    assert len(rows) == sum(properties(schema) for schema in schemas.values())
    inline = {(where, field) for where, field in fields_of(side) if where not in schemas}
    for path, operations in document(side)["paths"].items():
        for method, operation in operations.items():
            if method in {"get", "post", "put"}:
                own = {field for where, field in inline if where.startswith(f"{method.upper()} {path} ")}
                assert len(own) >= bool(properties(operation.get("requestBody", {})))
