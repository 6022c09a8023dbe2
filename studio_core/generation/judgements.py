"""What a judge is asked about answers that are learnt from, and what its replies make of them: values of 0 to 1.

Whoever has replies can use it: the worker of a training, and a trial of rewards before the start. No database here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from random import Random

from studio_core.base.errors import BadInput
from studio_core.data.shapes import Message, Record, question_text
from studio_core.generation import judging, services
from studio_core.generation.asking import ask_together
from studio_core.generation.sampling import greedy
from studio_core.options.criteria import criteria_of
from studio_core.rewards.base import Answered
from studio_core.rewards.judge import JudgeOptions, RankingOptions

Replies = Callable[[Sequence[list[Message]]], list[str | Exception]]
"""A judge: its replies to questions; where there is none, why."""
Parts = dict[str, list[float | Exception]]
"""The values of many answers by the empty name, and by the names of criteria those that they are made of."""


def parts(
    judge: Replies, options: JudgeOptions | RankingOptions, answered: Sequence[Answered], seed: int
) -> Parts:
    """What a judge says of answers, as the options of the reward want it."""
    if isinstance(options, RankingOptions):
        return _ranked(judge, options, answered, seed)
    return _scored(judge, options, answered)


def of_service(file: Path, options: JudgeOptions | RankingOptions) -> Replies:
    """The service that the options name, asked once. Raises ``NotFound`` if there is none of that name."""
    service = services.get(file, options.service)

    def replies(questions: Sequence[list[Message]]) -> list[str | Exception]:
        answers = ask_together(service, questions, greedy(options.judge_tokens), at_once=options.concurrency)
        return [answer if isinstance(answer, Exception) else answer.text for answer in answers]

    return replies


def _scored(judge: Replies, options: JudgeOptions, answered: Sequence[Answered]) -> Parts:
    """Scores of 0 to 1 by the names of the criteria, and their weighted mean by the empty name.

    An answer of which one criterion is not known has no mean: it would be one by another rubric.
    """
    criteria = criteria_of(options.criteria)
    questions = [
        judging.question(_asked(prompt, record), answer, criterion.text)
        for criterion in criteria
        for prompt, answer, record in answered
    ]
    replies = iter(judge(questions))
    by_name: Parts = {criterion.name: [_score(next(replies)) for _ in answered] for criterion in criteria}
    whole = sum(criterion.weight for criterion in criteria)
    by_name[""] = [
        next((score for score in scores if isinstance(score, Exception)), None)
        or sum(criterion.weight * score for criterion, score in zip(criteria, scores, strict=True)) / whole
        for scores in zip(*by_name.values(), strict=True)
    ]
    return by_name


def _asked(prompt: str, record: Record) -> str:
    """All that was asked, which is the last turn where the record has no more."""
    turns = record.get("prompt")
    return question_text(turns) if isinstance(turns, list) and turns else prompt


def _score(reply: str | Exception) -> float | Exception:
    if isinstance(reply, Exception):
        return reply
    score = judging.score(reply)
    if score is None:
        return _unreadable(reply)
    return (score - judging.LOWEST) / (judging.HIGHEST - judging.LOWEST)


def _ranked(judge: Replies, options: RankingOptions, answered: Sequence[Answered], seed: int) -> Parts:
    """The place of each answer among those to its prompt, which stand together: 1 is the best, 0 the worst.

    The order in which the judge sees them is drawn for each group, since judges favour what stands first. In both
    orders it is asked a second time with the order turned round; the value is the mean of both places, and
    ``disagreement`` says of each answer how far they are apart. Equal texts are one answer to it, and share their
    places as what it calls equal does.
    """
    groups = [[*group] for _, group in groupby(answered, key=itemgetter(0, 2))]
    drawn = [_order(group, seed) for group in groups]
    ways = [drawn, [order[::-1] for order in drawn]] if options.both_orders else [drawn]
    questions = [
        judging.ranking_question(_asked(group[0][0], group[0][2]), order, options.rubric)
        for orders in ways
        for group, order in zip(groups, orders, strict=True)
        if len(order) > 1
    ]
    replies = iter(judge(questions))
    places = [
        [
            value
            for group, order in zip(groups, orders, strict=True)
            for value in _places(
                [answer for _, answer, _ in group], order, next(replies) if len(order) > 1 else None
            )
        ]
        for orders in ways
    ]
    if len(ways) == 1:
        return {"": places[0]}
    return {
        "": [_both(pair, lambda first, second: (first + second) / 2) for pair in zip(*places, strict=True)],
        "disagreement": [
            _both(pair, lambda first, second: abs(first - second)) for pair in zip(*places, strict=True)
        ],
    }


def _both(pair: tuple[float | Exception, ...], of: Callable[[float, float], float]) -> float | Exception:
    """Of the places by both orders; where one cannot be read there is none, or the favour for a place would stay."""
    first, second = pair
    if isinstance(first, Exception):
        return first
    return second if isinstance(second, Exception) else of(first, second)


def _order(group: Sequence[Answered], seed: int) -> list[str]:
    """The different answers, as the judge sees them: the same for the same group, also in a resumed run."""
    different = sorted({answer for _, answer, _ in group})
    return Random(f"{seed}/{group[0][0]}/{different}").sample(different, len(different))


def _places(
    group: Sequence[str], order: Sequence[str], reply: str | Exception | None
) -> list[float | Exception]:
    if len(group) < 2:
        return [BadInput("rewards.nothing_to_compare")]
    if isinstance(reply, Exception):
        return [reply] * len(group)
    ranks = [1.0] if reply is None else judging.ranking(reply, len(order))
    if ranks is None:
        return [_unreadable(reply or "")] * len(group)
    by_text = dict(zip(order, ranks, strict=True))
    worse = [sum(by_text[other] > by_text[answer] for other in group) for answer in group]
    equal = [sum(by_text[other] == by_text[answer] for other in group) - 1 for answer in group]
    return [(below + alike / 2) / (len(group) - 1) for below, alike in zip(worse, equal, strict=True)]


def _unreadable(reply: str) -> Exception:
    return BadInput("rewards.judge_unreadable", reply=reply.strip()[:80] or "-")
