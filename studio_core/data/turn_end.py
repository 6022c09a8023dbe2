"""What a chat template ends the assistant's turn with: what a model learns to stop at.

It need not be the token that the tokenizer ends a text with: Qwen2.5 base ends texts with ``<|endoftext|>`` and
turns with ``<|im_end|>``, Llama 3 base with ``<|end_of_text|>`` and ``<|eot_id|>``. A model that learnt one and is
stopped at the other goes on to the length limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from studio_core.data.answer_spans import Render, TemplateMessage

# Words that no template writes by itself, none of which is part of another.
_QUESTION, _ANSWER, _NEXT = "the-question", "the-answer-itself", "the-next-question"


@dataclass(frozen=True)
class TurnEnd:
    learnt: str = ""
    """What closes the last answer of a conversation, as the template spells it; empty: nothing teaches an end."""
    tokens: tuple[int, ...] = ()
    """Tokens at which an answer is over; the one that is learnt comes first."""
    texts: tuple[str, ...] = ()
    """Ends that are spelled in ordinary tokens: as text, since their first letters may share a token with the
    answer's last."""


def turn_end(render: Render, encode: Callable[[str], Sequence[int]], added: Mapping[int, str]) -> TurnEnd:
    """The ends that a template writes, found in a conversation of which we know the answer.

    ``encode`` gives the tokens of a text without begin and end tokens; ``added`` are the tokens that a tokenizer
    never splits, by number. Where an answer ends the conversation and where another question follows, templates may
    write different ends (gpt-oss), or none but the opening of the next turn (GLM-4): both stop generation.
    """
    last = _after_answer(render, [])
    between = _after_answer(render, [{"role": "user", "content": _NEXT}]).partition(_NEXT)[0]
    # The first token of the closing that the tokenizer never splits; line
    # breaks before it are the template's habit.
    closing = next((token for token in encode(last.strip()) if token in added), None)
    opening = next(iter(encode(between.strip())), None)
    tokens = dict.fromkeys(token for token in (closing, opening) if token in added)
    spelled = last.rstrip() if closing is None else ""
    return TurnEnd(
        learnt=added[closing] if closing is not None else spelled,
        tokens=tuple(token for token in tokens if token is not None),
        texts=(spelled,) if spelled else (),
    )


def _after_answer(render: Render, following: list[TemplateMessage]) -> str:
    conversation: list[TemplateMessage] = [
        {"role": "user", "content": _QUESTION},
        {"role": "assistant", "content": _ANSWER},
        *following,
    ]
    try:
        text = render(conversation, False)
    except Exception:
        # A template is a program that may refuse anything. Whoever renders a real conversation is told why.
        return ""
    return text.rpartition(_ANSWER)[2]
