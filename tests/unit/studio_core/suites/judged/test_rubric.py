"""A user's rubric by hand."""

from __future__ import annotations

import pytest

from studio_core.base.errors import BadInput
from studio_core.suites.judged.protocol import Reply
from studio_core.suites.judged.rubric import Rubric, RubricPairs
from tests.unit.studio_core.suites.judged.mock import for_candidate, item, outcome, summary

TEXT = "right 3: Is it right?\nclear: Is it clear,\nand short?"
SINGLE, PAIR = Rubric(criteria=TEXT), RubricPairs(criteria=TEXT)


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("right: 8\nclear: 4", 7),
        ("clear: 4\n\n- **Right**: 8", 7),
        ("<think>right: 1</think>right：8/10\nclear: 4.", 7),
        ("right: 8", None),
        ("right: 8\nclear: 4\nclear: 5", None),
        ("right: 8\nclear: 4\nkind: 5", None),
        ("right: 8\nclear: 11", None),
        ("Here you are:\nright: 8\nclear: 4", None),
        ("right: good\nclear: 4", None),
        ("", None),
    ],
)
def test_a_reply_is_one_line_for_each_criterion(reply: str, score: float | None) -> None:
    judgement = SINGLE.read(Reply(reply))
    assert (judgement and judgement.value) == score


def test_the_judge_is_told_the_criteria() -> None:
    system = SINGLE.games(item(), ["Mine"])[0].messages[0]["content"]
    assert "clear: Is it clear,\nand short?" in system and "right: N\nclear: N" in system
    assert "right A: N\nright B: N" in PAIR.games(item(), ["Mine"], ["Theirs"])[0].messages[0]["content"]


def test_scores_by_criterion() -> None:
    replies = iter(["right: 8\nclear: 4", "right: 4\nclear: 8", "well"])
    figures = summary(SINGLE, [item("x", 0), item("y", 1), item("x", 2)], lambda game: next(replies))
    # (3 * 8 + 4) / 4 = 7 and (3 * 4 + 8) / 4 = 5.
    assert figures.figures["score"].value == 6
    assert {name: figure.value for name, figure in figures.parts.items()} == {"right": 6, "clear": 6}
    assert {kind: figure.value for kind, figure in figures.kinds.items()} == {"x": 7, "y": 5}
    assert (figures.items, figures.unreadable) == (2, 1)
    verdict = SINGLE.value(outcome(SINGLE, item(), lambda game: "right: 8\nclear: 4"))
    assert (verdict.value, verdict.values) == (pytest.approx(6 / 9), {"scores": "right 8, clear 4"})
    assert SINGLE.value(outcome(SINGLE, item(), lambda game: "well")).readable is False


def both(first: int, second: int) -> str:
    return f"right A: {first}\nclear A: {first}\nright B: {second}\nclear B: {second}"


def test_pairs_in_both_orders() -> None:
    items = [item(number=number) for number in range(4)]
    won = summary(PAIR, items, for_candidate(both(8, 5), both(5, 8)))
    assert won.figures["win_rate"].value == 1 and won.counts["wins"] == 4
    first = summary(PAIR, items, lambda game: both(8, 5))
    assert first.figures["win_rate"].value == 0.5 and first.counts["ties"] == 4
    assert first.consistency is not None and first.consistency.value == 0
    equal = summary(PAIR, items, lambda game: both(5, 5))
    assert equal.counts["ties"] == 4 and equal.consistency is not None and equal.consistency.value == 1
    # Right counts three times as much as clear.
    weighed = PAIR.read(Reply("right A: 6\nclear A: 5\nright B: 5\nclear B: 7"))
    assert weighed is not None and weighed.value == 1 and weighed.parts == {"right": 1, "clear": 0}
    assert PAIR.read(Reply("right: 6\nclear: 5")) is None


def test_a_conversation_is_judged_whole() -> None:
    content = SINGLE.games(item(follow_ups=("And then?",)), ["One", "Two"])[0].messages[-1]["content"]
    assert "Assistant: One\n\nUser: And then?\n\nAssistant: Two" in content


def test_other_texts_are_one_criterion() -> None:
    assert Rubric(criteria="Is it polite?").criteria[0].text == "Is it polite?"
    assert Rubric().read(Reply("score: 7")).value == 7  # type: ignore[union-attr]
    with pytest.raises(BadInput, match="called right"):
        Rubric(criteria="Right: a\nright: b")
    with pytest.raises(BadInput, match="weight 0"):
        Rubric(criteria="right 0: a")


def test_what_it_costs() -> None:
    items = [item(number=number) for number in range(5)]
    assert (SINGLE.cost(items, [50] * 5).calls, SINGLE.cost(items, [50] * 5).tokens_out) == (5, 100)
    assert (PAIR.cost(items, [50] * 5).calls, PAIR.cost(items, [50] * 5).tokens_out) == (10, 400)
