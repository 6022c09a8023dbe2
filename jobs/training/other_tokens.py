"""Comparing two models whose tokens are not the same, by the text that both can say.

Tokens are numbers of a model's own: the same answer may be ``[un][til]`` to one and ``[until]`` to the other. Where a
token of each ends at the same letter, all since the last such place is a group, and of a group both models are asked:

    one token on either side     the chances of the tokens that both have, and of all others together
    several                      the chance of the group's text, and of any other

Each is a distribution over the same events on both sides, so that the divergence of ordinary distillation
(``divergence.py``) applies to it, and is nothing where both say the same. That tokens which both have are compared
directly and texts by the ends of their tokens is GOLD's (TRL's ``experimental.gold``, after Boizard et al. 2024,
arXiv:2402.12030); what is only one model's, GOLD compares by sorted chances, and a group entry by entry, which holds
it against a student that it spells a word in two tokens (docs/decisions/0012-distillation.md). That a text is compared
by its chance is approximate likelihood matching (Minixhofer et al. 2025, arXiv:2503.20083).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import Any

import torch

from jobs.generation.stopping import Stops, template_end
from jobs.training.divergence import divergence
from studio_core.data.answer_spans import common
from studio_core.data.chat_format import ChatFormat, Rendered

Group = tuple[range, range]
"""Places of tokens of the student and of the teacher that are the same piece of text, among the tokens of answers."""

_BROKEN = "\N{REPLACEMENT CHARACTER}"
_AMID = -1
"""The end of a token that ends amid a letter, or that has no text."""
_SPACES = ("\N{LOWER ONE EIGHTH BLOCK}", "\N{LATIN CAPITAL LETTER G WITH DOT ABOVE}")
"""A space before a word as SentencePiece and as byte-level tokenizers write it."""
_LEAST = math.log(1e-8)
"""The chance under which all others count as one in a hundred million, as in TRL: a logarithm needs more than 0."""
_MOST = -1e-7
"""The logarithm of the highest chance: 32 bits tell it from 1, and what is left to others from 0."""


@dataclass(frozen=True)
class Speaker:
    """How a model spells a text, and how it ends an answer."""

    chat: ChatFormat
    stops: Stops
    ending: tuple[int, ...]
    """The tokens that its template ends an answer with; without one, its end of text."""

    @classmethod
    def of(cls, chat: ChatFormat, tokenizer: Any, stops: Stops) -> Speaker:
        end = template_end(tokenizer, chat.template.source)
        spelled = [
            token for text in end.texts for token in chat.tokenizer.encode(text, add_special_tokens=False).ids
        ]
        return cls(chat, stops, tuple(spelled or end.tokens[:1] or [tokenizer.eos_token_id]))

    def tokens(self, text: str, ended: bool) -> list[int]:
        """The tokens of an answer. Control tokens in its text are letters that somebody wrote."""
        [encoded] = self.chat.encode([Rendered(text, [], [*self.chat.control.places(text)])])
        return [*encoded.ids, *(self.ending if ended else ())]

    def text(self, answer: Sequence[int]) -> tuple[str, list[int]]:
        """The text of an answer's tokens, up to its end, and the letter at which each token ends.

        The end of an answer counts as one further letter; what comes after it has no place. Whatever stands before a
        token is decoded with it (512 tokens take some 50 ms), since decoders look back, and those of single bytes
        change what they wrote before (``DecodeStream`` refuses them).
        """
        content = [*takewhile(lambda token: token not in self.stops.tokens, answer)]
        # Of a letter that the limit cut through nothing was written.
        text = self._decode(content).rstrip(_BROKEN)
        text = text[: min((text.index(end) for end in self.stops.texts if end in text), default=len(text))]
        ends, last = list[int](), 0
        for count in range(1, len(content) + 1):
            piece = self._decode(content[:count])
            # An end that the template spells in ordinary letters.
            if any(end in piece for end in self.stops.texts):
                break
            whole = len(piece) > last and text.startswith(piece)
            last = len(piece) if whole else last
            ends.append(last if whole else _AMID)
        if len(ends) < len(answer):
            ends.append(len(text) + 1)
        return text, ends + [_AMID] * (len(answer) - len(ends))

    def _decode(self, tokens: list[int]) -> str:
        text: str = self.chat.tokenizer.decode(tokens, skip_special_tokens=True)
        return text


def aligned(student: tuple[str, list[int]], teacher: tuple[str, list[int]]) -> list[Group]:
    """The groups of one answer as both spell it, as far as their texts are the same."""
    same = student[0] == teacher[0]
    limit = len(student[0]) + 1 if same else common(student[0], teacher[0])
    ours, theirs = (
        {end: count for count, end in enumerate(ends, 1) if 0 <= end <= limit}
        for _, ends in (student, teacher)
    )
    groups, first, other = [], 0, 0
    for end in sorted(ours.keys() & theirs.keys()):
        groups.append((range(first, ours[end]), range(other, theirs[end])))
        first, other = ours[end], theirs[end]
    return groups


@dataclass(frozen=True)
class OtherTokens:
    """A student and a teacher with tokens of its own."""

    student: Speaker
    teacher: Speaker

    def groups(self, student: Sequence[Sequence[int]], teacher: Sequence[Sequence[int]]) -> list[Group]:
        """The groups of the answers of one conversation; places go on from answer to answer."""
        groups, first, other = [], 0, 0
        for ours, theirs in zip(student, teacher, strict=False):  # One of them may be cut off earlier.
            for left, right in aligned(self.student.text(ours), self.teacher.text(theirs)):
                groups.append(
                    (
                        range(first + left.start, first + left.stop),
                        range(other + right.start, other + right.stop),
                    )
                )
            first, other = first + len(ours), other + len(theirs)
        return groups

    @cached_property
    def shared(self) -> dict[int, int]:
        """Tokens of the student that the teacher has as well, with their numbers there; the ends of answers are one.

        By how vocabularies write them, as in GOLD, but for a space before a word, which is written in two ways.
        """
        ours, theirs = (
            {name.replace(*_SPACES): number for name, number in each.chat.tokenizer.get_vocab().items()}
            for each in (self.student, self.teacher)
        )
        pairs = {number: theirs[name] for name, number in sorted(ours.items()) if name in theirs}
        if len(self.student.ending) == len(self.teacher.ending) == 1:
            [end], [other] = self.student.ending, self.teacher.ending
            pairs = {one: two for one, two in pairs.items() if one != end and two != other} | {end: other}
        return pairs


@dataclass(frozen=True)
class Said:
    """The tokens of answers, and what the model would have said in their places."""

    tokens: torch.Tensor
    """``(tokens)``"""
    logits: torch.Tensor
    """``(tokens, vocabulary)``"""


def compared(
    student: Said, teacher: Said, groups: Sequence[Group], shared: Mapping[int, int], beta: float
) -> tuple[torch.Tensor, int]:
    """The divergence of each group, ``(groups)``, in any order, and in how many groups both would say the same."""
    sides, spoken = (student, teacher), (student.tokens.tolist(), teacher.tokens.tolist())
    single, several = list[Group](), list[Group]()
    for group in groups:
        first, other = (tokens[places[0]] for tokens, places in zip(spoken, group, strict=True))
        alone = len(group[0]) == len(group[1]) == 1 and shared.get(first) == other
        (single if alone else several).append(group)
    likely = [side.logits.log_softmax(-1) for side in sides]
    best = [side.logits.argmax(-1).tolist() for side in sides]
    common_ids = [*map(list, (shared.keys(), shared.values()))]
    chances = [
        (_of_tokens(each, [group[side][0] for group in single], common_ids[side]),
         _of_texts(each, sides[side].tokens, [group[side] for group in several]))
        for side, each in enumerate(likely)
    ]  # fmt: skip
    losses = [divergence(ours, theirs, beta) for ours, theirs in zip(*chances, strict=True)]
    # Of a text that is several tokens it is known only whether each would say that text.
    agreed = sum(shared.get(best[0][ours[0]], -1) == best[1][theirs[0]] for ours, theirs in single)
    agreed += sum(
        all(best[side][place] == spoken[side][place] for side in (0, 1) for place in group[side])
        for group in several
    )
    return torch.cat(losses), agreed


def _of_tokens(likely: torch.Tensor, places: list[int], shared: list[int]) -> torch.Tensor:
    """Logarithms of the chances of these tokens and of all others together, ``(places, tokens + 1)``."""
    others = torch.ones(likely.shape[-1], dtype=torch.bool, device=likely.device)
    others[shared] = False
    there = likely[places]
    rest = there[:, others].logsumexp(-1, keepdim=True).clamp(min=_LEAST)
    return torch.cat([there[:, shared], rest], -1)


def _of_texts(likely: torch.Tensor, tokens: torch.Tensor, groups: list[range]) -> torch.Tensor:
    """Logarithms of the chance of each group's text and of any other, ``(groups, 2)``."""
    of_token = likely.gather(-1, tokens[:, None])[:, 0]
    of_text = [of_token[places.start : places.stop].sum() for places in groups]
    text = torch.stack(of_text or [of_token[:0].sum()]).clamp(min=_LEAST, max=_MOST)[: len(groups)]
    return torch.stack([text, (-text.expm1()).log()], -1)
