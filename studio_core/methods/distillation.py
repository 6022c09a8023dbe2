"""Knowledge distillation: a student learns what a teacher would say next, token by token."""

from __future__ import annotations

from typing import Any, Literal

from studio_core.data.shapes import Shape
from studio_core.methods.base import Chart, Method
from studio_core.methods.common import DEMO_SIZE, ReplayOptions, TrainingOptions
from studio_core.methods.roles import Comparison, Role
from studio_core.options import option
from studio_core.tunings.base import Tuning

Mode = Literal["on_policy", "off_policy", "data", "answers"]
"""Who writes the texts, and what is learnt of them: the student, the teacher or the dataset, and the teacher's
distribution over the vocabulary; or the teacher, and its tokens alone."""


class DistillationOptions(ReplayOptions, TrainingOptions):
    mode: Mode = option("on_policy", advanced=False)
    # 0 is forward KL, 1 reverse KL, as in TRL; between them the generalised Jensen-Shannon divergence. The middle, as
    # TRL's GKD has it: on a demo model forward KL lost a way of answering that the teacher has beside others.
    beta: float = option(0.5, at_least=0.0, at_most=1.0, advanced=False)
    # Of sampling and of both distributions, as in TRL. Not 0: a distribution needs a width.
    temperature: float = option(1.0, at_least=0.05, at_most=2.0)
    # As many as TRL draws; an answer mostly ends before.
    max_new_tokens: int = option(512, at_least=1, at_most=32_768, unit="tokens", advanced=False)


def presets(preset: str, tuning: Tuning, parameters: int) -> dict[str, Any]:
    """Starting values: for the demo models from a few runs (docs/MEASURED.md), for others what is usual."""
    full = tuning.whole
    if parameters < DEMO_SIZE:
        return {
            "learning_rate": 5e-4 if full else 1.5e-3,
            "epochs": {"quick": 1.0, "balanced": 2.0, "thorough": 4.0}[preset],
            "batch_size": 16,
            "max_length": 512,
            "max_new_tokens": 48,
        }
    # Agarwal et al. 2024 (arXiv:2306.13649) train with 3e-4 under Adafactor; with AdamW a rate as for SFT is usual.
    rate = 2e-5 if parameters < 2e9 else 1e-5
    return {
        "learning_rate": rate if full else 10 * rate,
        "epochs": {"quick": 1.0, "balanced": 1.0, "thorough": 2.0}[preset],
        "batch_size": 8 if parameters < 1e9 else 4 if parameters < 4e9 else 2,
        "gradient_accumulation": 4 if parameters < 1e9 else 8 if parameters < 4e9 else 16,
        "max_length": 1024 if preset == "quick" else 2048,
        "max_new_tokens": 256 if preset == "quick" else 512,
        "eval_share": 0.0 if preset == "quick" else 0.02,
    }


DISTILLATION = Method(
    name="distillation",
    shapes=(Shape.CHAT, Shape.PROMPT_COMPLETION),
    Options=DistillationOptions,
    presets=presets,
    charts=(
        Chart(
            "divergence", ("loss", "eval_loss"), names={"loss": "divergence", "eval_loss": "eval_divergence"}
        ),
        Chart("agreement", ("agreement", "eval_agreement")),
        Chart("replay", ("replay_loss",), needs="replay"),
        Chart("entropy", ("entropy",)),
        Chart("written", ("written_tokens",)),
        Chart("ended", ("ended",)),
        Chart("learning_rate", ("learning_rate",)),
        Chart("grad_norm", ("grad_norm",)),
        Chart("speed", ("tokens_per_second",)),
    ),
    headline=("loss", "agreement", "written_tokens", "tokens_per_second"),
    roles=(
        # The pass without gradient is the writing of answers.
        Role("policy", learns=True, passes=1),
        # Between the two KLs eleven arrays are kept for the gradient.
        Role("teacher", passes=1, compared=True, comparison=Comparison(44)),
    ),
    data=("held_out", "replay"),
    several_gpus=False,
)
