"""JSON Schema (2020-12), as much of it as descriptions of answers use. What is not known is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from studio_core.base.errors import BadInput
from studio_core.data.patterns import Pattern

Schema = dict[str, Any]
Check = Callable[[Any, Any, Schema, Schema], bool]
"""``(value, what the keyword says, the schema that it is in, the root of all references)``."""

_WORDS_WITHOUT_CHECK = {
    "$schema", "$id", "$comment", "$defs", "definitions", "title", "description", "default", "examples", "deprecated",
    "format",
}  # fmt: skip
"""Words that describe; of ``format`` the standard says so too."""


def conforms(value: Any, schema: Schema | bool, root: Schema) -> bool:
    """Whether the schema describes the value; ``root`` is where its references lead."""
    if isinstance(schema, bool):
        return schema
    return all(_CHECKS[word](value, said, schema, root) for word, said in schema.items() if word in _CHECKS)


def refuse_unknown(schema: Schema) -> None:
    """Raises ``BadInput`` that names the keywords, types and references that nothing here checks."""
    unknown: list[str] = []
    for part in _parts(schema):
        unknown += [word for word in part if word not in _CHECKS and word not in _WORDS_WITHOUT_CHECK]
        unknown += [f"type {name}" for name in _listed(part.get("type", [])) if name not in _TYPES]
        if "$ref" in part and _referred(part["$ref"], schema) is None:
            unknown.append(f"$ref {part['$ref']}")
        if "pattern" in part:
            Pattern(str(part["pattern"]))
    if unknown:
        raise BadInput("rewards.schema_word", names=", ".join(dict.fromkeys(unknown))[:200])


def _parts(schema: Any) -> Iterator[Schema]:
    """The schema, and all that are within it."""
    if not isinstance(schema, dict):
        return
    yield schema
    for word, said in schema.items():
        inner: list[Any] = []
        if word in ("properties", "$defs", "definitions") and isinstance(said, dict):
            inner = [*said.values()]
        elif word in ("anyOf", "allOf", "oneOf", "prefixItems") and isinstance(said, list):
            inner = said
        elif word in ("items", "not", "additionalProperties"):
            inner = [said]
        for part in inner:
            yield from _parts(part)


def _listed(said: Any) -> list[Any]:
    return said if isinstance(said, list) else [said]


def _referred(reference: str, root: Schema) -> Any:
    """What ``#/$defs/name`` points to; None if nothing is there."""
    place: Any = root if reference.startswith("#") else None
    for step in reference.removeprefix("#").strip("/").split("/") if reference != "#" else []:
        place = place.get(step) if isinstance(place, dict) else None
    return place


def _number(value: Any) -> bool:
    # To Python True is a number too.
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equal(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _bound(fits: Callable[[Any, Any], bool]) -> Check:
    """Of numbers; of other values it says nothing, as the standard wants it."""
    return lambda value, said, schema, root: not _number(value) or fits(value, said)


def _size(
    kind: type[str] | type[list[Any]] | type[dict[str, Any]], fits: Callable[[int, Any], bool]
) -> Check:
    return lambda value, said, schema, root: not isinstance(value, kind) or fits(len(value), said)


def _properties(value: Any, said: Schema, schema: Schema, root: Schema) -> bool:
    known = {*said} & {*value} if isinstance(value, dict) else set()
    return all(conforms(value[name], said[name], root) for name in known)


def _other_properties(value: Any, said: Any, schema: Schema, root: Schema) -> bool:
    others = {*value} - {*schema.get("properties", {})} if isinstance(value, dict) else set()
    return all(conforms(value[name], said, root) for name in others)


def _items(value: Any, said: Any, schema: Schema, root: Schema) -> bool:
    # Those before have schemas of their own.
    rest = value[len(schema.get("prefixItems", [])) :] if isinstance(value, list) else []
    return all(conforms(item, said, root) for item in rest)


def _first_items(value: Any, said: list[Any], schema: Schema, root: Schema) -> bool:
    items = value if isinstance(value, list) else []
    return all(conforms(item, inner, root) for item, inner in zip(items, said, strict=False))


_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _number,
    "integer": lambda value: _number(value) and (isinstance(value, int) or value.is_integer()),
}
_CHECKS: dict[str, Check] = {
    "type": lambda value, said, schema, root: any(_TYPES[name](value) for name in _listed(said)),
    "enum": lambda value, said, schema, root: any(_equal(value, each) for each in said),
    "const": lambda value, said, schema, root: _equal(value, said),
    "properties": _properties,
    "additionalProperties": _other_properties,
    "required": lambda value, said, schema, root: not isinstance(value, dict) or {*said} <= {*value},
    "items": _items,
    "prefixItems": _first_items,
    "anyOf": lambda value, said, schema, root: any(conforms(value, each, root) for each in said),
    "allOf": lambda value, said, schema, root: all(conforms(value, each, root) for each in said),
    "oneOf": lambda value, said, schema, root: sum(conforms(value, each, root) for each in said) == 1,
    "not": lambda value, said, schema, root: not conforms(value, said, root),
    "$ref": lambda value, said, schema, root: conforms(value, _referred(said, root), root),
    "pattern": lambda value, said, schema, root: (
        not isinstance(value, str) or Pattern(said).found([value])[0]
    ),
    "minimum": _bound(lambda value, bound: value >= bound),
    "maximum": _bound(lambda value, bound: value <= bound),
    "exclusiveMinimum": _bound(lambda value, bound: value > bound),
    "exclusiveMaximum": _bound(lambda value, bound: value < bound),
    "minLength": _size(str, lambda size, bound: size >= bound),
    "maxLength": _size(str, lambda size, bound: size <= bound),
    "minItems": _size(list, lambda size, bound: size >= bound),
    "maxItems": _size(list, lambda size, bound: size <= bound),
    "minProperties": _size(dict, lambda size, bound: size >= bound),
    "maxProperties": _size(dict, lambda size, bound: size <= bound),
}
