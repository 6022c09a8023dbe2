"""Where the assistant's answers stand in a rendered conversation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Span = tuple[int, int]
TemplateMessage = dict[str, Any]

Render = Callable[[list[TemplateMessage], bool], str]
"""Some messages as the template writes them; with True, opened for the next answer."""

# Outside of what models' vocabularies and people's keyboards have, and others than those of control_tokens.
_BEFORE, _WITHIN = "\U0010fff8", "\U0010fff9"
"""Characters of Unicode's private use, put into messages to see where they come to stand."""


_LONGEST_OPENING = 100
"""Characters that a template may write to open an answer and leave out of a whole conversation (a begun thought).
Where more differs, it is earlier turns that do."""


@dataclass
class Answers:
    spans: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Message -> start and end, in characters, of an answer with what closes its turn."""
    rewritten: bool = False
    """Some answer stands in the text otherwise than it stood when it was the last (Qwen3 drops earlier thoughts)."""
    missing: int = 0
    """Answers that could not be found in the text."""
    unseen: bool = False
    """The template opens an answer with something that it does not write here."""


def answer_spans(render: Render, messages: list[TemplateMessage], rendered: str, first: int = 0) -> Answers:
    """The answers from message ``first`` on.

    An answer starts where the conversation before it, opened for an answer, ends; it ends where the
    conversation with it ends. Where a template writes an answer otherwise once more follows, it is
    taken as it stands: the places of its own text and of the turn before are looked up.
    """
    answers = Answers()
    for place, message in enumerate(messages):
        if message["role"] != "assistant" or place < first:
            continue
        head = render(messages[:place], True) if place else ""
        closed = rendered if place == len(messages) - 1 else render(messages[: place + 1], False)
        start = common(head, rendered)
        span: Span | None = (start, len(closed))
        # What was written before is written otherwise now: the template changes history.
        if not rendered.startswith(closed) or len(head) - start > _LONGEST_OPENING:
            answers.rewritten = True
            span = _as_it_stands(render, messages, rendered, place)
            span = span or _by_its_text(message, closed, rendered, start)
        elif head[start:].strip():
            answers.unseen = True
        if span is None:
            answers.missing += 1
        else:
            answers.spans[place] = span
    return answers


def _as_it_stands(render: Render, messages: list[TemplateMessage], rendered: str, place: int) -> Span | None:
    """By marks in the turn before and in the answer itself; None if the template writes them otherwise then."""
    # A text that holds the marks themselves cannot be marked.
    if place == 0 or _BEFORE in rendered or _WITHIN in rendered:
        return None
    marked = [*messages]
    marked[place - 1] = _with_mark(messages[place - 1], _BEFORE)
    marked[place] = _with_mark(messages[place], _WITHIN)
    whole = render(marked, False)
    before, within = whole.find(_BEFORE), whole.find(_WITHIN) - 1
    # With the marks taken out it must be the same text, or the marks have changed what the template does.
    if not 0 <= before <= within or whole.replace(_BEFORE, "").replace(_WITHIN, "") != rendered:
        return None
    head, closed = render(marked[:place], True), render(marked[: place + 1], False)
    opening, closing = head.rpartition(_BEFORE)[2], closed.rpartition(_WITHIN)[2]
    return before + common(opening, rendered[before:]), within + common(closing, rendered[within:])


def _with_mark(message: TemplateMessage, mark: str) -> TemplateMessage:
    """The message with a mark at the end of its text; or in its last call, if it has no text."""
    text = message["content"].rstrip()
    if text or not message.get("tool_calls"):
        # Before what a template may strip.
        return {**message, "content": text + mark + message["content"][len(text) :]}
    *calls, last = message["tool_calls"]
    function = {**last["function"], "name": last["function"]["name"] + mark}
    return {**message, "tool_calls": [*calls, {**last, "function": function}]}


def _by_its_text(message: TemplateMessage, closed: str, rendered: str, start: int) -> Span | None:
    answer = message["content"].strip()
    # From the start of the turn on: the same words may stand earlier.
    place = rendered.find(answer, start) if answer else -1
    if place < 0:
        return None
    end = place + len(answer)
    closing = closed[closed.rfind(answer) + len(answer) :]
    return start, end + common(closing, rendered[end:])


def common(left: Sequence[object], right: Sequence[object]) -> int:
    """How many characters or tokens two sequences have in common at their start."""
    # The usual case, in one comparison and not sign by sign.
    if left == right[: len(left)]:
        return len(left)
    pairs = zip(left, right, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(left), len(right)))
