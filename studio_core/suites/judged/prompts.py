"""What a judge is told: a prompt with named places, filled with texts of others that cannot pass for its own words.

A user's own prompts have the shape in which MT-Bench publishes its: JSON lines with ``name``, ``system_prompt`` and
``prompt_template``, the places being ``{question}`` and so on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from studio_core.base.errors import BadInput
from studio_core.data.shapes import Message

_PLACE = re.compile(r"\{(\w+)\}")
_OPENING = re.compile(r"<<<(?=(?:QUESTION|ANSWER|REFERENCE)\b)")
_CLOSING = re.compile(r"((?:QUESTION|ANSWER|REFERENCE)[ \w]{0,4})>>>")


@dataclass(frozen=True)
class Prompt:
    template: str
    system: str = ""

    @property
    def places(self) -> frozenset[str]:
        return frozenset(_PLACE.findall(self.template))

    def filled(self, **texts: str) -> tuple[Message, ...]:
        """The messages to the judge. All places are filled at once: braces in a text are only text."""
        content = _PLACE.sub(lambda place: _unmarked(texts[place[1]]), self.template)
        user: Message = {"role": "user", "content": content}
        return ({"role": "system", "content": self.system}, user) if self.system else (user,)


def marked(name: str, place: str) -> str:
    """A place between marks, which no text that is put there can close."""
    return f"<<<{name}\n{{{place}}}\n{name}>>>"


def prompts_of(text: str, wanted: Mapping[str, Prompt]) -> Mapping[str, Prompt]:
    """The prompts of a user's lines in place of those ``wanted``, which they are where there are none; others that
    stand there are not looked at.

    Raises ``BadInput`` of a line that is no prompt, of a place that cannot be filled and of a prompt that is not there.
    """
    if not text.strip():
        return wanted
    prompts: dict[str, Prompt] = {}
    # Not splitlines: a text in JSON may hold other ends of lines than this.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            name = str(record["name"])
            prompt = Prompt(str(record["prompt_template"]), str(record.get("system_prompt", "")))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise BadInput("suites.prompt_line", line=number, value=line[:80]) from None
        if name not in wanted:
            continue
        if foreign := sorted(prompt.places - wanted[name].places):
            places = ", ".join(sorted(wanted[name].places))
            raise BadInput("suites.prompt_place", line=number, name=name, place=foreign[0], places=places)
        prompts[name] = prompt
    if missing := [name for name in wanted if name not in prompts]:
        raise BadInput("suites.prompt_missing", names=", ".join(missing))
    return prompts


def _unmarked(text: str) -> str:
    """Only our own marks: ``<<<`` and ``>>>`` of a program are part of it."""
    return _CLOSING.sub(r"\1›››", _OPENING.sub("‹‹‹", text))
