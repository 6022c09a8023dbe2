"""MT-Bench: questions of two turns, each answer given a score from 1 to 10, or compared with the baseline's.

Zheng et al. 2023, "Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena". Questions of mathematics, reasoning and
coding are judged beside a reference where the item has one (``references.joined`` brings the published file's); one
without is judged by the general prompt, counted (``without_reference``), and says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from statistics import fmean
from typing import Annotated, Any

from pydantic import field_validator

from studio_core.data.shapes import Message
from studio_core.options import option
from studio_core.suites.base import Item, Verdict, asked
from studio_core.suites.judged.mt_bench_prompts import PAIR, SINGLE
from studio_core.suites.judged.pairs import both_orders, pair_summary, pair_value
from studio_core.suites.judged.prompts import Prompt, prompts_of
from studio_core.suites.judged.protocol import (
    HIGHEST,
    LOWEST,
    Figure,
    Game,
    Judgement,
    Judging,
    Outcome,
    Protocol,
    ProtocolOptions,
    Reply,
    Summary,
    by_kind,
    existing,
    last_match,
    mean_score,
    unreadable,
    unreadable_count,
)
from studio_core.suites.judged.references import of_record

TEMPERATURES = {
    "writing": 0.7,
    "roleplay": 0.7,
    "extraction": 0.0,
    "math": 0.0,
    "coding": 0.0,
    "reasoning": 0.0,
    "stem": 0.1,
    "humanities": 0.1,
}
"""The candidate's, by category, as published."""
WITH_REFERENCE = ("math", "reasoning", "coding")
# 2,048 as published; reasons of a few sentences are some 250.
_JUDGING = Judging(max_tokens=2048, reply_tokens=250)
# Bounded, unlike those published: a judge may write any number of digits.
_RATING = re.compile(r"\[\[(\d{1,4}\.?\d{0,4})\]\]")
_RATING_BACKUP = re.compile(r"\[(\d{1,4}\.?\d{0,4})\]")
_CHOICE = re.compile(r"\[\[([ABC])\]\]")
_PREFERENCES = {"A": 1.0, "B": 0.0, "C": 0.5}


def item(suite: str, record: Mapping[str, Any], number: int) -> Item:
    """Of FastChat's file (``question_id``, ``turns``) or of the Hub's (``prompt_id``, ``prompt``)."""
    turns = record["turns"] if "turns" in record else record["prompt"]
    if not isinstance(turns, list):
        raise TypeError(turns)
    first, *further = map(str, turns)
    return Item(
        suite,
        str(record["category"]),
        asked(first),
        key="",
        id=str(record["question_id"] if "question_id" in record else record["prompt_id"]),
        follow_ups=tuple(further),
        record=of_record(record),
    )


def _references(item: Item, turn: int) -> Sequence[str]:
    """Those up to this turn, where the judge needs them; none where one of them is not there."""
    references: Sequence[str] = item.record.get("reference", ())[:turn]
    return references if item.kind in WITH_REFERENCE and len(references) == turn and all(references) else ()


def _prompt_name(kind: str, item: Item, turn: int) -> str:
    general = "v2" if kind == "pair" else "v1"
    name = f"{kind}-math-v1" if _references(item, turn) else f"{kind}-{general}"
    return f"{name}-multi-turn" if turn > 1 else name


def _texts(item: Item, turn: int) -> dict[str, str]:
    """What all prompts of a turn quote: of the second the first as well."""
    questions = enumerate([item.question, *item.follow_ups][:turn], start=1)
    references = enumerate(_references(item, turn), start=1)
    return {
        "question": item.question,
        **{f"question_{number}": question for number, question in questions},
        **{f"ref_answer_{number}": reference for number, reference in references},
    }


def _without_reference(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Answers that should have been judged beside a reference and were not."""
    count = sum(
        not _references(outcome.item, turn)
        for outcome in outcomes
        if outcome.item.kind in WITH_REFERENCE
        for turn in {game.turn for game in outcome.games}
    )
    return {"without_reference": count} if count else {}


# Published lines in place of ours; empty: ours.
Prompts = Annotated[str, option("", kind="prompt")]


class MtBenchOptions(ProtocolOptions):
    prompts: Prompts = ""

    @field_validator("prompts")
    @classmethod
    def _can_be_read(cls, prompts: str) -> str:
        prompts_of(prompts, SINGLE)
        return prompts


class MtBenchPairsOptions(ProtocolOptions):
    prompts: Prompts = ""

    @field_validator("prompts")
    @classmethod
    def _can_be_read(cls, prompts: str) -> str:
        prompts_of(prompts, PAIR)
        return prompts


class MtBench(Protocol):
    """Each answer by itself: a score from 1 to 10."""

    options: MtBenchOptions
    Options = MtBenchOptions
    name = "mt_bench"
    unit = "score"
    judging = _JUDGING

    @cached_property
    def prompts(self) -> Mapping[str, Prompt]:
        return prompts_of(self.options.prompts, SINGLE)

    def games(self, item: Item, answers: Sequence[str], baseline: Sequence[str] = ()) -> list[Game]:
        return [Game(self._messages(item, answers, turn), turn) for turn in range(1, len(answers) + 1)]

    def _messages(self, item: Item, answers: Sequence[str], turn: int) -> tuple[Message, ...]:
        numbered = {f"answer_{number}": answer for number, answer in enumerate(answers[:turn], start=1)}
        prompt = self.prompts[_prompt_name("single", item, turn)]
        return prompt.filled(**_texts(item, turn), **numbered, answer=answers[0])

    def read(self, reply: Reply) -> Judgement | None:
        rating = float(last_match(reply.text, _RATING, _RATING_BACKUP) or 0)
        return Judgement(rating) if LOWEST <= rating <= HIGHEST else None

    def value(self, outcome: Outcome) -> Verdict:
        ratings = _ratings(outcome)
        if not ratings:
            return unreadable(outcome)
        value = (fmean(ratings) - LOWEST) / (HIGHEST - LOWEST)
        reason = "judge_score_alone" if _without_reference([outcome]) else "judge_score"
        return Verdict(value, reason, {"scores": ", ".join(f"{rating:g}" for rating in ratings)})

    def summary(self, outcomes: Sequence[Outcome]) -> Summary:
        turns = sorted({game.turn for outcome in outcomes for game in outcome.games})
        by_turn = {f"turn_{turn}": _score(outcomes, turn) for turn in turns}
        return Summary(
            existing({"score": _score(outcomes), **by_turn}),
            by_kind(outcomes, _score),
            _without_reference(outcomes),
            sum(bool(_ratings(outcome)) for outcome in outcomes),
            unreadable_count(outcomes),
        )


def _ratings(outcome: Outcome, turn: int | None = None) -> list[float]:
    return [judgement.value for game, judgement in outcome.pairs if turn in (None, game.turn)]


def _score(outcomes: Sequence[Outcome], turn: int | None = None) -> Figure | None:
    return mean_score([_ratings(outcome, turn) for outcome in outcomes], LOWEST, HIGHEST)


class MtBenchPairs(Protocol):
    """Each answer beside the baseline's, in both orders; the win rate counts ties half ("adjusted")."""

    options: MtBenchPairsOptions
    Options = MtBenchPairsOptions
    name = "mt_bench_pairs"
    compares = True
    judging = _JUDGING

    @cached_property
    def prompts(self) -> Mapping[str, Prompt]:
        return prompts_of(self.options.prompts, PAIR)

    def games(self, item: Item, answers: Sequence[str], baseline: Sequence[str] = ()) -> list[Game]:
        return [
            game
            for turn in range(1, len(answers) + 1)
            for game in both_orders(partial(self._messages, item, turn), answers, baseline, turn)
        ]

    def _messages(
        self, item: Item, turn: int, first: Sequence[str], second: Sequence[str]
    ) -> tuple[Message, ...]:
        numbered = {
            f"answer_{side}_{number}": answer
            for side, answers in (("a", first), ("b", second))
            for number, answer in enumerate(answers[:turn], start=1)
        }
        prompt = self.prompts[_prompt_name("pair", item, turn)]
        return prompt.filled(**_texts(item, turn), **numbered, answer_a=first[0], answer_b=second[0])

    def read(self, reply: Reply) -> Judgement | None:
        choice = last_match(reply.text, _CHOICE)
        return Judgement(_PREFERENCES[choice]) if choice else None

    def value(self, outcome: Outcome) -> Verdict:
        return pair_value(outcome)

    def summary(self, outcomes: Sequence[Outcome]) -> Summary:
        summary = pair_summary(outcomes)
        return replace(summary, counts={**summary.counts, **_without_reference(outcomes)})
