"""Ways of tuning that add to a model what is no part of its weights: virtual tokens, bottlenecks, biases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from studio_core import tunings
from studio_core.methods import METHODS
from studio_core.methods.base import validated
from studio_core.methods.memory import memory
from studio_core.models.size import ModelSize
from studio_core.tunings import TUNINGS
from studio_core.tunings.base import Case

PLAIN = Case("mine", quantised=False, writes=True)
QWEN = ModelSize(
    596_049_920, hidden=1024, layers=28, vocab=151_936, intermediate=3072, tied=True, key_values=1024
)
VIRTUAL = ("prefix_tuning", "prompt_tuning", "p_tuning")
BESIDE = ("bottleneck", "bitfit", *VIRTUAL)


def sentences(tuning: str, case: Case) -> list[str]:
    return [problem.sentence() for problem in tunings.problems(TUNINGS[tuning], case)]


@pytest.mark.parametrize(
    ("tuning", "learn"),
    [
        ("prompt_tuning", 20 * 1024),
        ("prefix_tuning", 20 * 28 * 2 * 1024),
        ("p_tuning", 20 * 1024 + 3 * (1024 * 1024 + 1024)),
        ("bottleneck", 28 * 2 * (2 * 64 * 1024 + 64 + 1024)),
        ("bitfit", 28 * (5 * 1024 + 2 * 3072)),
    ],
)
def test_the_parameters_that_learn(tuning: str, learn: int) -> None:
    assert TUNINGS[tuning].trained(QWEN, TUNINGS[tuning].Options()) == learn


def test_keys_that_heads_share_make_a_smaller_prefix() -> None:
    options = TUNINGS["prefix_tuning"].Options()
    whole, half = (
        TUNINGS["prefix_tuning"].trained(replace(QWEN, key_values=w), options) for w in (1024, 512)
    )
    assert whole == 2 * half
    assert TUNINGS["prefix_tuning"].trained(replace(QWEN, key_values=0), options) == whole


@pytest.mark.parametrize("tuning", ["prompt_tuning", "p_tuning"])
def test_virtual_tokens_take_memory_as_others_do(tuning: str) -> None:
    roles = dict.fromkeys(METHODS["sft"].roles, QWEN)

    def activations(length: int, number: int) -> int:
        options = TUNINGS[tuning].Options(virtual_tokens=number)
        return memory(roles, tuning=tuning, rows=4, length=length, device="cpu", options=options).activations

    assert activations(80, 20) == activations(50, 50)


@pytest.mark.parametrize("tuning", BESIDE)
@pytest.mark.parametrize("after", ["full", "freeze"])
def test_what_cannot_be_merged_is_not_trained_whole(tuning: str, after: str) -> None:
    [said] = sentences(after, replace(PLAIN, adapter=TUNINGS[tuning].adapter))
    assert said.startswith(f"mine is an adapter ({tuning}) that cannot be merged")


@pytest.mark.parametrize("tuning", BESIDE)
def test_no_other_way_of_tuning_continues_it(tuning: str) -> None:
    [said] = sentences("lora", replace(PLAIN, adapter=TUNINGS[tuning].adapter))
    assert said.startswith(f"mine is an adapter made with {tuning}, so lora cannot continue it")


@pytest.mark.parametrize("tuning", BESIDE)
def test_its_own_continues_it(tuning: str) -> None:
    said = sentences(tuning, replace(PLAIN, adapter=TUNINGS[tuning].adapter))
    assert len(said) == (tuning in VIRTUAL)
    if said:
        assert said[0].startswith("mine was made by learning virtual tokens, which cannot be trained further")


def test_biases_are_no_reference() -> None:
    case = replace(PLAIN, compares=True)
    assert sentences("bitfit", case) == []
    [said] = sentences("bitfit", replace(case, adapter="BEFT"))
    assert said.startswith("mine was made with BitFit, whose biases cannot serve as the reference")


@pytest.mark.parametrize("tuning", VIRTUAL)
def test_virtual_tokens_are_refused_what_would_break_them(tuning: str) -> None:
    assert not TUNINGS[tuning].packs
    [said] = sentences(tuning, replace(PLAIN, gpus=2, parallel="fsdp"))
    assert said == "virtual_tokens does not work with fsdp. Choose ddp."


def test_a_prefix_is_not_computed_twice() -> None:
    [said] = sentences("prefix_tuning", replace(PLAIN, checkpointing="on"))
    assert said.startswith("Gradient checkpointing does not work with prefix_tuning")
    assert sentences("prompt_tuning", replace(PLAIN, checkpointing="on")) == []


@pytest.mark.parametrize("tuning", BESIDE)
def test_what_scores_is_not_offered_with_it(tuning: str) -> None:
    """Such a model is merged at its end."""
    for method in METHODS.values():
        assert (tuning in method.tunings) is method.writes


@pytest.mark.parametrize("tuning", BESIDE)
def test_presets_begin_with_a_rate_of_its_own(tuning: str) -> None:
    own, lora = (
        validated(METHODS["sft"], "balanced", name, 2_000_000).learning_rate  # type: ignore[attr-defined]
        for name in (tuning, "lora")
    )
    assert own == pytest.approx(lora * TUNINGS[tuning].rate)
