"""Records made anew from templates over the fields of the old ones.

A template is text with fields written ``{{prompt}}``. Nothing in it is carried out, and what is filled
in is not looked through again. A template that is one field and nothing else takes it with its turns.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

from pydantic import model_validator

from studio_core.base.errors import BadInput
from studio_core.curation import columns
from studio_core.curation.base import Operation, OperationOptions, Source, Work
from studio_core.curation.checked import checker
from studio_core.data.shapes import COLUMNS, Message, Record, Shape, further_columns, own_tools
from studio_core.data.turns import Rejected
from studio_core.options import option

Target = Literal[
    "same", "prompt-completion", "chat", "prompt-only", "preference", "unpaired-preference", "text"
]
Turns = list[Message]
Fields = dict[str, Any]
"""Turns or texts, by name."""

TEMPLATES = ("system", "prompt", "completion", "chosen", "rejected", "text")
LONGEST = 100_000
"""Characters of a template."""

_FIELD = re.compile(r"\{\{([^{}]{1,200})\}\}")
_SPEAKERS = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"}


class MapOptions(OperationOptions):
    shape: Target = option("same", advanced=False)
    system: str = option("", kind="prompt", advanced=False)
    prompt: str = option("", kind="prompt", advanced=False)
    completion: str = option("", kind="prompt", advanced=False)
    chosen: str = option("", kind="prompt")
    rejected: str = option("", kind="prompt")
    text: str = option("", kind="prompt")

    @model_validator(mode="after")
    def _templates_there_and_short(self) -> MapOptions:
        templates = [getattr(self, part) for part in TEMPLATES]
        if not any(templates):
            raise BadInput("curation.no_template")
        if (longest := max(map(len, templates))) > LONGEST:
            raise BadInput("curation.template_long", characters=longest, limit=LONGEST)
        return self


def run(work: Work, options: MapOptions) -> None:
    to = work.source.shape if options.shape == "same" else Shape(options.shape)
    keep = further_columns(to, work.source.kept)
    make = _maker(work.source, options, to)
    check = checker(to, keep)
    output = work.output(shape=to, keep=keep)
    for row, record in work.each():
        try:
            new = check({**make(record), **{name: record[name] for name in keep}})
        except Rejected as rejected:
            work.drop(f"row_{rejected.code}")
            continue
        output.add(new, row)
        work.count("kept")
        work.count("changed", new != record)


def fields_of(record: Record) -> Fields:
    """What templates can name, whatever the shape: ``system``, ``prompt``, ``completion``, ``messages`` and columns."""
    fields: Fields = dict(record)
    if "prompt" not in record and "messages" in record:
        fields["prompt"], fields["completion"] = record["messages"][:-1], record["messages"][-1:]
    if isinstance(record.get("completions"), list):
        text = "\n".join(record["completions"])
        fields["completion"] = [{"role": "assistant", "content": text}]
    prompt: Turns = fields.get("prompt", [])
    fields["system"] = "\n".join(turn["content"] for turn in prompt if turn["role"] == "system")
    if "prompt" in fields:
        fields["prompt"] = [turn for turn in prompt if turn["role"] != "system"]
        answer: Turns = fields["completion"] if _are_turns(fields.get("completion")) else []
        fields.setdefault("messages", [*prompt, *answer])
    return fields


def _names(source: Source) -> set[str]:
    names = {*columns.of(source), "system"}
    if source.shape is not Shape.TEXT:
        names |= {"prompt", "messages"}
    if source.shape in (Shape.CHAT, Shape.STEPWISE, Shape.RANKING):
        names.add("completion")
    return names


def _maker(source: Source, options: MapOptions, to: Shape) -> Callable[[Record], Record]:
    """A function that makes a record's columns, still to be checked."""
    names = _names(source)
    parts = {
        Shape.CHAT: ("prompt", "completion"),
        Shape.STEPWISE: ("prompt",),
        Shape.RANKING: ("prompt",),
    }.get(to, tuple(name for name in COLUMNS[to] if name not in ("label", "score")))
    templates = {}
    for part in parts:
        template = getattr(options, part) or (f"{{{{{part}}}}}" if part in names else "")
        if not template:
            raise BadInput("curation.template_missing", part=part, to=to)
        templates[part] = _Template(template, names)
    system = _Template(options.system, names) if options.system else None
    if to is Shape.UNPAIRED_PREFERENCE and "label" not in names:
        raise BadInput("curation.template_missing", part="label", to=to)

    def make(record: Record) -> Record:
        fields = fields_of(record)
        if to is Shape.TEXT:
            return {"text": templates["text"].text(fields)}
        mapped: Record = {
            part: template.turns(fields, "user" if part == "prompt" else "assistant")
            for part, template in templates.items()
        }
        instruction = system.text(fields) if system else fields["system"]
        if instruction.strip() and mapped["prompt"][:1] and mapped["prompt"][0]["role"] != "system":
            mapped["prompt"] = [{"role": "system", "content": instruction}, *mapped["prompt"]]
        if to is Shape.CHAT:
            return {"messages": [*mapped["prompt"], *mapped["completion"]], **own_tools(record)}
        return {
            **{name: record[name] for name in COLUMNS[to] if name in record},
            **mapped,
            **own_tools(record),
        }

    return make


class _Template:
    """A template taken apart once. Raises ``BadInput`` if it names a field that is not there."""

    def __init__(self, template: str, names: set[str]) -> None:
        self._pieces = _FIELD.split(template)
        """Text and names of fields, in turn."""
        self._pieces[1::2] = [name.strip() for name in self._pieces[1::2]]
        for name in self._pieces[1::2]:
            if name not in names:
                raise BadInput("curation.no_field", field=name[:80], known=", ".join(sorted(names)))
        bare = len(self._pieces) == 3 and not (self._pieces[0] + self._pieces[2]).strip()
        self._only = self._pieces[1] if bare else None

    def text(self, fields: Fields) -> str:
        return "".join(
            _as_text(fields[piece]) if place % 2 else piece for place, piece in enumerate(self._pieces)
        )

    def turns(self, fields: Fields, role: str) -> Turns:
        if self._only and _are_turns(fields[self._only]):
            return list(fields[self._only])
        return [{"role": role, "content": self.text(fields)}]


def _are_turns(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _as_text(value: Any) -> str:
    """A field as text: one turn is what it says, several are a transcript."""
    if _are_turns(value) and len(value) > 1:
        return "\n\n".join(f"{_SPEAKERS[turn['role']]}: {turn['content']}" for turn in value)
    return columns.text(value)


MAP = Operation(name="map", Options=MapOptions, run=run, group="reshape")
