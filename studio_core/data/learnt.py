"""Which tokens of a rendered conversation are learnt: what the assistant says, with the end of its turns."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cached_property

from studio_core.data.answer_spans import answer_spans
from studio_core.data.chat_format import ChatFormat, Rendered
from studio_core.data.control_tokens import Encoded
from studio_core.data.conversation import Conversation, TemplateMessage
from studio_core.data.learning import Learning
from studio_core.models.chat_template import Span

_THOUGHT_ENDS = re.compile(r"\s*(</?[\w|:]+>|\[/?\w+\]|<\|[^|<>]*\|>)?\s*")
"""What a template writes after a thought: mostly one tag."""


@dataclass
class Learnt:
    """Stretches of one conversation; its answers are looked up only where they are needed."""

    chat: ChatFormat
    one: Conversation
    rendered: Rendered
    notes: set[str]
    """What is worth knowing is added here."""

    @cached_property
    def spans(self) -> dict[int, Span]:
        """Message -> where the answer stands, with what closes its turn."""

        def render(messages: list[TemplateMessage], opened: bool) -> str:
            return self.chat.template.render(messages, tools=self.one.tools, opened=opened)[0]

        answers = answer_spans(render, self.one.messages, self.rendered.text, self.one.first)
        told = {
            "rewritten": answers.rewritten,
            "not_learnt": answers.missing,
            "opening_unseen": answers.unseen,
        }
        self.notes |= {note for note, holds in told.items() if holds}
        return answers.spans

    def answers(self) -> list[Span]:
        """Where the template marks answers, as it marks them, but never without the end of the turn."""
        # Of a prompt with its answer we know where it begins; marks of the
        # template would also show earlier answers.
        if self.one.first or not self.chat.has_generation_marks:
            return [*self.spans.values()]
        if not self.chat.marks_leave_end:
            return self.rendered.marks
        return [*map(self._with_end, self.rendered.marks)]

    def left_out(self, learning: Learning) -> list[Span]:
        """Turns that are not to be learnt, and thoughts if they are to be masked."""
        turns = [self.spans[at] for at in self.one.muted if at in self.spans]
        masked = self.one.thoughts if learning.reasoning == "mask" else {}
        thoughts = (self._thought(at, thought.strip()) for at, thought in masked.items())
        return [*turns, *(span for span in thoughts if span)]

    def _with_end(self, mark: Span) -> Span:
        """A marked answer with the end of its turn: up to the last control token, else all that closes it."""
        start, end = mark
        closed = next((last for first, last in self.spans.values() if first <= start < last), end)
        closing = self.rendered.text[end:closed].rstrip()
        tokens = [*self.chat.control.places(closing)]
        # Up to the last control token: what a template writes behind it (a
        # line break) belongs to the next turn.
        length = tokens[-1][1] if tokens else len(closing)
        if not length:
            self.notes.add("end_not_learnt")
        return start, end + length

    def _thought(self, at: int, thought: str) -> Span | None:
        """A thought with what surrounds it, up to where the answer itself begins."""
        start, end = self.spans.get(at, (0, 0))
        place = self.rendered.text.find(thought, start, end)
        if place < 0:  # The template left it out.
            return None
        ends = _THOUGHT_ENDS.match(self.rendered.text, place + len(thought), end)
        return start, ends.end() if ends else place + len(thought)


def trained_mask(chat: ChatFormat, encoded: Encoded, spans: list[Span], apart: list[Span]) -> list[bool]:
    """For each token whether it stands in one of the spans, also in part, and in none of those ``apart``."""
    inside = [False] * len(encoded.ids)
    begins, ends = [begin for begin, _ in encoded.offsets], [end for _, end in encoded.offsets]
    for found, value in ((spans, True), (apart, False)):
        for start, end in found:
            first = bisect_right(ends, start)
            last = bisect_left(begins, end)
            # Spaces of some tokenizers have a place, but no width: the end of what they belong to.
            while last < len(begins) and begins[last] == ends[last] == end:
                last += 1
            # A control token may take the spaces after it along, but belongs to what precedes them.
            if first < last and begins[first] < start and encoded.ids[first] in chat.control.numbers:
                first += 1
            inside[first:last] = [value] * (last - first)
    return inside
