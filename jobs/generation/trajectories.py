"""Answers over several turns: what the model writes, what its environment answers, what the model writes then.

    <|user|>What is 37 times 48?<|end|><|assistant|><tool_call> ... </tool_call><|end|>     written by the model
    <|user|><tool_response>\n1776\n</tool_response><|end|><|assistant|>                     written by the environment
    The answer is \\boxed{1776}.<|end|>                                                      written by the model

All that stands behind the prompt is one text to learn from, whose tokens are marked: those of the environment are read
by the model, and never learnt. Tokens once written stay as they are; nothing is decoded and made tokens again, so that
what is learnt is what was drawn.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from jobs.generation.lane import Row
from studio_core.base.errors import BadInput, StudioError
from studio_core.data.chat_format import ChatFormat, Rendered
from studio_core.data.conversation import conversation
from studio_core.data.shapes import Message
from studio_core.data.tool_calls import calls_in
from studio_core.environments.base import Environment, Result
from studio_core.runs.rollouts import Turn


@dataclass
class Trajectory:
    """What stands behind a prompt in the end."""

    prompt: list[int]
    tokens: list[int] = field(default_factory=list)
    own: list[bool] = field(default_factory=list)
    """Which of these the model wrote."""
    turns: list[Turn] = field(default_factory=list)
    ended: bool = False
    """Whether the model ended it, and no limit: a call that nobody could answer any more is no end."""
    calls: int = 0
    failed: int = 0
    """Calls that the environment could not carry out."""
    error: StudioError | None = None
    """Why it could not be written any further."""

    @property
    def ids(self) -> list[int]:
        return [*self.prompt, *self.tokens]

    @property
    def answer(self) -> str:
        """What the model said last, which is what rewards judge."""
        return self.turns[-1]["content"]

    @property
    def own_tokens(self) -> int:
        return sum(self.own)

    def add(self, role: str, content: str, tokens: list[int]) -> None:
        self.tokens += tokens
        self.own += [role == "assistant"] * len(tokens)
        self.turns.append({"role": role, "content": content, "tokens": len(tokens)})


Draw = Callable[[Sequence[tuple[int, Trajectory]], int], Sequence[Row]]
"""``(trajectories with their places, number of the turn from 0)`` -> for each a row that is written to its end."""


class Exchange:
    """Writes trajectories by turns with an environment; without one, a single turn."""

    def __init__(
        self,
        chat: ChatFormat,
        tokenizer: Any,
        environment: Environment | None,
        max_turns: int,
        max_length: int | None,
    ) -> None:
        """``max_length``: tokens of a whole text, prompt and results counted; None: as many as there come.

        Raises ``BadInput`` if the template writes calls that cannot be read, or no end behind one.
        """
        self._tokenizer, self._environment, self._max_length = tokenizer, environment, max_length
        self._most = max_turns if environment else 1
        self._continuation = Continuation(chat, environment) if environment else None

    def write(self, prompts: Sequence[list[int]], max_tokens: int, draw: Draw) -> list[Trajectory]:
        """One for each prompt. ``max_tokens`` is the limit of all turns together, results counted."""
        trajectories = [Trajectory(prompt) for prompt in prompts]
        going = [*enumerate(trajectories)]
        for turn in range(self._most):
            for (_, text), row in zip(going, draw(going, turn), strict=True):
                decoded = self._tokenizer.decode(row.tokens, skip_special_tokens=True)
                text.add("assistant", decoded, row.tokens)
                text.ended, text.error = row.reason == "stop", row.error
            last = turn + 1 == self._most
            going = [(place, text) for place, text in going if self._answered(text, max_tokens, last)]
            if not going:
                break
        return trajectories

    def _answered(self, text: Trajectory, max_tokens: int, last: bool) -> bool:
        """Whether its calls were answered, so that the model goes on."""
        calls = calls_in(text.answer) if self._environment and text.ended else []
        if not calls or self._environment is None or self._continuation is None:
            return False
        results = [self._environment.answer(call) for call in calls]
        text.calls += len(results)
        text.failed += sum(result.failed for result in results)
        ids = self._continuation.between(results, text.tokens[-1])
        room = max_tokens - len(text.tokens)
        if self._max_length is not None:
            room = min(room, self._max_length - len(text.ids))
        if last or room <= len(ids):
            text.ended = False
            return False
        text.add("tool", "\n".join(result.text for result in results), ids)
        return True


# No template writes it, and no result.
_WORD = "qzprobeword"


class Continuation:
    """What a chat template writes around results, seen in a conversation with one call.

    The conversation at hand is not rendered again: templates leave out of earlier turns what they do not like, and
    the model would go on from other tokens than those that it wrote.
    """

    def __init__(self, chat: ChatFormat, environment: Environment) -> None:
        self._chat = chat
        self._tools = json.loads(environment.definitions)
        tool = environment.tools[0]
        arguments = {"name": tool.name, "arguments": {tool.parameter: _WORD}}
        self._asked: list[Message] = [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "", "tool_calls": json.dumps([arguments])},
        ]
        self._known: dict[tuple[Any, ...], list[int]] = {}
        prompt, called = self._text(self._asked[:1], opened=True), self._text(self._asked)
        if not called.startswith(prompt) or not calls_in(self._spoken(called[len(prompt) :])):
            raise BadInput("methods.rollouts.calls_not_read", call=called[len(prompt) :][:200])

    def _rendered(self, messages: list[Message], opened: bool = False) -> Rendered:
        asked = conversation(self._chat.places, messages, self._tools)
        return self._chat.render(asked.messages, asked.tools, opened=opened)

    def _text(self, messages: list[Message], opened: bool = False) -> str:
        return self._rendered(messages, opened).text

    def _spoken(self, text: str) -> str:
        """A text without control tokens, as answers are decoded."""
        [encoded] = self._chat.encode([Rendered(text, [], [])])
        decoded: str = self._chat.tokenizer.decode(encoded.ids, skip_special_tokens=True)
        return decoded

    def between(self, results: list[Result], last: int) -> list[int]:
        """The tokens between the end of a turn, of which ``last`` is the token that the model ended it with, and the
        next turn of the model."""
        texts = tuple(result.text for result in results)
        if (texts, last) not in self._known:
            if len(self._known) > 10_000:  # Long runs see more results than need be remembered.
                self._known.clear()
            self._known[texts, last] = self._between(texts, self._chat.tokenizer.id_to_token(last))
        return self._known[texts, last]

    def _between(self, results: tuple[str, ...], end: str) -> list[int]:
        answers: list[Message] = [{"role": "tool", "content": result} for result in results]
        whole = self._rendered([*self._asked, *answers], opened=True)
        # Results stand behind the call, and hold no such word.
        call = whole.text.rfind(_WORD)
        marks = [(begin, stop) for begin, stop in self._chat.control.places(whole.text) if begin > call]
        ends = [stop for begin, stop in marks if whole.text[begin:stop] == end] or [stop for _, stop in marks]
        if not ends:
            raise BadInput("methods.rollouts.no_end_of_call", call=whole.text[call:][:200])
        # What a template writes behind the end of a turn (a line break, often) the model did not write.
        start = ends[0]
        typed = [(begin - start, stop - start) for begin, stop in whole.typed if begin >= start]
        [encoded] = self._chat.encode([Rendered(whole.text[start:], [], typed)])
        return encoded.ids
