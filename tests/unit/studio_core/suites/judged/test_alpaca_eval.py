"""AlpacaEval by hand: preferences of log-probabilities, rates, and length taken out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from studio_core.suites import SUITES
from studio_core.suites.judged.alpaca_eval import AlpacaEval, length_controlled
from studio_core.suites.judged.protocol import Game, Outcome, Reply
from tests.unit.studio_core.suites.judged.mock import Judge, for_candidate, item, outcome

ALPACA = AlpacaEval()


def chance(m: float, other: float = 0.0) -> Reply:
    """Log-probabilities of m and M, of which 0 are not among the likeliest."""
    chances = {"m": m, "M": other, "The": 0.01}
    return Reply("", {token: math.log(value) for token, value in chances.items() if value})


@pytest.mark.parametrize(
    ("reply", "preference"),
    [
        (chance(0.6, 0.2), 0.75),
        (chance(0.9), 1.0),
        (chance(0.0, 0.9), 0.0),
        (Reply("m", {" m": math.log(0.3), "m": math.log(0.3), "M": math.log(0.2)}), 0.75),
        (Reply("M", {"The": -0.1}), 0.0),
        (Reply("m"), 1.0),
        (Reply("I'm for m, no: M."), 0.0),
        (Reply("neither"), None),
        (Reply(""), None),
    ],
)
def test_what_a_reply_prefers(reply: Reply, preference: float | None) -> None:
    judgement = ALPACA.read(reply)
    assert (judgement and judgement.value) == (
        preference if preference is None else pytest.approx(preference)
    )


def test_the_order_is_drawn_and_stays() -> None:
    items = [item(number=number) for number in range(200)]
    swapped = [ALPACA.games(each, ["a"], ["b"])[0].swapped for each in items]
    assert 70 < sum(swapped) < 130
    assert swapped == [ALPACA.games(each, ["c"], ["d"])[0].swapped for each in items]
    assert swapped != [AlpacaEval(seed=1).games(each, ["a"], ["b"])[0].swapped for each in items]


def judged(judge: Judge, lengths: list[tuple[int, int]]) -> list[Outcome]:
    """``lengths``: of the candidate's and the baseline's answers."""
    return [
        outcome(ALPACA, item(number=number), judge, ["x" * mine], ["y" * theirs])
        for number, (mine, theirs) in enumerate(lengths)
    ]


def test_rates_and_their_error() -> None:
    # The candidate is preferred with 0.9, 0.9, 0.5 and 0.1, wherever its answer stands.
    preferences = {f"Question {number}?": value for number, value in enumerate([0.9, 0.9, 0.5, 0.1])}

    def judge(game: Game) -> Reply:
        value = next(value for name, value in preferences.items() if name in game.messages[-1]["content"])
        return chance(1 - value, value) if game.swapped else chance(value, 1 - value)

    outcomes = judged(judge, [(10, 10)] * 4)
    summary = ALPACA.summary(outcomes)
    rate = summary.figures["win_rate"]
    assert (rate.value, summary.figures["discrete_win_rate"].value) == (pytest.approx(0.6), 0.625)
    # Squared distances from 0.6 add up to 0.44: the error is the root of 0.44 / 3 / 4.
    assert rate.error == pytest.approx(math.sqrt(0.44 / 12)) and rate.low < 0.6 < rate.high
    assert summary.counts == {"wins": 2, "losses": 1, "ties": 1}
    # Answers of one length: nothing is taken out but what the prior holds back, which of four items is a third.
    assert summary.figures["length_controlled"].value == pytest.approx(0.6, abs=0.04)
    assert ALPACA.value(outcomes[0]).value == pytest.approx(0.9)


def test_a_judge_that_likes_length_only_is_a_tie_at_equal_length() -> None:
    def longer(game: Game) -> str:
        content = game.messages[-1]["content"]
        first, second = (content.count("x"), content.count("y"))
        return for_candidate("m", "M")(game) if first > second else for_candidate("M", "m")(game)  # type: ignore[return-value]

    # Longer in three of four, by as much as it is shorter in the rest.
    lengths = [(300 + 40 * (n % 5), 200) if n % 4 else (200, 300 + 40 * (n % 5)) for n in range(200)]
    figures = ALPACA.summary(judged(longer, lengths)).figures
    assert figures["win_rate"].value == 0.75 and figures["win_rate"].low > 0.6
    controlled = figures["length_controlled"]
    assert 0.4 < controlled.value < 0.6 and controlled.low < 0.5 < controlled.high


def test_a_judge_that_likes_quality_keeps_its_rate_at_equal_length() -> None:
    lengths = [(100 + 10 * (n % 7), 130) for n in range(200)]
    figures = ALPACA.summary(judged(for_candidate("m", "M"), lengths)).figures
    assert figures["win_rate"].value == 1 and figures["length_controlled"].low > 0.9
    assert figures["length_controlled"].high < 1


def test_what_is_better_and_longer_is_told_apart() -> None:
    """Verdicts drawn from the model itself: a candidate of 0.6 at equal length, whose answers are mostly longer."""
    random = np.random.default_rng(0)
    longer = np.clip(random.normal(60, 120, 805).round(), -290, 900)
    chances = 1 / (1 + np.exp(-(math.log(0.6 / 0.4) + 1.5 * np.tanh(longer / longer.std()))))
    wins = iter(random.random(805) < chances)

    def judge(game: Game) -> str:
        return for_candidate("m", "M")(game) if next(wins) else for_candidate("M", "m")(game)  # type: ignore[return-value]

    figures = ALPACA.summary(judged(judge, [(300 + int(more), 300) for more in longer])).figures
    assert figures["win_rate"].low > 0.62
    assert figures["length_controlled"].low < 0.6 < figures["length_controlled"].high
    assert figures["length_controlled"].high - figures["length_controlled"].low < 0.1


def test_where_length_and_quality_cannot_be_told_apart_the_interval_says_so() -> None:
    controlled = length_controlled(judged(for_candidate("m", "M"), [(300, 100)] * 50))
    assert controlled is not None and controlled.high - controlled.low > 0.2


def test_what_cannot_be_read_is_counted() -> None:
    summary = ALPACA.summary(judged(lambda game: "neither", [(1, 1)] * 3))
    assert (summary.figures, summary.kinds, summary.items, summary.unreadable) == ({}, {}, 0, 3)
    assert ALPACA.value(judged(lambda game: "", [(1, 1)])[0]).readable is False


def test_one_token_a_call() -> None:
    cost = ALPACA.cost([item(number=number) for number in range(10)], [100] * 10)
    assert (cost.calls, cost.tokens_out, ALPACA.judging.top_logprobs) == (10, 10, 5)
    assert cost.tokens_in > 2000


def test_a_published_record_is_read() -> None:
    record = {"instruction": "Say a.", "dataset": "koala", "output": "a", "generator": "gpt4_1106_preview"}
    read = SUITES["alpaca_eval"].item("alpaca_eval", record, 1)
    assert (read.question, read.kind, read.record["reference"]) == ("Say a.", "koala", ["a"])
