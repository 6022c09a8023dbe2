"""The rewards of a training as fields: what is ticked is what the spec has, and the other way round."""

from __future__ import annotations

import pytest

from app.parts import reward_fields, role_fields
from studio_core.rewards.own_code import EXAMPLE
from studio_core.runs.spec import RewardChoice, TrainSpec

CHOICES = [
    RewardChoice(name="equality"),
    RewardChoice(name="shorter", weight=-0.5, options={"characters": 100}),
    RewardChoice(name="contains", weight=0.1, options={"text": "a\nb"}),
    RewardChoice(name="shorter", weight=2.0, options={"characters": 30}),
]


def test_rewards_come_back_as_they_were() -> None:
    values = reward_fields.values_of(CHOICES)
    assert values["rewards.shorter.weight"] == -0.5 and values["rewards"] == "shorter:2:30"
    again = reward_fields.chosen(values)
    assert sorted(again, key=str) == sorted(CHOICES, key=str)
    assert set(values) <= {field.name for field in reward_fields.fields()}


def test_own_code_is_offered_where_it_is_allowed_and_kept_as_text_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = RewardChoice(name="own_code", options={"code": EXAMPLE})
    monkeypatch.delenv("TUNESMITH_OWN_REWARDS", raising=False)
    assert "rewards.own_code" not in {field.name for field in reward_fields.fields()}
    assert reward_fields.chosen(reward_fields.values_of([own])) == [own]
    monkeypatch.setenv("TUNESMITH_OWN_REWARDS", "1")
    assert reward_fields.values_of([own])["rewards.own_code"] is True


def test_what_is_not_ticked_has_no_say() -> None:
    changes = {"rewards.boxed": False, "rewards.boxed.weight": 3.0, "rewards.shorter.characters": 5}
    assert reward_fields.chosen(changes) == []


@pytest.mark.parametrize("weight", ["much", True, None])
def test_a_weight_that_is_none_is_left_to_the_plan(weight: object) -> None:
    [choice] = reward_fields.chosen({"rewards.boxed": True, "rewards.boxed.weight": weight})
    assert choice.name == f"boxed:{weight}" or weight is True


def test_rewards_are_no_options() -> None:
    spec = TrainSpec(method="grpo", model="m", dataset="d", rewards=CHOICES)
    parted = role_fields.parted({**role_fields.values_of(spec), "beta": 0.1})
    assert parted["options"] == {"beta": 0.1} and len(parted["rewards"]) == len(CHOICES)
