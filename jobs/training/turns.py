"""Where the assistant's answers stand in a rendered conversation, if its template does not mark them."""

from __future__ import annotations

import re

from transformers import PreTrainedTokenizerBase

from studio_core.data.shapes import Message

_MARK = re.compile(r"\{%-?\s*generation\s*-?%\}")


def marks_answers(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the chat template has ``{% generation %}`` marks round the answers."""
    return bool(_MARK.search(tokenizer.chat_template or ""))


def answer_spans(
    tokenizer: PreTrainedTokenizerBase, messages: list[Message], rendered: str
) -> list[tuple[int, int]]:
    """Start and end, in characters of ``rendered``, of each answer with what closes its turn.

    An answer starts where the conversation before it, opened for an answer, ends; it ends where the
    conversation with it ends. Some templates render an answer otherwise when more follows (Qwen3
    drops earlier thoughts): then its text is looked for, and what closes the turn is added.
    """
    spans = []
    for place, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        opened = _text(tokenizer, messages[:place], opened=True)
        start = _common(opened, rendered)
        closed = _text(tokenizer, messages[: place + 1])
        if rendered.startswith(closed):
            spans.append((start, len(closed)))
            continue
        answer = message["content"].strip()
        found = rendered.find(answer, start)
        if found >= 0:
            closing = closed[closed.rfind(answer) + len(answer) :]
            end = found + len(answer)
            spans.append((start, end + _common(closing, rendered[end:])))
    return spans


def _text(tokenizer: PreTrainedTokenizerBase, messages: list[Message], *, opened: bool = False) -> str:
    if not messages:
        return ""
    text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=opened)
    return text


def _common(left: str, right: str) -> int:
    """How many characters two texts have in common at their start."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(left), len(right)))
