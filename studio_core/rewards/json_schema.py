"""The answer is JSON as a schema describes it."""

from __future__ import annotations

import json
from typing import Any

from pydantic import field_validator

from studio_core.base.errors import BadInput
from studio_core.data.shapes import Record
from studio_core.options import option
from studio_core.rewards.base import Reward, RewardOptions, Score
from studio_core.rewards.schema import conforms, refuse_unknown
from studio_core.rewards.valid_json import json_of


class SchemaOptions(RewardOptions):
    json_schema: str = option('{"type": "object"}', kind="prompt", advanced=False)

    @field_validator("json_schema")
    @classmethod
    def _known(cls, text: str) -> str:
        read_schema(text)
        return text


def read_schema(text: str) -> dict[str, Any]:
    """Raises ``BadInput`` if it is none, or has a keyword that would be passed over."""
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput("rewards.no_schema", reason=str(error)[:200]) from error
    if not isinstance(schema, dict):
        raise BadInput("rewards.no_schema", reason=type(schema).__name__)
    refuse_unknown(schema)
    try:
        tried: tuple[Any, ...] = ({}, [], "", 0, None)
        for value in tried:
            conforms(value, schema, schema)
    except Exception as error:  # What a keyword says may be anything, such as a minimum that is a text.
        raise BadInput("rewards.no_schema", reason=f"{type(error).__name__}: {error}"[:200]) from error
    return schema


def json_schema(options: SchemaOptions) -> Score:
    """1 if the answer as a whole, with or without a fence, is JSON that the schema describes; else 0."""
    schema = read_schema(options.json_schema)

    def score(prompt: str, answer: str, record: Record) -> float:
        value = json_of(answer)
        return float(value is not None and conforms(value, schema, schema))

    return score


JSON_SCHEMA = Reward("json_schema", json_schema, SchemaOptions)
