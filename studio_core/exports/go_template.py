"""A chat template in Go's language, which is Ollama's, worked out from what the model's own template writes.

Jinja cannot be translated line by line. But nearly all chat templates write a text before and after each message that
depends on its role alone. Those texts are read off from a few conversations; then both forms must write the same for
others, or the template is refused: an answer would begin from other tokens than here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from studio_core.base.errors import BadInput
from studio_core.models.chat_template import ChatTemplate

_SAID = "\x02S\x03"
"""A message that no template writes itself."""

Turns = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Frame:
    """What stands around messages: ``head``, then each message between the texts of its role, then ``opening``."""

    head: str
    without_system: str
    """What stands in the place of a system message where there is none."""
    around: dict[str, tuple[str, str]]
    opening: str

    def render(self, turns: Turns) -> str:
        system = "" if turns[:1] and turns[0][0] == "system" else self.without_system
        body = "".join(self.around[role][0] + said + self.around[role][1] for role, said in turns)
        return self.head + system + body + self.opening

    def go(self, bos: str) -> str:
        """As Ollama's ``TEMPLATE``. ``bos`` is left to the tokenizer, which writes it before every prompt."""
        parts = [_literal(self.head.removeprefix(bos))]
        if self.without_system:
            parts.append("{{ if not .System }}" + _literal(self.without_system) + "{{ end }}")
        parts.append("{{ range .Messages }}")
        for place, (role, (before, after)) in enumerate(self.around.items()):
            parts.append("{{ " + ("else " if place else "") + f'if eq .Role "{role}"' + " }}")
            parts.append(_literal(before) + "{{ .Content }}" + _literal(after))
        parts.append("{{ end }}{{ end }}" + _literal(self.opening))
        return "".join(parts)


def frame_of(template: ChatTemplate) -> Frame:
    """Raises ``BadInput`` of a template that writes what depends on more than roles."""
    user, answer = ("user", _SAID), ("assistant", _SAID)
    head_user, after_user = _pieces(template, [user], opened=False)
    _, between, after_answer = _pieces(template, [user, answer], opened=False)
    *_, turned, _ = _pieces(template, [user, answer, user], opened=False)
    before_answer = _without_start(between, after_user)
    before_user = _without_start(turned, after_answer)
    opening = _without_start(_pieces(template, [user], opened=True)[-1], after_user)
    first = _without_end(head_user, before_user)
    around = {"user": (before_user, after_user), "assistant": (before_answer, after_answer)}
    head, without_system = first, ""
    try:
        head_system, system_user, _ = _pieces(template, [("system", _SAID), user], opened=False)
    except BadInput:
        pass  # A template may have no use for system messages; nor has Ollama's then.
    else:
        head = _common(first, head_system) if not head_system.startswith(first) else first
        without_system = first.removeprefix(head)
        around["system"] = (head_system.removeprefix(head), _without_end(system_user, before_user))
    frame = Frame(head, without_system, around, opening)
    for turns in _trials("system" in around):
        if frame.render(turns) != _rendered(template, turns, opened=True):
            raise BadInput("model_exports.template")
    return frame


def _trials(system: bool) -> list[Turns]:
    talk = [("user", "How are you?"), ("assistant", "Fine: 1 < 2."), ("user", "Sure?\nReally?")]
    trials: list[Turns] = [talk[:1], talk, [*talk, *talk[1:], *talk[1:]]]
    return [*trials, *([("system", "Be short."), *each] for each in trials if system)]


def _pieces(template: ChatTemplate, turns: Turns, *, opened: bool) -> list[str]:
    return _rendered(template, turns, opened=opened).split(_SAID)


def _rendered(template: ChatTemplate, turns: Turns, *, opened: bool) -> str:
    messages = [{"role": role, "content": said} for role, said in turns]
    return template.render(messages, opened=opened)[0]


def _without_start(text: str, start: str) -> str:
    if not text.startswith(start):
        raise BadInput("model_exports.template")
    return text.removeprefix(start)


def _without_end(text: str, end: str) -> str:
    if not text.endswith(end):
        raise BadInput("model_exports.template")
    return text[: len(text) - len(end)]


def _common(left: str, right: str) -> str:
    size = next((at for at, pair in enumerate(zip(left, right, strict=False)) if pair[0] != pair[1]), None)
    return left[: min(len(left), len(right)) if size is None else size]


def _literal(text: str) -> str:
    """A text as a template that writes it: what Go or the Modelfile would take for its own is put into a string."""
    text = text.replace("{{", '{{ "{{" }}').replace('"""', r'{{ "\"\"\"" }}')
    # What follows begins with braces.
    return text[:-1] + '{{ "{" }}' if text.endswith("{") else text
