"""Ollama's Modelfile: which weights, which template, where answers stop, and how they are drawn.

Its strings are quoted by three quotation marks and know no escapes, so that what holds three itself cannot be said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio_core.base.errors import BadInput
from studio_core.data.chat_format import ChatFormat
from studio_core.data.turn_end import turn_end
from studio_core.exports.go_template import frame_of
from studio_core.models.inspect import chat_template
from studio_core.sandbox import sandboxed

TRIPLE = '"""'
RAW = "{{ .Prompt }}"
"""Of a model without a chat template: the text is continued as it is."""


@dataclass(frozen=True)
class OllamaTemplate:
    go: str
    stops: list[str]
    """Texts at which an answer is over."""


@sandboxed
def template_of(tokens: Path, base: Path) -> OllamaTemplate:
    """The model's own chat template in Go, from the folder of its tokenizer or else from that of its base.

    Raises ``BadInput`` where Go's form would write another text.
    """
    source = chat_template(tokens) or chat_template(base)
    if source is None:
        return OllamaTemplate(RAW, [])
    chat = ChatFormat.load(tokens, source)
    added = {number: token.content for number, token in chat.tokenizer.get_added_tokens_decoder().items()}
    end = turn_end(
        lambda messages, opened: chat.template.render(messages, opened=opened)[0],
        lambda text: chat.tokenizer.encode(text, add_special_tokens=False).ids,
        added,
    )
    stops = [*(added[token] for token in end.tokens), *end.texts]
    if chat.end and chat.end not in stops:
        stops.append(chat.end)
    begin = "".join(chat.tokenizer.id_to_token(token) or "" for token in chat.before_text)
    return OllamaTemplate(frame_of(chat.template).go(begin), stops)


def written(
    file: str, template: OllamaTemplate, parameters: Sequence[tuple[str, object]], system: str
) -> str:
    """The Modelfile for the weights in ``file``, which lies beside it. Raises ``BadInput`` of what it cannot say."""
    lines = [f"FROM ./{file}", f"TEMPLATE {_quoted(template.go)}"]
    lines += [f"PARAMETER stop {_quoted(stop)}" for stop in template.stops]
    lines += [f"PARAMETER {name} {value}" for name, value in parameters]
    if system.strip():
        lines.append(f"SYSTEM {_quoted(system)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    if TRIPLE in text:
        raise BadInput("model_exports.modelfile_quotes", text=text[:80])
    return f"{TRIPLE}{text}{TRIPLE}"
