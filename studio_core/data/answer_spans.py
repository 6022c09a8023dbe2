"""Where the assistant's answers stand in a rendered conversation, if its template does not mark them."""

from __future__ import annotations

from collections.abc import Callable

from studio_core.data.shapes import Message

Render = Callable[[list[Message], bool], str]
"""Some messages as the template writes them; with True, opened for the next answer."""


def answer_spans(render: Render, messages: list[Message], rendered: str) -> list[tuple[int, int]]:
    """Start and end, in characters of ``rendered``, of each answer with what closes its turn.

    An answer starts where the conversation before it, opened for an answer, ends; it ends where the
    conversation with it ends. Some templates render an answer otherwise when more follows (Qwen3
    drops earlier thoughts): then its text is looked for, and what closes the turn is added.
    """
    spans = []
    for place, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        start = _common(render(messages[:place], True), rendered) if place else 0
        closed = render(messages[: place + 1], False)
        if rendered.startswith(closed):
            spans.append((start, len(closed)))
            continue
        answer = message["content"].strip()
        found = rendered.find(answer, start)
        if found >= 0:
            end = found + len(answer)
            closing = closed[closed.rfind(answer) + len(answer) :]
            spans.append((start, end + _common(closing, rendered[end:])))
    return spans


def _common(left: str, right: str) -> int:
    """How many characters two texts have in common at their start."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(left), len(right)))
