"""Rewards tried before a training: the same parts and the same sum as in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.data import store
from studio_core.generation import services
from studio_core.runs.spec import RewardChoice, TrainSpec
from studio_core.training import reward_trial
from tests.fake_service import fake_service, reply

LINES = [f'{{"prompt": "{number} + 1?", "answer": "{number + 1}"}}' for number in range(20)]


@pytest.fixture
def spec(studio: Studio, tmp_path: Path) -> TrainSpec:
    file = tmp_path / "sums.jsonl"
    file.write_text("\n".join(LINES), encoding="utf-8")
    store.import_file(studio, file)
    return TrainSpec(method="grpo", model="tiny-chat", dataset="sums")


def test_records_come_from_the_whole_file(studio: Studio, spec: TrainSpec) -> None:
    rows = reward_trial.sample(studio, spec)
    assert [row for row, _ in rows] == [0, 4, 8, 12, 16]
    assert reward_trial.prompt_of(rows[1][1])[-1]["content"] == "4 + 1?"


def test_each_reward_has_its_part_and_all_have_the_sum(studio: Studio, spec: TrainSpec) -> None:
    chosen = [
        RewardChoice(name="equality"),
        RewardChoice(name="shorter", weight=0.5, options={"characters": 1}),
    ]
    spec = spec.model_copy(update={"rewards": chosen})
    trials = reward_trial.references(studio, spec, reward_trial.sample(studio, spec))
    assert [trial.answer for trial in trials] == ["1", "5", "9", "13", "17"]
    assert [part.trial.value for part in trials[3].parts] == [1.0, 0.5]
    assert trials[3].reward == 1.25


def test_without_a_choice_it_is_whether_the_reference_was_hit(studio: Studio, spec: TrainSpec) -> None:
    [first, *_] = reward_trial.references(studio, spec, reward_trial.sample(studio, spec))
    assert [part.choice.name for part in first.parts] == ["equality"] and first.reward == 1.0


def test_what_a_reward_does_not_take_is_said_at_once(studio: Studio, spec: TrainSpec) -> None:
    spec = spec.model_copy(update={"rewards": [RewardChoice(name="contains")]})
    with pytest.raises(BadInput, match="text"):
        reward_trial.references(studio, spec, reward_trial.sample(studio, spec))


def test_a_judging_service_is_asked_about_each_answer(studio: Studio, spec: TrainSpec) -> None:
    def judge(asked: dict[str, Any], _: int) -> tuple[int, Any, dict[str, str]]:
        text = asked["messages"][-1]["content"]
        return (503, {}, {}) if "17" in text else (200, reply("10" if "13" in text else "1"), {})

    options = {"service": "judging", "criteria": "right: Is it?"}
    spec = spec.model_copy(update={"rewards": [RewardChoice(name="judge", options=options)]})
    records = reward_trial.sample(studio, spec)
    [unknown, *_] = reward_trial.references(studio, spec, records)
    assert "judging" in unknown.parts[0].trial.reason
    with fake_service(judge) as service:
        services.add(studio.settings.home / services.FILE, "judging", service.address, "m")
        examples = reward_trial.references(studio, spec, records)
    assert [example.reward for example in examples] == [0.0, 0.0, 0.0, 1.0, None]
    assert "judging" in examples[-1].parts[0].trial.reason


@pytest.mark.parametrize("name", ["reward_model", "judge", "own_code"])
def test_a_reward_that_cannot_be_asked_here_has_no_say_and_says_why(
    studio: Studio, spec: TrainSpec, name: str
) -> None:
    spec = spec.model_copy(update={"rewards": [RewardChoice(name=name), RewardChoice(name="equality")]})
    [first, *_] = reward_trial.references(studio, spec, reward_trial.sample(studio, spec))
    assert first.parts[0].trial.value is None and first.parts[0].trial.reason
    assert first.reward == 1.0
