"""What a JSON Schema describes, and what of it is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from studio_core import rewards
from studio_core.base.errors import BadInput

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "pattern": "^[A-Z]"},
        "age": {"type": "integer", "minimum": 0, "exclusiveMaximum": 150},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 2},
        "friend": {"$ref": "#"},
    },
    "required": ["name"],
    "additionalProperties": False,
}


def score(schema: dict[str, Any], answer: str) -> float:
    return rewards.score("json_schema", {"json_schema": json.dumps(schema)})("?", answer, {})


@pytest.mark.parametrize(
    ("value", "right"),
    [
        ({"name": "Ada", "age": 36, "tags": ["a", "b"]}, True),
        ({"name": "Ada", "age": 36.0}, True),
        ({"name": "Ada", "friend": {"name": "Bob"}}, True),
        ({"name": "Ada", "friend": {"name": ""}}, False),
        ({"age": 36}, False),
        ({"name": "ada"}, False),
        ({"name": "Ada", "age": True}, False),
        ({"name": "Ada", "age": -1}, False),
        ({"name": "Ada", "age": 150}, False),
        ({"name": "Ada", "age": 1.5}, False),
        ({"name": "Ada", "tags": ["a", "c"]}, False),
        ({"name": "Ada", "tags": ["a", "a", "a"]}, False),
        ({"name": "Ada", "more": 1}, False),
        ([], False),
    ],
)
def test_a_schema_describes_an_answer(value: Any, right: bool) -> None:
    assert score(PERSON, json.dumps(value)) == float(right)
    assert score(PERSON, f"```json\n{json.dumps(value)}\n```") == float(right)


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "1", '"1"'),
        ({"oneOf": [{"minimum": 1}, {"maximum": 3}]}, "4", "2"),
        ({"allOf": [{"minimum": 1}, {"maximum": 3}]}, "2", "4"),
        ({"not": {"type": "string"}}, "1", '"1"'),
        ({"const": 1}, "1.0", "true"),
        ({"prefixItems": [{"type": "string"}], "items": {"type": "integer"}}, '["a", 1]', '["a", "b"]'),
        ({"type": ["object", "array"], "minItems": 1}, "[1]", "[]"),
        ({"minProperties": 1, "maxProperties": 1}, '{"a": 1}', "{}"),
        ({"$defs": {"n": {"type": "number"}}, "items": {"$ref": "#/$defs/n"}}, "[1]", '["1"]'),
        ({"type": "number"}, "1e999", "no JSON"),
    ],
)
def test_keywords(schema: dict[str, Any], right: str, wrong: str) -> None:
    assert (score(schema, right), score(schema, wrong)) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("schema", "named"),
    [
        ("{", "no JSON Schema"),
        ("[]", "no JSON Schema"),
        ('{"unevaluatedItems": false}', "unevaluatedItems"),
        ('{"items": {"properties": {"a": {"dependentRequired": {}}}}}', "dependentRequired"),
        ('{"type": "float"}', "float"),
        ('{"$ref": "https://example.org/schema"}', "example.org"),
        ('{"$ref": "#/$defs/nothing"}', "nothing"),
        ('{"minimum": "a lot"}', "no JSON Schema"),
        ('{"pattern": "("}', "("),
    ],
)
def test_what_would_be_passed_over_is_refused(schema: str, named: str) -> None:
    with pytest.raises(BadInput) as refused:
        rewards.score("json_schema", {"json_schema": schema})
    assert named in refused.value.sentence()
