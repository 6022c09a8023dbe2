from __future__ import annotations

import shlex

import pytest
import yaml

from studio_core import training
from studio_core.base.errors import BadInput
from studio_core.runs.spec import TrainSpec

EVERYTHING = TrainSpec(
    name="it's mine",
    method="dpo",
    tuning="lora",
    model="tiny-chat",
    dataset="pairs@2",
    preset="quick",
    options={"learning_rate": 1e-05, "beta": 0.2, "loss": "ipo", "precompute_reference": True},
    prompts=["Who are you?", "你是谁？", "--odd 'one'\nsecond line"],
    seed=7,
    device="cpu",
)


def test_yaml_and_back() -> None:
    assert training.from_yaml(training.to_yaml(EVERYTHING)) == EVERYTHING
    short = TrainSpec(method="sft", model="tiny-base", dataset="sums")
    assert yaml.safe_load(training.to_yaml(short)) == {
        "method": "sft",
        "tuning": "full",
        "model": "tiny-base",
        "dataset": "sums",
        "preset": "balanced",
    }


def test_a_command_says_the_same() -> None:
    words = shlex.split(training.to_command(EVERYTHING))
    assert words[:4] == ["python", "-m", "app", "train"]
    given = list(zip(words[4::2], words[5::2], strict=True))
    assert [value for name, value in given if name == "--prompt"] == EVERYTHING.prompts
    options = dict(value.split("=", 1) for name, value in given if name == "--set")
    assert {name: yaml.safe_load(value) for name, value in options.items()} == EVERYTHING.options
    assert dict(given)["--seed"] == "7"


def test_a_switch_is_a_flag() -> None:
    """Old documents do not know it: it is on."""
    switched_off = EVERYTHING.model_copy(update={"retention": False})
    assert training.to_command(switched_off).endswith("--no-retention")
    assert "--no-retention" not in training.to_command(EVERYTHING)
    assert training.from_yaml(training.to_yaml(switched_off)) == switched_off
    old = EVERYTHING.model_dump()
    del old["retention"]
    assert training.spec_from(old) == EVERYTHING


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("- a list", "no mapping"),
        ("", "no mapping"),
        ("a: [", "not a valid training"),
        ("!!python/object/apply:os.system [ls]", "not a valid training"),
        ("method: sft", "has no model"),
        ("{method: sft, model: m, dataset: d, colour: red}", "no field colour"),
        ("{method: sft, model: m, dataset: d, seed: -1}", "seed is '-1'"),
        ("{method: sft, model: m, dataset: d, name: " + "x" * 81 + "}", "name is"),
    ],
)
def test_bad_documents(content: str, sentence: str) -> None:
    with pytest.raises(BadInput) as caught:
        training.from_yaml(content)
    assert sentence in str(caught.value)
