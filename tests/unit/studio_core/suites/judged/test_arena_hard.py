"""Arena-Hard by hand: five grades, votes, and the bootstrap."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio_core.suites import SUITES
from studio_core.suites.judged import style
from studio_core.suites.judged.arena_hard import ArenaHard, style_controlled, vote_rate
from studio_core.suites.judged.protocol import Game, Outcome, Reply
from tests.unit.studio_core.suites.judged.mock import for_candidate, item, outcome, summary

ARENA = ArenaHard()
ITEMS = [item(number=number) for number in range(10)]


@pytest.mark.parametrize(
    ("reply", "value", "weight"),
    [
        ("[[A>>B]]", 1, 3),
        ("[[a>b]]", 1, 1),
        ("[[A=B]]", 0.5, 1),
        ("[[B=A]]", 0.5, 1),
        ("[[B>A]]", 0, 1),
        ("[[B>>A]]", 0, 3),
        ("[[A<B]]", 0, 1),
        ("[[B<<A]]", 1, 3),
        ("First [[A>B]], in the end [[B>>A]]", 0, 3),
        ("Verdict: [A>B]", 1, 1),
        ("<think>[[A>B]]</think> [[B>A]]", 0, 1),
    ],
)
def test_a_grade_is_the_last_in_brackets(reply: str, value: float, weight: int) -> None:
    judgement = ARENA.read(Reply(reply))
    assert judgement is not None and (judgement.value, judgement.weight) == (value, weight)


@pytest.mark.parametrize("reply", ["A>B", "[[A]]", "[[A>A]]", "[[A>>>B]]", "[[=]]", "<think>[[A>B]]", ""])
def test_what_is_no_grade_cannot_be_read(reply: str) -> None:
    assert ARENA.read(Reply(reply)) is None


def test_a_judge_that_names_the_first_place_wins_nothing() -> None:
    figures = summary(ARENA, ITEMS, lambda game: "[[A>B]]")
    assert figures.figures["win_rate"].value == 0.5
    assert figures.consistency is not None and figures.consistency.value == 0


def test_much_better_counts_three_votes() -> None:
    # Much better where it stands first, a little worse where it stands second: three of four votes.
    figures = summary(ARENA, ITEMS, for_candidate("[[A>>B]]", "[[A>B]]"))
    assert figures.figures["win_rate"].value == 0.75 and figures.counts == {"votes": 40}
    verdict = ARENA.value(outcome(ARENA, item(), for_candidate("[[A>>B]]", "[[A=B]]")))
    assert (verdict.value, verdict.values) == (3.5 / 4, {"won": "3.5", "votes": 4})


def test_grades_of_one_direction_are_consistent() -> None:
    figures = summary(ARENA, ITEMS, for_candidate("[[A>>B]]", "[[B>A]]"))
    assert figures.figures["win_rate"].value == 1
    assert figures.consistency is not None and figures.consistency.value == 1
    # Ten questions that all went one way are not certain.
    assert figures.figures["win_rate"].low < 0.9


def test_the_bootstrap_is_seeded_and_over_questions() -> None:
    votes = [(2, 2.0)] * 30 + [(2, 0.0)] * 20
    figure, uneven = vote_rate(votes), [*votes, (6, 3.0), (4, 1.0)]
    assert vote_rate(uneven) == vote_rate(uneven) != vote_rate(uneven, seed=1)
    # A share of 50 with 0.6: 1.645 deviations of 0.0693 to either side.
    assert figure is not None and figure.value == 0.6
    assert (figure.low, figure.high) == (pytest.approx(0.486, abs=0.03), pytest.approx(0.714, abs=0.03))
    assert vote_rate([]) is None and vote_rate([(0, 0.0)]) is None


def test_a_game_that_cannot_be_read_is_dropped_and_counted() -> None:
    figures = summary(ARENA, ITEMS, lambda game: "-" if game.swapped else "[[A>B]]")
    assert (figures.figures["win_rate"].value, figures.unreadable, figures.items) == (1, 10, 10)
    assert figures.consistency is None
    silent = summary(ARENA, ITEMS, lambda game: "-")
    assert (silent.figures, silent.items, silent.unreadable) == ({}, 0, 20)
    assert ARENA.value(outcome(ARENA, item(), lambda game: "-")).readable is False


def test_of_creative_writing_the_judge_writes_no_answer() -> None:
    def system(game: Game) -> str:
        return game.messages[0]["content"]

    assert "your own answer" in system(ARENA.games(item("hard_prompt"), ["a"], ["b"])[0])
    assert "your own answer" not in system(ARENA.games(item("creative_writing"), ["a"], ["b"])[0])


@pytest.mark.real_data
def test_the_published_questions(real_data: Path) -> None:
    items = SUITES["arena_hard"].read(real_data / "arena_hard" / "v0.1_question.jsonl")
    assert len(items) == 500 == len({each.id for each in items})
    cost = ARENA.cost(items, [300] * 500)
    assert cost.calls == 1000 and 700_000 < cost.tokens_in < 1_200_000
    for each in items:
        content = ARENA.games(each, ["mine"], ["theirs"])[0].messages[-1]["content"]
        assert each.question in content


def answer(words: int, bullets: int = 0) -> str:
    return "\n".join(["word " * words, *(f"- **point** {n}" for n in range(bullets))])


def styled(random: np.random.Generator, quality: float, taste: float, count: int = 300) -> list[Outcome]:
    """Outcomes of a judge whose verdict is drawn from the candidate's quality (a logit) and how much longer it is.

    The candidate's answers are the longer ones in three of four, and have lists more often.
    """
    outcomes = []
    for number in range(count):
        words = int(random.integers(40, 80))
        mine = answer(int(words * random.choice([1.5, 2.0, 2.5, 0.7])), int(random.integers(0, 6)))
        theirs = answer(words, int(random.integers(0, 3)))
        [(length, _, lists, _)] = raw([(mine, theirs)])
        chance = 1 / (1 + math.exp(-(quality + taste * (4 * length + 30 * lists))))
        # Both orders say the same of most questions: their games are not independent.
        grade = ("[[A>>B]]", "[[B>>A]]") if random.random() < chance else ("[[B>A]]", "[[A>B]]")
        outcomes.append(outcome(ARENA, item(number=number), for_candidate(*grade), [mine], [theirs]))
    return outcomes


def raw(pairs: list[tuple[str, str]]) -> Any:
    return [style._difference(*pair) for pair in pairs]


def test_a_judge_that_likes_style_alone_is_a_tie_at_equal_style() -> None:
    """Verdicts of one vote each way, so that half is half of the votes."""

    def judge(game: Game) -> str:
        text = game.messages[-1]["content"]
        first, second = (len(text.split(f"ANSWER {name}")[1]) for name in "AB")
        return "[[A>B]]" if first > second else "[[B>A]]"

    random = np.random.default_rng(0)
    pairs = [(int(random.choice([150, 160, 170, 70])), 100 + n % 7) for n in range(300)]
    outcomes = [
        outcome(ARENA, item(number=n), judge, [answer(mine)], [answer(theirs)])
        for n, (mine, theirs) in enumerate(pairs)
    ]
    figures = ARENA.summary(outcomes).figures
    assert figures["win_rate"].value > 0.65 and figures["win_rate"].low > 0.6
    controlled = figures["style_controlled"]
    assert controlled.low < 0.5 < controlled.high and abs(controlled.value - 0.5) < 0.1


def test_what_is_better_and_better_looking_is_told_apart() -> None:
    """Of a judge that likes both, the controlled rate is that of quality; in nine of ten intervals at 90 %."""
    held = 0
    for seed in range(40):
        controlled = style_controlled(styled(np.random.default_rng(seed), quality=0.0, taste=1.0))
        # A win is three votes, a loss one: at even chances the votes are won by 3 of 4.
        assert controlled is not None and controlled.level == pytest.approx(0.9)
        held += controlled.low < 0.75 < controlled.high
    assert held >= 34


def test_without_differences_in_style_the_rate_stays() -> None:
    outcomes = [
        outcome(ARENA, item(number=n), for_candidate(*grade), [answer(50)], [answer(50)])
        for n, grade in enumerate([("[[A>B]]", "[[B>A]]")] * 70 + [("[[B>A]]", "[[A>B]]")] * 30)
    ]
    controlled = style_controlled(outcomes)
    assert controlled is not None and controlled.value == pytest.approx(0.7, abs=0.01)


def test_where_style_and_quality_cannot_be_told_apart_the_interval_says_so() -> None:
    always = [
        outcome(ARENA, item(number=n), for_candidate("[[A>B]]", "[[B>A]]"), [answer(200)], [answer(50)])
        for n in range(50)
    ]
    controlled = style_controlled(always)
    assert controlled is not None and controlled.high - controlled.low > 0.2
    assert style_controlled([]) is None


def test_code_is_no_markdown() -> None:
    plain = "Look:\n```python\n# one\n- two\n```\n"
    [(_, headers, lists, bold)] = raw([(plain, "Look")])
    assert (headers, lists, bold) == (0, 0, 0)
    [(_, headers, lists, bold)] = raw([("# A\n1. b\n- c\n**d** __e__", "Look")])
    assert min(headers, lists, bold) > 0 and lists == bold
