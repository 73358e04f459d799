"""Schemas that come from elsewhere, and are not what they should be."""

from typing import Any

import pytest
from isek import ToolError
from isek.tools.arguments import ArgumentCheck


@pytest.mark.parametrize(
    "schema", [{"$schema": 0.5}, {"$schema": ["x"]}, {"type": "array"}, {"properties": []}], ids=str
)
def test_a_schema_that_is_none_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the schema of the arguments"):
        ArgumentCheck(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
        {"allOf": [{"$ref": "#/allOf/x"}]},
        {"$id": "http://[bad", "properties": {"count": {"$ref": "x"}}},
        {"properties": {"count": {"$ref": "#/$defs/none"}}},
        {"properties": {"count": {"multipleOf": 0.5}}},
    ],
    ids=str,
)
def test_a_schema_that_leads_nowhere_lets_nothing_pass_and_says_so(schema: dict[str, Any]) -> None:
    with pytest.raises(ToolError, match="the schema of the arguments"):
        ArgumentCheck(schema).check({"count": 10**400})
