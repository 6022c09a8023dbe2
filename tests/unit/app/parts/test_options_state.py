"""What was typed for one method and tuning, while others are looked at."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, get_args

import pytest

from app.parts import role_fields
from app.parts.options_state import OptionsState, Wish, fields_of, read
from studio_core.base.errors import BadInput
from studio_core.methods import METHODS
from studio_core.methods.base import PRESETS, validated
from studio_core.methods.roles import Role
from studio_core.runs.spec import DataRole, RewardChoice, RoleName
from studio_core.texts import LANGUAGES, catalogue


def begin(method: str, tuning: str = "full", preset: str = "balanced") -> dict[str, Any]:
    """What the options begin with."""
    return validated(METHODS[method], preset, tuning, 2_000_000).model_dump()


def state(method: str, tuning: str = "full") -> OptionsState:
    return OptionsState(method, tuning, begin(method, tuning))


def turned(before: OptionsState, method: str, tuning: str = "full") -> OptionsState:
    return before.turned(method, tuning, begin(method, tuning))


def test_what_was_changed_stays_unless_the_choice_is_about_it() -> None:
    quick, balanced = (begin("sft", preset=preset) for preset in PRESETS[:2])
    assert quick["epochs"] != balanced["epochs"] and quick["max_length"] == balanced["max_length"]
    typed = state("sft").held({"epochs": "7", "max_length": "99"})
    assert typed.changes == {"epochs": 7, "max_length": 99}
    assert typed.turned("sft", "full", quick).changes == {"max_length": 99}


def test_a_method_that_is_chosen_again_has_what_was_put_there() -> None:
    assert begin("sft")["learning_rate"] != begin("dpo")["learning_rate"]
    assert begin("sft")["max_length"] == begin("dpo")["max_length"]
    there = turned(state("sft").held({"learning_rate": "0.5", "max_length": "99"}), "dpo")
    assert there.changes == {"max_length": 99}, "the rate of another method is no rate of this one"
    back = turned(there.held({"beta": "0.3", "max_length": "120"}), "sft")
    assert back.changes == {"learning_rate": 0.5, "max_length": 120}, (
        "of what both have alike the newest is meant"
    )
    assert turned(back, "dpo").changes == {"beta": 0.3, "max_length": 120}


def test_what_is_put_back_to_the_preset_elsewhere_is_so_everywhere() -> None:
    there = turned(state("sft").held({"max_length": "99"}), "dpo")
    usual = str(begin("dpo")["max_length"])
    assert turned(there.held({"max_length": usual}), "sft").changes == {}


def test_a_tuning_that_is_chosen_again_has_what_was_put_there() -> None:
    full, lora = begin("sft"), begin("sft", "lora")
    assert full["learning_rate"] != lora["learning_rate"]
    there = turned(state("sft").held({"learning_rate": "0.002"}), "sft", "lora")
    assert there.changes == {}
    back = turned(there.held({"lora_rank": "4"}), "sft")
    assert back.changes == {"learning_rate": 0.002}
    again = turned(back, "sft", "lora")
    assert again.changes == {"lora_rank": 4}
    assert turned(again, "sft", "qlora").changes == {"lora_rank": 4}, "QLoRA's rank is LoRA's"


def test_options_of_one_name_that_differ_are_not_carried_over() -> None:
    dpo, kto = begin("dpo"), begin("kto")
    assert (dpo["beta"], dpo["batch_size"]) == (kto["beta"], kto["batch_size"])
    typed = state("dpo").held({"beta": "0.3", "batch_size": "1", "max_length": "99"})
    assert turned(typed, "kto").changes == {"max_length": 99}


def test_an_input_that_is_emptied_is_the_presets_again_and_one_that_is_absent_stays() -> None:
    typed = state("sft").held({"epochs": "7", "max_length": "99"})
    assert typed.held({"epochs": ""}).changes == {"max_length": 99}


def test_the_page_keeps_all_of_it() -> None:
    typed = turned(state("sft").held({"epochs": "7"}), "dpo", "lora").held({"beta": "0.3"})
    sent = {"method": "kto", "tuning": "lora", "form": json.loads(typed.text()), "inputs": {"beta": "0.4"}}
    wish = read(json.dumps(sent))
    assert (wish.method, wish.form.method, wish.state) == ("kto", "dpo", typed.held({"beta": "0.4"}))
    assert read("") == Wish()


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"form": {"changed": {"sft full": 7}}}', "cannot be read"),
        ('{"inputs": ' + "[" * 100_000, "cannot be read"),
        ('{"method": "gone"}', "gone"),
        ('{"tuning": "gone"}', "gone"),
    ],
)
def test_what_no_page_of_ours_sends_is_refused(sent: str, words: str) -> None:
    with pytest.raises(BadInput) as refused:
        read(sent)
    assert words in refused.value.sentence("en")


def test_the_fields_of_what_is_not_known_are_none() -> None:
    assert fields_of("gone", "") == []
    of_lora = [name for name in begin("sft", "lora") if name not in begin("sft")]
    known = [field.name for field in fields_of("sft", "lora")]
    assert known == [*begin("sft"), *of_lora, "data.held_out", "data.replay"]


def test_models_and_datasets_by_role_are_fields_of_the_methods_that_take_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sft = METHODS["sft"]
    teacher, judge = Role("teacher"), Role("judge", output="score", optional=True)
    taught = replace(sft, name="taught", roles=(*sft.roles, teacher, judge), rewards=True)
    monkeypatch.setitem(METHODS, "taught", taught)
    fields = {field.name: field for field in fields_of("taught", "full")}
    assert (fields["models.teacher"].choices_of, fields["models.teacher"].advanced) == ("models", False)
    assert (fields["models.judge"].choices_of, fields["models.judge"].advanced) == ("reward_models", True)
    assert "models.teacher" not in {field.name for field in fields_of("sft", "full")}

    assert fields["rewards"].kind == "prompt" and "rewards" not in {
        field.name for field in fields_of("sft", "full")
    }

    held = {"models.teacher": "tiny-chat", "models.judge": "", "data.held_out": "apart@2", "epochs": "7"}
    held["rewards"] = "boxed:0.2\n"
    typed = OptionsState("taught", "full", begin("sft")).held(held)
    assert role_fields.parted(typed.changes) == {
        "models": {"teacher": "tiny-chat"},
        "data": {"held_out": "apart@2"},
        "rewards": [RewardChoice(name="boxed", weight=0.2)],
        "options": {"epochs": 7},
    }
    # What both take alike stays; a teacher is nothing for a method that has none, and is there again afterwards.
    there = typed.turned("sft", "full", begin("sft"))
    assert role_fields.parted(there.changes)["models"] == {} and there.changes["data.held_out"] == "apart@2"
    assert there.turned("taught", "full", begin("sft")).changes["models.teacher"] == "tiny-chat"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_role_has_its_words(language: str) -> None:
    models, data = get_args(RoleName), get_args(DataRole)
    for name in (*(f"models.{role}" for role in models[1:]), *(f"data.{role}" for role in data[1:])):
        assert {f"train.role.{name}", f"train.role.{name}.help"} <= catalogue(language).keys()
