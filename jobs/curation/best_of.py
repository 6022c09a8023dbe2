"""Several answers to each prompt, scored; the best is kept, or the best and the worst as a pair."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from jobs.curation.answering import Answers, engine, readable
from jobs.curation.distribution import distribution
from jobs.curation.prompts import asked_records, several, stored_prompt
from jobs.generation.answering import Question
from studio_core import rewards
from studio_core.base.errors import BadInput
from studio_core.curation.asking import answered
from studio_core.curation.base import Work
from studio_core.curation.best_of import BestOfOptions
from studio_core.data.shapes import Message, Record, Shape, question_text
from studio_core.generation import judging
from studio_core.generation.sampling import greedy
from studio_core.rewards.base import held

Score = Callable[[Record, Question, str], float | None]
"""How good an answer of this text is; None if nobody could say."""

# Room for a few sentences before the verdict; longer ones are cut and count as unreadable.
JUDGE_TOKENS = 512
LOOKED_AT = 1000
"""Records in which a reference answer is looked for."""


@dataclass(frozen=True)
class Candidate:
    text: str
    score: float
    times: int
    """How many of the answers say this."""


def run(work: Work, options: BestOfOptions) -> None:
    _check_references(work, options)
    answers = Answers(work, engine(work, options), options.sampling(work.seed))
    passes = 1 + {"reward": 0, "judge": 1, "reward_model": len(options.reward_model)}[options.scored_by]
    total = work.source.rows * options.k * passes
    answers.fetch(
        (
            one
            for _, _, question in asked_records(work, options.system)
            for one in several(question, options.k)
        ),
        total,
    )
    texts = Texts(work, options, answers)
    score = _scorer(work, options, texts, total)
    pairs = options.result == "pairs"
    made = work.output(Shape.PREFERENCE if pairs else Shape.PROMPT_COMPLETION, keep=[])
    best_scores, mean_scores = [], []
    for row, record, question in asked_records(work, options.system, count=True):
        candidates = _candidates(record, question, texts, score)
        if candidates:
            best_scores.append(candidates[-1].score)
            mean_scores.append(
                sum(one.score * one.times for one in candidates) / sum(one.times for one in candidates)
            )
        prompt = stored_prompt(record, question, options.keep_system)
        record = (
            _pair(work, options, prompt, candidates) if pairs else _best(work, options, prompt, candidates)
        )
        if record:
            made.add(record, row)
            work.count("kept")
    work.details["distribution"] = distribution(
        {"mean": np.array(mean_scores, np.float32), "best": np.array(best_scores, np.float32)},
        options.min_score,
        *_range(options),
    )


def _range(options: BestOfOptions) -> tuple[float | None, float | None]:
    """The lowest and the highest score that there can be, where that is known."""
    if options.scored_by == "reward_model":
        return None, None
    if options.scored_by == "judge":
        return judging.LOWEST, judging.HIGHEST
    reward = rewards.named(options.reward)
    return reward.lowest, reward.highest


def _check_references(work: Work, options: BestOfOptions) -> None:
    """Before anything is asked: there must be answers to compare with."""
    if options.scored_by != "reward":
        return
    reward = rewards.named(options.reward)
    columns = reward.columns(reward.checked(options.reward_options))
    if columns and not any(held(record, columns) for record in islice(work.source.records(), LOOKED_AT)):
        raise BadInput("generation.no_reference", dataset=work.source.title, columns=", ".join(columns))


class Texts:
    """The different usable answers to a question, each with how often it was given."""

    def __init__(self, work: Work, options: BestOfOptions, answers: Answers) -> None:
        self._options, self._answers = options, answers
        self._work = work

    def __call__(self, question: Question) -> dict[str, int]:
        found: dict[str, int] = {}
        for one in several(question, self._options.k):
            answer = self._answers(one)
            cut = answer is not None and self._options.drop_truncated and answer.reason == "length"
            if answer is not None and not cut and answer.text.strip():
                text = answer.text.strip()
                found[text] = found.get(text, 0) + 1
        return found


def _candidates(record: Record, question: Question, texts: Texts, score: Score) -> list[Candidate]:
    """From the worst to the best; between equals the one that came first is the better one."""
    scored = [(text, times, score(record, question, text)) for text, times in texts(question).items()]
    known = [Candidate(text, value, times) for text, times, value in scored if value is not None]
    places = sorted(range(len(known)), key=lambda place: (known[place].score, -place))
    return [known[place] for place in places]


def _best(
    work: Work, options: BestOfOptions, prompt: list[Message], candidates: list[Candidate]
) -> Record | None:
    if not candidates:
        work.drop("no_candidate")
    elif candidates[-1].score - candidates[0].score < options.margin:
        work.drop("small_margin")
    elif options.min_score is not None and candidates[-1].score < options.min_score:
        work.drop("low_score")
    else:
        return answered(prompt, candidates[-1].text, Shape.PROMPT_COMPLETION)
    return None


def _pair(
    work: Work, options: BestOfOptions, prompt: list[Message], candidates: list[Candidate]
) -> Record | None:
    if not candidates:
        work.drop("no_candidate")
    elif len(candidates) < 2:
        work.drop("identical")
    elif candidates[-1].score == candidates[0].score:
        work.drop("tie")
    elif candidates[-1].score - candidates[0].score < options.margin:
        work.drop("small_margin")
    elif options.min_score is not None and candidates[-1].score < options.min_score:
        work.drop("low_score")
    else:
        chosen, rejected = ([{"role": "assistant", "content": candidates[place].text}] for place in (-1, 0))
        return {"prompt": prompt, "chosen": chosen, "rejected": rejected}
    return None


def _scorer(work: Work, options: BestOfOptions, texts: Texts, total: int) -> Score:
    if options.scored_by == "reward":
        return _reward(work, options)
    asked = work.source.rows * options.k
    if options.scored_by == "judge":
        return _judge(work, options, texts, total, asked)
    return _reward_models(work, options, texts, total, asked)


def _reward(work: Work, options: BestOfOptions) -> Score:
    """An answer that the reward fails on has no score, which is counted."""
    scores = rewards.scores(options.reward, options.reward_options)

    def score(record: Record, question: Question, text: str) -> float | None:
        [value] = scores([(question_text(question.messages), text, record)])
        if isinstance(value, Exception) or not math.isfinite(value):
            work.count("unscored")
            return None
        return value

    return score


def _reward_models(work: Work, options: BestOfOptions, texts: Texts, total: int, done: int) -> Score:
    # Only here: torch takes seconds to load.
    from jobs.curation.reward_model import RewardScores

    scores = RewardScores(work, options.step_aggregation, options.disagreement_penalty)

    def items() -> Iterator[tuple[list[Message], str]]:
        for _, _, question in asked_records(work, options.system):
            for text in texts(question):
                yield question.messages, text

    scores.fetch(items, total, done)

    def score(record: Record, question: Question, text: str) -> float | None:
        known = scores(question.messages, text)
        return None if known is None else known.value

    return score


def _judge(work: Work, options: BestOfOptions, texts: Texts, total: int, done: int) -> Score:
    sampling = greedy(JUDGE_TOKENS, seed=work.seed)
    judge = Answers(work, engine(work, options, "judge_model", "judge_service"), sampling, readable)

    def asked(question: Question, text: str) -> Question:
        return Question(judging.question(question_text(question.messages), text, options.rubric))

    def questions() -> Iterator[Question]:
        for _, _, question in asked_records(work, options.system):
            for text in texts(question):
                yield asked(question, text)

    judge.fetch(questions(), total, done)

    def score(record: Record, question: Question, text: str) -> float | None:
        reply = judge(asked(question, text))
        return judging.score(reply.text) if reply else None

    return score
