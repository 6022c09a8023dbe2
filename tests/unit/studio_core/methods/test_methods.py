from __future__ import annotations

import string
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from studio_core import methods
from studio_core.base.errors import BadInput
from studio_core.methods import METHODS
from studio_core.methods.base import PRESETS, Method, read, starting_values, validated
from studio_core.methods.common import TrainingOptions
from studio_core.texts import LANGUAGES, catalogue
from studio_core.tunings import TUNINGS

EVERY = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
SIZES = (2_000_000, 135_000_000, 600_000_000, 1_700_000_000, 8_000_000_000, 32_000_000_000)


def options(method: str = "sft", tuning: str = "full", parameters: int = 2_000_000, **changes: Any) -> Any:
    return validated(METHODS[method], "balanced", tuning, parameters, changes)


def refused(method: str = "sft", **changes: Any) -> str:
    with pytest.raises(BadInput) as caught:
        options(method, **changes)
    return caught.value.sentence()


@EVERY
@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_a_method_shows_has_a_text(method: Method, language: str) -> None:
    texts = catalogue(language)
    keys = [method.title_key, method.help_key]
    for field in method.fields:
        keys += [field.title_key, field.help_key]
        keys += [f"options.unit.{field.unit}"] if field.unit else []
        keys += field.choices_with_help.values()
    for chart in method.charts:
        keys += [chart.title_key, chart.help_key, *map(chart.label_key, chart.metrics)]
    keys += [f"methods.preset.{preset}{part}" for preset in PRESETS for part in ("", ".help")]
    assert [key for key in keys if not texts.get(key)] == []


@EVERY
def test_numbers_have_a_range_around_their_default_and_choices_contain_it(method: Method) -> None:
    for field in method.fields:
        if field.kind in ("int", "float"):
            assert field.minimum is not None and field.maximum is not None, field.name
            assert field.minimum <= field.default <= field.maximum, field.name
        elif field.kind == "choice":
            assert field.default in field.choices, field.name
        elif field.kind == "text":
            assert isinstance(field.default, str), field.name
        else:
            assert isinstance(field.default, bool), field.name


@EVERY
def test_languages_quote_the_same_values(method: Method) -> None:
    def quoted(sentence: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}

    english, chinese = catalogue("en"), catalogue("zh-CN")
    for key in english:
        if key.startswith("methods."):
            assert quoted(english[key]) == quoted(chinese[key]), key


@EVERY
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("parameters", SIZES)
def test_presets_are_valid_for_every_size_and_tuning(method: Method, preset: str, parameters: int) -> None:
    for tuning in method.tunings:
        chosen = validated(method, preset, tuning, parameters)
        assert isinstance(chosen, TrainingOptions)
        # Who learns from rewards may have learnt all before every prompt was asked.
        assert chosen.epochs >= 1 or (method.rewards and chosen.epochs >= 0.25)


def test_lora_learns_faster_and_longer_presets_see_the_data_more_often() -> None:
    for method in METHODS.values():
        for parameters in SIZES:
            full: Any = validated(method, "balanced", "full", parameters)
            lora: Any = validated(method, "balanced", "lora", parameters)
            assert lora.learning_rate > full.learning_rate
            epochs = [validated(method, preset, "full", parameters) for preset in PRESETS]
            assert [e.epochs for e in epochs] == sorted(e.epochs for e in epochs)  # type: ignore[attr-defined]


def test_a_change_overrides_the_preset() -> None:
    assert (
        options(epochs=2.5, learning_rate="0.01").model_dump().items()
        >= {
            "epochs": 2.5,
            "learning_rate": 0.01,
        }.items()
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"learning_rate": 3}, "learning_rate is 3; it must be between 1e-08 and 1."),
        ({"learning_rate": float("nan")}, "learning_rate is nan; it must be between 1e-08 and 1."),
        ({"batch_size": 0}, "batch_size is 0; it must be between 1 and 1024."),
        ({"batch_size": 1.5}, "batch_size is 1.5; it must be an integer."),
        ({"epochs": "many"}, "epochs is many; it must be a number."),
        ({"loss_on": "questions"}, "loss_on is questions; choose one of: answers, everything."),
    ],
)
def test_what_is_refused_is_quoted_with_its_range(changes: dict[str, Any], sentence: str) -> None:
    assert refused(**changes) == sentence


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    assert refused(lerning_rate=1).startswith(
        "sft (full) has no option lerning_rate. Choose one of: learning_rate, epochs,"
    )
    assert refused("dpo", precompute_reference="maybe") == (
        "precompute_reference is maybe; it must be true or false."
    )
    known = ", ".join(METHODS)
    with pytest.raises(BadInput, match=rf"There is no training method alchemy\. Choose one of: {known}\."):
        methods.named("alchemy")
    with pytest.raises(
        BadInput, match=r"There is no preset best\. Choose one of: quick, balanced, thorough\."
    ):
        validated(METHODS["sft"], "best", "full", 0)
    with pytest.raises(BadInput, match="sft does not support the fine-tuning method dora"):
        validated(METHODS["sft"], "quick", "dora", 0)


def test_losses_that_need_smoothing_say_so() -> None:
    assert "needs label_smoothing above 0" in refused("dpo", loss="exo_pair")
    assert options("dpo", loss="exo_pair", label_smoothing=0.01).label_smoothing == 0.01


@pytest.mark.parametrize(
    ("rows", "changes", "steps"),
    [
        (100, {"batch_size": 16, "epochs": 1}, 7),
        (100, {"batch_size": 16, "epochs": 3}, 21),
        (100, {"batch_size": 16, "epochs": 1, "gradient_accumulation": 2}, 4),
        (100, {"batch_size": 16, "epochs": 0.5}, 4),
        (100, {"max_steps": 5}, 5),
        (1, {"batch_size": 16, "epochs": 1, "eval_share": 0.5}, 1),
        (100, {"batch_size": 10, "epochs": 1, "eval_share": 0.2}, 8),
    ],
)
def test_steps_follow_from_rows_and_batches(rows: int, changes: dict[str, Any], steps: int) -> None:
    assert options(**changes).total_steps(rows) == steps


def test_held_out_rows_are_bounded() -> None:
    assert options(eval_share=0.5).held_out(1) == 0
    assert options(eval_share=0.5).held_out(10) == 5
    assert options(eval_share=0.5).held_out(100_000) == 500


def test_checkpoints_are_spread_over_the_run() -> None:
    assert options().save_every(30) == 20
    assert options().save_every(1000) == 200
    assert options(save_steps=7).save_every(1000) == 7


def test_a_run_has_the_options_of_its_method_then_those_of_its_tuning() -> None:
    plain, adapted = (METHODS["dpo"].options_with(TUNINGS[name]) for name in ("full", "lora"))
    assert [*adapted.model_fields] == [*plain.model_fields, *TUNINGS["lora"].Options.model_fields]
    assert issubclass(adapted, METHODS["dpo"].Options) and issubclass(adapted, TUNINGS["lora"].Options)
    assert "has no option lora_rank" in refused(lora_rank=8)
    assert options(tuning="lora", lora_rank=8).lora_rank == 8


def test_a_run_of_before_tunings_had_options_is_read() -> None:
    kept = {**options().model_dump(), "lora_rank": 16, "lora_targets": "all"}
    assert read(METHODS["sft"], TUNINGS["full"], kept) == options()
    with pytest.raises(ValidationError):
        read(METHODS["sft"], TUNINGS["full"], {**kept, "lora": 1})


def test_what_a_method_lacks_gives_way_to_what_comes_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    assert METHODS["sft"].nearest("qlora") == METHODS["reward"].nearest("qlora") == "qlora"
    monkeypatch.setitem(TUNINGS, "qlora", replace(TUNINGS["qlora"], suits=lambda method: method.writes))
    assert METHODS["sft"].nearest("qlora") == "qlora"
    assert METHODS["reward"].nearest("qlora") == "lora"
    assert METHODS["sft"].nearest("no such tuning") == "full"


def test_a_run_of_dpo_says_which_losses_it_adds_up() -> None:
    assert options("dpo").terms == {"sigmoid": 1.0, "sft": 1.0}
    assert options("dpo", loss="ipo", sft_weight=0).terms == {"ipo": 1.0}
    mixed = options("dpo", loss_weights=" sigmoid = 0.8, bco_pair=0.2,sft=1 ")
    assert mixed.terms == {"sigmoid": 0.8, "bco_pair": 0.2, "sft": 1.0}
    assert options("dpo", loss_weights="sft=0, sigmoid=0, hinge=2").terms == {"hinge": 2.0}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"loss_weights": "sigmoyd=1"}, "names the loss sigmoyd, which there is not. Choose from: sigmoid,"),
        ({"loss_weights": "sigmoid"}, "loss_weights has sigmoid. Write each loss once"),
        ({"loss_weights": "ipo=1, ipo=2"}, "loss_weights has ipo=2."),
        ({"loss_weights": "ipo=nan"}, "loss_weights has ipo=nan."),
        ({"loss_weights": "ipo=-1"}, "loss_weights has ipo=-1."),
        ({"loss_weights": "sigmoid=0, sft=0"}, "With loss_weights sigmoid=0, sft=0 no loss is left."),
        ({"loss": "exo_pair"}, "The loss type exo_pair needs label_smoothing above 0."),
        ({"loss_weights": "exo_pair=1"}, "The loss type exo_pair needs label_smoothing above 0."),
        ({"divergence": "forward_kl", "loss": "aot"}, "forward_kl does not work with the loss type aot."),
        ({"use_weighting": True}, "and the loss sft is not a sum over pairs. Turn use_weighting off"),
        ({"use_weighting": True, "sft_weight": 0, "loss": "aot"}, "the loss aot is not a sum over pairs."),
        ({"sync_steps": 8, "precompute_reference": True}, "cannot be synced every 8 steps when its log-probs"),
        ({"sync_steps": 8, "tuning": "lora"}, "With lora the reference model is the frozen base model"),
    ],
)  # fmt: skip
def test_losses_that_do_not_go_together_are_refused(changes: dict[str, Any], told: str) -> None:
    assert told in refused("dpo", **changes)


def test_a_run_of_dpo_of_before_losses_were_added_up_is_read() -> None:
    new = {
        "loss_weights",
        "ld_alpha",
        "use_weighting",
        "divergence",
        "divergence_alpha",
        "sync_steps",
        "sync_mix",
    }
    kept = {name: value for name, value in options("dpo").model_dump().items() if name not in new}
    assert read(METHODS["dpo"], TUNINGS["full"], kept) == options("dpo")


def test_a_way_of_tuning_begins_at_its_own_pace() -> None:
    """Its rate and epochs are multiples of those that the method's presets have for LoRA, rounded to two digits."""
    slow = replace(TUNINGS["ia3"], rate=15.0, epochs=2.5)
    for parameters in (2_000_000, 600_000_000):
        begin = METHODS["sft"].presets("balanced", slow, parameters)
        values = starting_values(METHODS["sft"], "balanced", slow, parameters)
        assert values["learning_rate"] == float(f"{15 * begin['learning_rate']:.2g}")
        assert values["epochs"] == float(f"{2.5 * begin['epochs']:.2g}")
        assert {**values, "learning_rate": 0, "epochs": 0} == {**begin, "learning_rate": 0, "epochs": 0}
