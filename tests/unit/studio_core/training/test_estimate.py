from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from studio_core.base.studio import Studio
from studio_core.methods import memory as memory_of_run
from studio_core.methods.base import Method
from studio_core.methods.distillation import DISTILLATION
from studio_core.methods.memory import RUNTIME, memory
from studio_core.methods.ppo import PPO
from studio_core.methods.roles import Comparison, Role
from studio_core.methods.trpo import TRPO
from studio_core.models.size import ModelSize
from studio_core.training import estimate
from studio_core.training.estimate import flops_per_token
from studio_core.tunings import TUNINGS
from studio_core.tunings.freeze import FreezeOptions
from studio_core.tunings.lora import LoraOptions, trained

TINY = ModelSize(1_992_384, hidden=192, layers=4, vocab=1152, intermediate=512, tied=True)
SMALL = ModelSize(596_000_000, hidden=1024, layers=28, vocab=151_936, intermediate=3072, tied=True)

LEARNER = Role("policy", learns=True)
REFERENCE = Role("reference", passes=1, begins_as="policy")
TEACHER = Role("teacher", passes=1)


def test_training_all_weights_holds_sixteen_bytes_for_each() -> None:
    used = memory({LEARNER: SMALL}, tuning="full", rows=4, length=512, device="gpu")
    assert used.weights + used.gradients + used.optimiser == 16 * SMALL.parameters
    assert (
        used.total
        == used.weights + used.gradients + used.optimiser + used.activations + used.logits + RUNTIME["gpu"]
    )


def test_an_adapter_needs_less_and_four_bit_least() -> None:
    totals = [
        memory({LEARNER: SMALL}, tuning=tuning, rows=4, length=512, device="gpu").total
        for tuning in ("full", "lora", "qlora")
    ]
    assert totals == sorted(totals, reverse=True)
    assert trained(SMALL, LoraOptions(lora_rank=32)) == 2 * trained(SMALL, LoraOptions())


def test_a_reference_doubles_the_weights_of_full_tuning_only() -> None:
    given = {"rows": 2, "length": 64, "device": "cpu"}
    for tuning, factor in (("full", 2), ("lora", 1)):
        plain = memory({LEARNER: TINY}, tuning=tuning, **given)  # type: ignore[arg-type]
        both = memory({LEARNER: TINY, REFERENCE: TINY}, tuning=tuning, **given)  # type: ignore[arg-type]
        assert both.weights - 4 * (tuning != "full") * trained(TINY, LoraOptions()) == factor * (
            plain.weights - 4 * (tuning != "full") * trained(TINY, LoraOptions())
        )


def test_what_every_role_needs_is_summed() -> None:
    """A teacher of its own size is held in 16 bits on a GPU, and two that learn need what each of them does."""
    given: dict[str, Any] = {"tuning": "full", "rows": 2, "length": 64, "device": "gpu"}
    alone, large = memory({LEARNER: TINY}, **given), memory({Role("value", True, "score"): SMALL}, **given)
    taught = memory({LEARNER: TINY, TEACHER: SMALL}, **given)
    assert taught.total - alone.total == 2 * SMALL.parameters
    both = memory({LEARNER: TINY, Role("value", True, "score"): SMALL}, **given)
    assert both.total == alone.total + large.total - RUNTIME["gpu"]
    assert large.logits == 0
    work = flops_per_token({LEARNER: TINY, TEACHER: SMALL}, tuning="full")
    assert work == 6 * TINY.parameters + 2 * SMALL.parameters


def test_distributions_that_are_compared_take_as_much_as_is_there_at_once() -> None:
    """Distillation of the demo model, 32 rows of 256 tokens: 470 MB beside what learns, as measured."""

    def beside(role: Role, device: str = "cpu") -> int:
        given: dict[str, Any] = {"tuning": "full", "rows": 32, "length": 256, "device": device}
        return memory({LEARNER: TINY, role: TINY}, **given).logits - memory({LEARNER: TINY}, **given).logits

    [teacher] = [role for role in DISTILLATION.roles if role.name == "teacher"]
    assert beside(teacher) == pytest.approx(470e6, rel=0.2)
    assert beside(Role("reference", comparison=Comparison(28, at_once=1000))) == 28_000
    assert beside(TEACHER) == beside(teacher, "gpu") == 0


def of_a_run(method: Method, **options: Any) -> memory_of_run.Memory:
    """Of the demo model, 32 answers of 256 tokens."""
    given: Any = method.Options(batch_size=32, **options)
    models = memory_of_run.sizes_by_role(method, replace(TINY, heads=6), {}, given)
    return memory_of_run.of_run(
        models, given, tuning="full", batch_size=32, longest=256, device="cpu", available=0
    )


def test_eager_attention_keeps_a_weight_for_every_pair_of_tokens() -> None:
    """TRPO of the demo model, 32 answers of 256 tokens: 1.68 GB were held for the gradient of a round."""
    assert of_a_run(TRPO).total == pytest.approx(1.68e9, rel=0.1)
    # A product with the Fisher matrix counts twice, once it is of more than half of the answers.
    assert of_a_run(TRPO, fisher_answers=16).activations == of_a_run(TRPO).activations
    assert of_a_run(TRPO, fisher_answers=32).activations == 2 * of_a_run(TRPO).activations


def test_a_value_model_that_learns_in_turn_and_minibatches_need_the_activations_of_one() -> None:
    """PPO of the demo model, 32 answers of 256 tokens: 1.12 GB held with two minibatches, as measured."""

    def needed(minibatches: int) -> memory_of_run.Memory:
        return of_a_run(PPO, minibatches=minibatches)

    assert needed(2).total == pytest.approx(1.12e9, rel=0.1)
    assert needed(1).activations == 2 * needed(2).activations
    alone = memory({LEARNER: TINY}, tuning="full", rows=32, length=256, device="cpu")
    assert needed(1).activations == alone.activations


def test_sequences_of_a_row_count_for_those_that_learn() -> None:
    given: dict[str, Any] = {"tuning": "full", "rows": 2, "length": 64, "device": "gpu"}
    one, pair = (memory({Role("policy", True, sequences=n): SMALL}, **given) for n in (1, 2))
    assert pair.activations == 2 * one.activations and pair.weights == one.weights


def test_activations_grow_with_tokens_and_shrink_with_checkpointing() -> None:
    one = memory({LEARNER: SMALL}, tuning="full", rows=1, length=512, device="gpu")
    four = memory({LEARNER: SMALL}, tuning="full", rows=4, length=512, device="gpu")
    less = memory({LEARNER: SMALL}, tuning="full", rows=4, length=512, device="gpu", checkpointing=True)
    assert four.activations == 4 * one.activations
    assert less.activations < four.activations / 5


def test_the_demo_model_needs_what_was_measured() -> None:
    """Peak of a real run (SFT, 8 rows of up to 59 tokens, two cores): 0.69 GB."""
    total = memory({LEARNER: TINY}, tuning="full", rows=8, length=59, device="cpu").total
    assert total == pytest.approx(0.69e9, rel=0.15)


def test_work_of_a_token() -> None:
    assert flops_per_token({LEARNER: TINY}, tuning="full") == 6 * TINY.parameters
    assert flops_per_token({LEARNER: TINY}, tuning="lora") == 4 * TINY.parameters
    both = {LEARNER: TINY, REFERENCE: TINY}
    assert flops_per_token(both, tuning="full", checkpointing=True) == 10 * TINY.parameters
    untied = ModelSize(1_992_384, 192, 4, 1152, 512, tied=False)
    assert untied.multiplied == 1_992_384 - 1152 * 192


def test_what_a_round_of_ppo_learns_from_several_times_is_worked_through_as_often() -> None:
    models = memory_of_run.sizes_by_role(PPO, TINY, {}, None)
    once, thrice = (
        PPO.options_with(TUNINGS["full"])(num_iterations=times, minibatches=2)  # type: ignore[call-arg]
        for times in (1, 3)
    )
    work = [flops_per_token(models, tuning="full", options=options) for options in (once, thrice)]
    # Two models learn at 6 a parameter; the policy passes twice more, reference and value model once.
    assert work == [(12 + 8) * TINY.parameters, (36 + 8) * TINY.parameters]
    assert (once.updates_of_step, thrice.updates_of_step) == (2, 6)  # type: ignore[attr-defined]


def test_frozen_layers_below_need_no_gradient() -> None:
    """Half of tiny-base learns, and no gradient goes below it."""
    some, all_ = (
        flops_per_token({LEARNER: TINY}, tuning="freeze", options=FreezeOptions(trained_layers=layers))
        for layers in (2, 4)
    )
    head = TINY.vocab * TINY.hidden
    half = (TINY.parameters - head) // 2 + TINY.hidden
    assert (
        some == 2 * TINY.parameters + 4 * half + 2 * head == flops_per_token({LEARNER: TINY}, tuning="freeze")
    )
    assert some < all_ < flops_per_token({LEARNER: TINY}, tuning="full")


def test_sizes_that_a_configuration_lacks_are_guessed() -> None:
    guessed = ModelSize.of(600_000_000, {})
    assert 500 < guessed.hidden < 3000 and guessed.layers > 1 and guessed.vocab == 32_000
    assert ModelSize.of(5, {"hidden": 8, "layers": 2, "vocab": 32, "intermediate": 16}).intermediate == 16


def test_time() -> None:
    assert estimate.seconds(tokens=1000, updates=10, flops=6.0, speed=600.0, device="cpu", learned=True) == 10
    slow = estimate.seconds(tokens=1000, updates=10, flops=6.0, speed=600.0, device="cpu", learned=False)
    assert slow == 10 + 10 * estimate.STEP_OVERHEAD["cpu"]
    assert estimate.assumed_speed("gpu") > estimate.assumed_speed("cpu", threads=4) > 0


def test_nothing_is_learned_from_nothing(studio: Studio) -> None:
    assert estimate.learned_speed(studio, method="sft", device="cpu", parameters=2_000_000) is None
