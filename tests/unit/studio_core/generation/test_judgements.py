"""Values of answers by a judge whose replies are known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest

from studio_core.base.errors import BadInput
from studio_core.data.shapes import Message
from studio_core.generation import judgements, judging
from studio_core.rewards.base import Answered
from studio_core.rewards.judge import JudgeOptions, RankingOptions


@pytest.mark.parametrize(
    ("reply", "ranks"),
    [
        ("B > A > C", [2.0, 1.0, 3.0]),
        ("**b>c=a**.", [2.5, 1.0, 2.5]),
        ("<think>A is long.</think>Ranking: Answer C > Answer B > Answer A", [3.0, 2.0, 1.0]),
        ("A = B = C", [2.0, 2.0, 2.0]),
        ("A > B", None),
        ("A > B > C > D", None),
        ("A > B > B", None),
        ("B A C", None),
        ("I like B > A > C", None),
        ("", None),
    ],
)
def test_an_order_is_read_strictly(reply: str, ranks: list[float] | None) -> None:
    assert judging.ranking(reply, 3) == ranks


def test_answers_have_names_however_many_there_are() -> None:
    names = [judging.answer_name(place) for place in range(64)]
    assert len({*names}) == 64 and (names[0], names[25], names[26], names[63]) == ("A", "Z", "AA", "BL")
    assert judging.ranking(" > ".join(names), 64) == [float(rank) for rank in range(1, 65)]


def group(prompt: str, *answers: str) -> list[Answered]:
    record: dict[str, Any] = {"prompt": [{"role": "user", "content": prompt}]}
    return [(prompt, answer, record) for answer in answers]


def longest_first(questions: Sequence[list[Message]]) -> list[str | Exception]:
    replies: list[str | Exception] = []
    for [message] in questions:
        answers = re.findall(r"<<<ANSWER (\w+)\n(.*?)\nANSWER", message["content"], re.DOTALL)
        replies.append(" > ".join(name for name, _ in sorted(answers, key=lambda each: -len(each[1]))))
    return replies


def ranked(
    answered: list[Answered], judge: judgements.Replies = longest_first, **options: Any
) -> list[float | None]:
    values = judgements.parts(judge, RankingOptions(**options), answered, seed=7)[""]
    return [None if isinstance(value, Exception) else value for value in values]


def test_places_of_a_group_go_from_one_to_zero_and_equal_texts_share_theirs() -> None:
    answered = [*group("p", "aaa", "a", "aa"), *group("q", "b", "b", "bbbb", "bb"), *group("r", "c", "c")]
    assert ranked(answered) == pytest.approx([1.0, 0.0, 0.5, 1 / 6, 1 / 6, 1.0, 2 / 3, 0.5, 0.5])
    # Held-out prompts are answered once: nothing can be said of that.
    assert ranked(group("p", "a") + group("q", "b")) == [None, None]


def test_the_order_in_which_a_judge_sees_a_group_is_drawn_and_always_the_same() -> None:
    asked: list[str] = []

    def first(questions: Sequence[list[Message]]) -> list[str | Exception]:
        asked.extend(message["content"] for [message] in questions)
        return ["A > B > C"] * len(questions)

    answered = [each for n in range(12) for each in group(f"p{n}", "x", "y", "z")]
    once = {"both_orders": False}
    assert ranked(answered, first, **once) == ranked(answered, first, **once)
    assert asked[:12] == asked[12:]
    # A judge that always names the first is right about nobody: its favour goes to all places alike.
    best = {place % 3 for place, value in enumerate(ranked(answered, first, **once)) if value == 1.0}
    assert best == {0, 1, 2}


def test_in_both_orders_a_favour_for_a_place_is_no_value_and_is_counted() -> None:
    asked: list[str] = []

    def first(questions: Sequence[list[Message]]) -> list[str | Exception]:
        asked.extend(message["content"] for [message] in questions)
        return ["A > B > C"] * len(questions)

    answered = [each for n in range(4) for each in group(f"p{n}", "x", "y", "z")]
    told = judgements.parts(first, RankingOptions(), answered, seed=7)
    assert len(asked) == len(set(asked)) == 8
    assert told[""] == [0.5] * 12 and sorted(told["disagreement"]) == [0.0] * 4 + [1.0] * 8
    told = judgements.parts(longest_first, RankingOptions(), group("p", "aaa", "a", "aa"), seed=7)
    assert told == {"": [1.0, 0.0, 0.5], "disagreement": [0.0, 0.0, 0.0]}


def test_a_group_whose_order_cannot_be_read_has_no_values() -> None:
    def mute(questions: Sequence[list[Message]]) -> list[str | Exception]:
        refused = BadInput("generation.refused", service="x", said="busy")
        # Of the second group one order is known; its value would be by the place alone.
        return ["All are fine.", "A > B", "B > A", refused]

    assert ranked([*group("p", "a", "b"), *group("q", "a", "b")], mute) == [None] * 4


def test_an_answer_of_which_one_criterion_is_not_known_has_no_mean() -> None:
    def judge(questions: Sequence[list[Message]]) -> list[str | Exception]:
        texts = [message["content"] for [message] in questions]
        return ["10" if "Is it kind?" in text else "well" if "bad" in text else "4/10" for text in texts]

    options = JudgeOptions(criteria="right: Is it right?\nkind 2: Is it kind?")
    values = judgements.parts(judge, options, group("p", "good", "bad"), seed=0)
    assert values["kind"] == [1.0, 1.0] and values["right"][0] == pytest.approx(1 / 3)
    assert values[""][0] == pytest.approx((1 / 3 + 2) / 3)
    assert isinstance(values["right"][1], BadInput) and values[""][1] is values["right"][1]
