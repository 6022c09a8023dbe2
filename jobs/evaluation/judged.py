"""Items of which a judge says what their answers are worth: the model writes, then the judge is asked by a protocol.

A protocol that compares has the first model of the job as its baseline, whose own value is 0.5 without a question: an
answer beside itself is a tie. So the paired test of a report, which takes the values of both models, says whether a win
rate is other than one half.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import Any

from jobs.curation.answering import Answers, local, named_service
from jobs.evaluation import writing
from jobs.evaluation.questions import Questions
from jobs.generation.answering import Engine, Question
from jobs.generation.engines.service import ServiceEngine
from studio_core.base.errors import BadInput
from studio_core.curation.base import Work
from studio_core.evaluation.items_file import AnsweredItem
from studio_core.generation.asking import Answer
from studio_core.generation.sampling import Sampling
from studio_core.suites import Item
from studio_core.suites.judged.protocol import (
    HIGHEST,
    LOWEST,
    Figure,
    Game,
    Judgement,
    Outcome,
    Protocol,
    Reply,
    Summary,
)
from studio_core.suites.judged.references import generators, references

FIGURES = "judged"
"""Where the protocol's figures stand in the details of the work, and then in the figures of the evaluation."""
ANSWERED = "answered"
"""Where the model's answers stand in the details of the work: they stay, though the judge may fail."""
HALF = Figure(0.5, 0.5, 0.5)


@dataclass
class Bench:
    """Who judges, beside whom, and what that one has answered to each suite so far."""

    judge: Engine
    baseline: str
    rows: dict[str, list[AnsweredItem]]

    @property
    def refuses_logprobs(self) -> bool:
        return isinstance(self.judge, ServiceEngine) and not self.judge.dialect.logprobs


def bench(work: Work, service: str, baseline: str) -> Bench:
    """The judge is the model ``judge`` of the work, or the service of this name."""
    engine = local(work, "judge") if "judge" in work.models else ServiceEngine(named_service(work, service))
    return Bench(engine, baseline, {})


def answered(
    work: Work, engine: Engine, bench: Bench, questions: Questions, done: int, total: int
) -> list[AnsweredItem]:
    """All items with their answers and verdicts; what the protocol makes of them goes into ``work.details``."""
    suite, protocol = questions.suite.name, questions.suite.protocol
    if protocol is None:
        raise BadInput("suites.needs_judge", suite=suite)
    rows = work.details[ANSWERED] = written(work, engine, questions, done, total)
    if protocol.needs_baseline and engine.name == bench.baseline:
        bench.rows[suite] = rows
        work.details[FIGURES] = {"baseline": engine.name, "figures": {"win_rate": _figure(HALF)}}
        return [replace(row, values=(0.5,), reason="judge_baseline") if row.readable else row for row in rows]
    beside = bench.rows.get(suite, []) if protocol.needs_baseline else rows
    if not beside:
        raise BadInput("evaluation.baseline_unanswered", suite=suite, baseline=bench.baseline)
    outcomes = [
        _asked(protocol, item, row, other)
        for item, row, other in zip(questions.items, rows, beside, strict=True)
    ]
    if not work.stopping():
        outcomes = _judged(work, bench, protocol, outcomes, done + questions.written, total)
        if protocol.takes_published:
            work.details[FIGURES] |= _published(questions.items)
    return [
        _left_out(row, protocol, item) if outcome is None else _row(row, protocol, outcome)
        for row, item, outcome in zip(rows, questions.items, outcomes, strict=True)
    ]


def _published(items: Sequence[Item]) -> dict[str, Any]:
    """Whose published answers were the baseline, and to how many items there is none."""
    lacking = sum(not references(item) for item in items)
    return {"published": generators(items), **({"no_published": lacking} if lacking else {})}


def _left_out(row: AnsweredItem, protocol: Protocol, item: Item) -> AnsweredItem:
    """An item that nothing was asked of, and why."""
    if row.readable and protocol.takes_published and not references(item):
        return replace(row, reason="no_published")
    return row


def headline(figures: dict[str, Any]) -> float | None:
    """What the protocol's figures are quoted by; None of a baseline, of which nothing was measured."""
    first = next(iter(figures["figures"].values()), None)
    return first["value"] if first and "judge" in figures else None


def written(work: Work, engine: Engine, questions: Questions, done: int, total: int) -> list[AnsweredItem]:
    """The model's answers without a value, each item's drawn as warm as the suite says of its kind."""
    suite, rows = questions.suite, {}
    by_temperature = groupby(sorted(questions.items, key=suite.temperature_of), suite.temperature_of)
    for temperature, items in by_temperature:
        part = replace(questions, suite=replace(suite, temperature=temperature), items=tuple(items))
        answers = Answers(work, engine, writing.sampling_of(part.suite, work.seed))
        rows.update({row.item: _unjudged(row) for row in writing.answered(answers, part, done, total)})
        done += part.written
    return [rows[item.id] for item in questions.items]


def _unjudged(row: AnsweredItem) -> AnsweredItem:
    if row.reason == "unanswered":
        return replace(row, values=(math.nan,), readable=False)
    return replace(row, values=(math.nan,), readable=True, reason="", reason_values={})


def turns(item: Item, row: AnsweredItem) -> list[str]:
    """What the model said at each turn: all but the last stand in the conversation."""
    later = row.prompt[len(item.messages) :]
    return [*(message["content"] for message in later if message["role"] == "assistant"), row.answers[0]]


def _asked(protocol: Protocol, item: Item, row: AnsweredItem, other: AnsweredItem) -> Outcome | None:
    """What the judge is to be asked, without its judgements; None where an answer is not there."""
    if not (row.readable and other.readable):
        return None
    answers = turns(item, row)
    baseline = turns(item, other) if protocol.needs_baseline else []
    if protocol.takes_published:
        baseline = [*references(item)]
    if protocol.compares and not baseline:
        return None
    return Outcome(item, answers, baseline, protocol.games(item, answers, baseline), ())


def _judged(
    work: Work, bench: Bench, protocol: Protocol, outcomes: Sequence[Outcome | None], done: int, total: int
) -> list[Outcome | None]:
    """The same with their judgements."""

    def readable(answer: Answer) -> bool:
        return _judgement(protocol, answer) is not None

    asking = replace(work, details={})
    answers = Answers(asking, bench.judge, sampling_of(protocol, work.seed), readable)
    games = [game for outcome in outcomes if outcome for game in outcome.games]
    answers.fetch((_question(game) for game in games), total, done)
    whole = [
        outcome
        and replace(
            outcome, judgements=[_judgement(protocol, answers(_question(game))) for game in outcome.games]
        )
        for outcome in outcomes
    ]
    replies = [answers(_question(game)) for game in games]
    summary = protocol.summary([outcome for outcome in whole if outcome])
    work.details[FIGURES] = {
        "judge": bench.judge.name,
        "protocol": protocol.name,
        **({"baseline": bench.baseline} if protocol.needs_baseline else {}),
        **_document(summary),
        **_effort(asking.details["answers"][0]),
        "unanswered": (unanswered := sum(reply is None for reply in replies)),
        "unreadable": summary.unreadable - unanswered,
        **({"read_from_text": _from_text(replies)} if protocol.judging.top_logprobs else {}),
        **({"logprobs_refused": True} if protocol.judging.top_logprobs and bench.refuses_logprobs else {}),
    }
    return whole


def sampling_of(protocol: Protocol, seed: int) -> Sampling:
    """How the judge's replies are drawn."""
    judging = protocol.judging
    return Sampling(
        temperature=judging.temperature,
        top_p=1.0,
        max_tokens=judging.max_tokens,
        logprobs=judging.top_logprobs > 0,
        top_logprobs=judging.top_logprobs,
        seed=seed,
    )


def _question(game: Game) -> Question:
    return Question([*game.messages])


def _judgement(protocol: Protocol, answer: Answer | None) -> Judgement | None:
    return None if answer is None else protocol.read(Reply(answer.text, answer.first_token))


def _from_text(replies: Sequence[Answer | None]) -> int:
    """Replies that came without the log-probabilities that were wanted: they say all or nothing."""
    return sum(reply is not None and not reply.first_token for reply in replies)


def _row(row: AnsweredItem, protocol: Protocol, outcome: Outcome) -> AnsweredItem:
    verdict = protocol.value(outcome)
    value = LOWEST + (HIGHEST - LOWEST) * verdict.value if protocol.unit == "score" else verdict.value
    return replace(
        row,
        # Rounded: a score of 7 is not to be 7.000000000000001.
        values=(round(value, 9) if verdict.readable else math.nan,),
        reason=verdict.reason,
        reason_values=dict(verdict.values),
        readable=verdict.readable,
    )


def _document(summary: Summary) -> dict[str, Any]:
    """The protocol's figures as they are kept; the first one is the one to quote."""
    named = {"figures": summary.figures, "kinds": summary.kinds, "parts": summary.parts}
    return {
        **{
            group: {name: _figure(each) for name, each in figures.items()} for group, figures in named.items()
        },
        "counts": dict(summary.counts),
        "items": summary.items,
        "consistency": summary.consistency and _figure(summary.consistency),
    }


def _figure(figure: Figure) -> dict[str, float]:
    return {name: value for name, value in asdict(figure).items() if value is not None}


def _effort(tally: dict[str, Any]) -> dict[str, Any]:
    """What the judge was asked, and what that took."""
    kept = ("cached", "tokens_in", "tokens_out", "cost", "saved", "priced", "reasons")
    return {"calls": tally["asked"], **{name: tally[name] for name in kept}}
