"""What of a record is left out where it is longer than the length limit.

Trainers, preview and plan cut here, so that what is shown as cut is what is not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from studio_core.data.chat_format import ChatFormat
from studio_core.data.learning import Learning
from studio_core.data.sequences import Tokens


def fit_to_limit(chat: ChatFormat, made: Sequence[Tokens], limit: int, learning: Learning) -> list[Tokens]:
    """The sequences of a record without what is left out of their prompt; their ends are for the caller to cut."""
    left = left_out(chat, made, limit, learning)
    return [_without(sequence, left) for sequence in made] if left else list(made)


def left_out(chat: ChatFormat, made: Sequence[Tokens], limit: int, learning: Learning) -> range:
    """The tokens of the prompt that make room for the answer: from its start, but for a begin token.

    Both sides of a pair lose the same ones, for they are compared after one prompt. Nothing that is learnt is lost.
    """
    over = max(len(sequence.ids) for sequence in made) - limit
    if learning.truncation == "end" or over <= 0:
        return range(0)
    before = chat.before_text
    # A begin token stays: models that know one answer badly without it.
    first = len(before) if all(sequence.ids[: len(before)] == before for sequence in made) else 0
    # Of a pair the earlier one: nothing that is learnt is lost on either side.
    answer = min(_answer(sequence) for sequence in made)
    return range(first, max(first, min(first + over, answer)))


def same_within_limit(sides: Sequence[Tokens], limit: int) -> bool:
    """Whether the answers of a pair are seen within the limit and yet the same: there is nothing to prefer."""
    chosen, rejected = sides
    # A pair of which nothing is learnt within the limit is another case, told elsewhere.
    return any(chosen.trained[:limit]) and chosen.ids[:limit] == rejected.ids[:limit]


def _answer(sequence: Tokens) -> int:
    """Where the answer begins: at the first token that is learnt, and never before the prompt ends."""
    learnt = next((place for place, trained in enumerate(sequence.trained) if trained), 0)
    return min(learnt, sequence.prompt) if sequence.prompt else learnt


def _without(sequence: Tokens, left: range) -> Tokens:
    before, after = slice(left.start), slice(left.stop, None)
    return replace(
        sequence,
        ids=sequence.ids[before] + sequence.ids[after],
        offsets=sequence.offsets[before] + sequence.offsets[after],
        trained=sequence.trained[before] + sequence.trained[after],
        prompt=max(0, sequence.prompt - len(left)),
    )
