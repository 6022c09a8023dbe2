from __future__ import annotations

import pytest

from studio_core.models import estimate
from studio_core.models.estimate import flops_per_token
from studio_core.models.memory import RUNTIME, memory
from studio_core.models.size import ModelSize
from studio_core.studio import Studio
from studio_core.tunings.lora import LoraOptions, trained

TINY = ModelSize(1_992_384, hidden=192, layers=4, vocab=1152, intermediate=512, tied=True)
SMALL = ModelSize(596_000_000, hidden=1024, layers=28, vocab=151_936, intermediate=3072, tied=True)


def test_training_all_weights_holds_sixteen_bytes_for_each() -> None:
    used = memory(SMALL, tuning="full", sequences=4, length=512, device="gpu")
    assert used.weights + used.gradients + used.optimiser == 16 * SMALL.parameters
    assert (
        used.total
        == used.weights + used.gradients + used.optimiser + used.activations + used.logits + RUNTIME["gpu"]
    )


def test_an_adapter_needs_less_and_four_bit_least() -> None:
    totals = [
        memory(SMALL, tuning=tuning, sequences=4, length=512, device="gpu").total
        for tuning in ("full", "lora", "qlora")
    ]
    assert totals == sorted(totals, reverse=True)
    assert trained(SMALL, LoraOptions(lora_rank=32)) == 2 * trained(SMALL, LoraOptions())


def test_a_reference_doubles_the_weights_of_full_tuning_only() -> None:
    given = {"sequences": 2, "length": 64, "device": "cpu"}
    for tuning, factor in (("full", 2), ("lora", 1)):
        plain = memory(TINY, tuning=tuning, **given)  # type: ignore[arg-type]
        both = memory(TINY, tuning=tuning, reference=True, **given)  # type: ignore[arg-type]
        assert both.weights - 4 * (tuning != "full") * trained(TINY, LoraOptions()) == factor * (
            plain.weights - 4 * (tuning != "full") * trained(TINY, LoraOptions())
        )


def test_activations_grow_with_tokens_and_shrink_with_checkpointing() -> None:
    one = memory(SMALL, tuning="full", sequences=1, length=512, device="gpu")
    four = memory(SMALL, tuning="full", sequences=4, length=512, device="gpu")
    less = memory(SMALL, tuning="full", sequences=4, length=512, device="gpu", checkpointing=True)
    assert four.activations == 4 * one.activations
    assert less.activations < four.activations / 5


def test_the_demo_model_needs_what_was_measured() -> None:
    """Peak of a real run (SFT, 16 rows of up to 59 tokens, two cores): 1.31 GB."""
    total = memory(TINY, tuning="full", sequences=16, length=59, device="cpu").total
    assert total == pytest.approx(1.31e9, rel=0.15)


def test_work_of_a_token() -> None:
    assert flops_per_token(TINY, tuning="full") == 6 * TINY.parameters
    assert flops_per_token(TINY, tuning="lora") == 4 * TINY.parameters
    assert flops_per_token(TINY, tuning="full", forward_passes=1, checkpointing=True) == 10 * TINY.parameters
    untied = ModelSize(1_992_384, 192, 4, 1152, 512, tied=False)
    assert untied.multiplied == 1_992_384 - 1152 * 192


def test_sizes_that_a_configuration_lacks_are_guessed() -> None:
    guessed = ModelSize.of(600_000_000, {})
    assert 500 < guessed.hidden < 3000 and guessed.layers > 1 and guessed.vocab == 32_000
    assert ModelSize.of(5, {"hidden": 8, "layers": 2, "vocab": 32, "intermediate": 16}).intermediate == 16


def test_time() -> None:
    assert estimate.seconds(tokens=1000, steps=10, flops=6.0, speed=600.0, device="cpu", learned=True) == 10
    slow = estimate.seconds(tokens=1000, steps=10, flops=6.0, speed=600.0, device="cpu", learned=False)
    assert slow == 10 + 10 * estimate.STEP_OVERHEAD["cpu"]
    assert estimate.assumed_speed("gpu") > estimate.assumed_speed("cpu", threads=4) > 0


def test_nothing_is_learned_from_nothing(studio: Studio) -> None:
    assert estimate.learned_speed(studio, method="sft", device="cpu", parameters=2_000_000) is None
