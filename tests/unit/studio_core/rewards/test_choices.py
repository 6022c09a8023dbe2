from __future__ import annotations

import pytest

from studio_core.base.errors import BadInput
from studio_core.rewards import choices
from studio_core.runs.spec import RewardChoice


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("boxed", RewardChoice(name="boxed")),
        ("boxed:0.2", RewardChoice(name="boxed", weight=0.2)),
        ("shorter:-1:100", RewardChoice(name="shorter", weight=-1.0, options={"characters": 100})),
        ("contains::at 10:30", RewardChoice(name="contains", options={"text": "at 10:30"})),
        ('contains::{"text": "a\\nb"}', RewardChoice(name="contains", options={"text": "a\nb"})),
        ('contains::{"word": 1}', RewardChoice(name="contains", options={"text": '{"word": 1}'})),
        (
            'json_schema::{"type": "object"}',
            RewardChoice(name="json_schema", options={"json_schema": '{"type": "object"}'}),
        ),
        (
            'number:2:{"column": "price", "tolerance": 0.5}',
            RewardChoice(name="number", weight=2, options={"column": "price", "tolerance": 0.5}),
        ),
        ('number::{"tolerance": 0.5}', RewardChoice(name="number", options={"tolerance": 0.5})),
        (
            'own_code::{"code": "def reward(p, a, r):\\n  return 1"}',
            RewardChoice(name="own_code", options={"code": "def reward(p, a, r):\n  return 1"}),
        ),
        ("language:0.5:zh", RewardChoice(name="language", weight=0.5, options={"language": "zh"})),
    ],
)
def test_a_reward_is_read_as_it_is_written(text: str, choice: RewardChoice) -> None:
    assert choices.read(text) == choice
    assert choices.read(choices.line(choice)) == choice


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("praise", "There is no reward praise"),
        ("boxed:much", "'much' is no weight of the reward boxed"),
        ("boxed:nan", "'nan' is no weight of the reward boxed"),
        ("boxed:1:here", "The reward boxed has no options"),
        ("shorter:1:short", "characters"),
    ],
)
def test_what_is_no_reward_is_said(text: str, complaint: str) -> None:
    with pytest.raises(BadInput) as refused:
        choices.read(text)
    assert complaint in refused.value.sentence()


def test_a_form_holds_one_reward_a_line_and_leaves_what_it_cannot_read_to_the_plan() -> None:
    read = choices.lines("equality\n\n boxed:0.2 \npraise:3\n")
    assert [choice.name for choice in read] == ["equality", "boxed", "praise:3"]
    assert choices.text(read[:2]) == "equality\nboxed:0.2"
