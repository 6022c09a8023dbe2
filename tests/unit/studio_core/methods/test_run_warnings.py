"""Warnings of a run: each is provoked by metrics that call for it, and runs that go well hear none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest

from studio_core import texts
from studio_core.methods import METHODS
from studio_core.methods.run_warnings import CHECKS, WINDOW, Watch

STEPS = 60


def between(first: float, last: float, bend: float = 0.25) -> list[float]:
    """A curve that comes from one value to the other, fast at first; with a ripple of a twentieth."""
    ends = [last + (first - last) * math.exp(-step / (bend * STEPS)) for step in range(STEPS)]
    return [value * (1 + 0.05 * math.sin(2.3 * step)) for step, value in enumerate(ends)]


def steady(value: float) -> list[float]:
    return [value] * STEPS


def told(
    method: str, options: Mapping[str, Any] | None = None, **curves: list[float]
) -> dict[str, dict[str, Any]]:
    """What a run with these curves is told, by name; ``eval_`` curves have a look every ten steps."""
    watch, warnings = Watch(METHODS[method], options or {}), {}
    for step in range(STEPS):
        looks = {name: line[step] for name, line in curves.items() if "eval_" not in name or step % 10 == 9}
        values = {name.replace("__", "/"): value for name, value in looks.items()}
        for warning in watch.look(step + 1, STEPS, values):
            assert warning.name not in warnings, "it is told once"
            assert "{" not in texts.text(warning.key, **warning.values)
            assert "{" not in texts.text(warning.key, "zh-CN", **warning.values)
            warnings[warning.name] = warning.values
    return warnings


GRPO: dict[str, list[float]] = {
    "loss": [0.01 * math.sin(step) for step in range(STEPS)],
    "reward": between(0.5, 0.98),
    "kl": between(1e-4, 0.03),
    "entropy": between(0.25, 0.08),
    "completions__mean_length": between(17.6, 26),
    "completions__clipped_ratio": between(0.15, 0.02),
    "groups__alike": between(0.3, 0.7),
    "groups__all_best": between(0.25, 0.69),
    "groups__all_worst": between(0.05, 0.01),
    # The negative of the held-out reward, which goes up and down.
    "eval_loss": [-0.8 - 0.1 * math.cos(step / 8) for step in range(STEPS)],
}
DPO: dict[str, list[float]] = {
    "loss": between(0.69, 0.05),
    "eval_loss": between(0.69, 0.1),
    "rewards__accuracies": between(0.5, 0.97),
    "logps__chosen": between(-20, -24),
    "logps__rejected": between(-22, -60),
}
SFT: dict[str, list[float]] = {
    "loss": between(3.0, 0.6),
    "eval_loss": between(2.9, 0.7),
    # Of given answers it falls by right.
    "entropy": between(2.0, 0.05),
}
HEALTHY = {"grpo": GRPO, "dpo": DPO, "sft": SFT}


@pytest.mark.parametrize("method", HEALTHY)
def test_a_run_that_goes_well_hears_nothing(method: str) -> None:
    assert told(method, {"max_new_tokens": 48}, **HEALTHY[method]) == {}


PROVOKED: dict[str, tuple[str, dict[str, Any], dict[str, list[float]]]] = {
    "groups_done": (
        "grpo",
        {},
        {"groups__all_best": between(0.5, 0.99), "groups__alike": between(0.5, 0.99)},
    ),
    "groups_too_hard": (
        "grpo",
        {},
        {"groups__all_worst": steady(0.95), "groups__alike": steady(0.95), "reward": between(0.01, 0.02)},
    ),
    "groups_alike": ("grpo", {}, {"groups__alike": steady(1.0), "groups__all_best": steady(0.5)}),
    "reward_hacking_kl": ("grpo", {}, {"kl": between(0.01, 2.0)}),
    "reward_hacking_length": ("grpo", {}, {"completions__mean_length": between(20, 120)}),
    "unscored": ("grpo", {}, {"rewards__judge__unscored": steady(0.6)}),
    "entropy_collapse": ("grpo", {}, {"entropy": between(0.5, 0.001)}),
    "kl_over_target": ("grpo", {"kl_target": 0.5}, {"sequence_kl": between(0.1, 0.9)}),
    "answers_cut": ("grpo", {"max_new_tokens": 48}, {"completions__clipped_ratio": steady(0.3)}),
    "both_less_likely": ("dpo", {}, {"logps__chosen": between(-20, -45)}),
    "accuracy_at_chance": ("dpo", {}, {"rewards__accuracies": between(0.47, 0.52)}),
    "held_out_rises": ("dpo", {}, {"eval_loss": [0.5 + abs(step - 25) / 60 for step in range(STEPS)]}),
    "loss_diverges": ("sft", {}, {"loss": between(3.0, 7.0)}),
    "loss_flat": ("dpo", {}, {"loss": steady(0.693)}),
    "loss_noisy": ("sft", {}, {"loss": [2.0 + 1.5 * (-1) ** step - step / 200 for step in range(STEPS)]}),
}


@pytest.mark.parametrize("name", PROVOKED)
def test_what_is_odd_is_told_once(name: str) -> None:
    method, options, curves = PROVOKED[name]
    assert [*told(method, options, **{**HEALTHY[method], **curves})] == [name]


def test_each_warning_is_provoked_here() -> None:
    assert {check.__name__ for check in CHECKS} == PROVOKED.keys()


def test_a_loss_that_jumps_at_once_diverges_though_it_falls_afterwards() -> None:
    jumped = [7.5, *(90 * 0.93**step + 15 + 8 * math.sin(9 * step) for step in range(STEPS - 1))]
    assert [*told("sft", loss=jumped)] == ["loss_diverges"]


def test_a_single_odd_report_is_no_warning() -> None:
    curves = {name: [*line] for name, line in GRPO.items()}
    curves["completions__clipped_ratio"][30] = 1.0
    curves["kl"][30] = 2.0
    curves["groups__all_worst"][3] = 1.0
    assert told("grpo", **curves) == {}


def test_a_run_of_few_steps_is_not_judged() -> None:
    watch = Watch(METHODS["grpo"], {})
    for step in range(1, WINDOW):
        assert watch.look(step, WINDOW, {"groups/all_worst": 1.0, "completions/clipped_ratio": 1.0}) == []


def test_what_is_no_number_is_left_out() -> None:
    watch = Watch(METHODS["sft"], {})
    for step in range(1, 40):
        assert watch.look(step, 40, {"loss": None if step % 2 else 1.0 / step, "eval_loss": math.nan}) == []
