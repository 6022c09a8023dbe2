"""Warnings of real runs, on miniature models: each is provoked by a run that calls for it, and runs that go well hear
none. A run takes a second or two."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from jobs.training import dpo, grpo, ppo, sft
from studio_core.data.shapes import Shape
from studio_core.methods.run_warnings import CHECKS
from studio_core.runs.run_folder import MODEL
from studio_core.runs.spec import ResolvedModel, RewardChoice
from tests.integration.method_conformance import ROWS
from tests.integration.miniature import Rows, events, make_run, pairs, said

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.

PROMPTS = ROWS[Shape.PROMPT_ONLY]
SCRIPTS: dict[str, Any] = {"sft": sft, "dpo": dpo, "grpo": grpo, "ppo": ppo}
SHORT: Rows = [
    {
        "messages": [
            PROMPTS[n % len(PROMPTS)]["prompt"][-1],
            said("assistant", "abcdefgh"[n % 8] * (1 + n % 4)),
        ]
    }
    for n in range(32)
]
"""One to four letters, which cannot be foreseen."""
OTHERS: Rows = [
    {"messages": [said("user", f"say {n}"), said("assistant", word)]}
    for n, word in enumerate(("river", "seven", "green", "open", "stone", "magic", "light", "fourth"))
]
JUNK: Rows = [
    {
        "messages": [
            said("user", "say x"),
            said("assistant", "".join(chr(33 + (n * 37 + k * k * 13) % 90) for k in range(12))),
        ]
    }
    for n in range(12)
]
ONE_AND_ONE = [{"messages": [said("user", "What is 1 plus 1?"), said("assistant", "It is 2.")]}] * 16
PAIRS = pairs(8)
BOTH_WAYS = [
    way for pair in PAIRS for way in (pair, {**pair, "chosen": pair["rejected"], "rejected": pair["chosen"]})
]


def reward(name: str, **options: Any) -> RewardChoice:
    return RewardChoice(name=name, options=options)


ALWAYS, NEVER = reward("lacks", text="never written"), reward("contains", text="never written")


@dataclass(frozen=True)
class Case:
    """A run, and what it is told: no more than that where it is clear from what the run is given."""

    expected: tuple[str, ...]
    method: str
    rows: Rows
    options: dict[str, Any] = field(default_factory=dict)
    speaks: bool = False
    """Whether it starts with the model that has learnt to give short answers."""
    exact: bool = True


def rolled(*rewards: RewardChoice, **options: Any) -> dict[str, Any]:
    given = {"batch_size": 8, "num_generations": 4, "scheduler": "constant", **options}
    return {"rewards": [*rewards], "shape": Shape.PROMPT_ONLY, **given}


def cut_at_three(*rewards: RewardChoice) -> dict[str, Any]:
    return rolled(*rewards, max_new_tokens=3, max_steps=12, learning_rate=1e-3)


def steady(rate: float, steps: int, **options: Any) -> dict[str, Any]:
    return {"learning_rate": rate, "max_steps": steps, "scheduler": "constant", **options}


CASES = {
    "too hard": Case(("answers_cut", "groups_too_hard"), "grpo", PROMPTS, cut_at_three(NEVER)),
    "done": Case(("answers_cut", "groups_done"), "grpo", PROMPTS, cut_at_three(ALWAYS)),
    "neither right nor wrong": Case(
        ("answers_cut", "groups_alike"), "grpo", PROMPTS, cut_at_three(ALWAYS, NEVER)
    ),
    "nothing to compare with": Case(
        ("unscored",),
        "grpo",
        [{"prompt": row["prompt"], "answer": ""} for row in PROMPTS],
        rolled(reward("number"), max_new_tokens=3, max_steps=4),
        exact=False,
    ),
    "longer is better": Case(
        ("answers_cut", "reward_hacking_kl", "reward_hacking_length"),
        "grpo",
        PROMPTS,
        rolled(
            reward("longer", characters=40), max_new_tokens=30, max_steps=36, learning_rate=3e-3, beta=1e-6
        ),
        speaks=True,
        exact=False,
    ),
    "a high rate, and nothing but one answer is left": Case(
        ("entropy_collapse",),
        "grpo",
        PROMPTS,
        # One answer is the best of all, and is learnt until it is the only one: in each of three seeds the entropy
        # falls from 0.5 to 0.005 within thirty steps.
        rolled(
            reward("near_length", characters=1),
            reward("contains", text="a"),
            max_new_tokens=8,
            max_steps=40,
            learning_rate=1e-2,
            batch_size=16,
            num_generations=8,
        ),
        speaks=True,
        exact=False,
    ),
    "the coefficient is too small": Case(
        ("kl_over_target",),
        "ppo",
        PROMPTS,
        rolled(
            reward("longer", characters=20),
            max_new_tokens=8,
            max_steps=11,
            learning_rate=1e-2,
            value_learning_rate=1e-2,
            kl_target=0.01,
            kl_coef=1e-4,
            num_iterations=1,
            num_generations=1,
        ),
        speaks=True,
        exact=False,
    ),
    "a loss that lowers the chosen answer": Case(
        ("both_less_likely",),
        "dpo",
        PAIRS,
        steady(3e-3, 24, loss="apo_down", sft_weight=0.0, batch_size=8),
        exact=False,
    ),
    "each pair both ways": Case(("accuracy_at_chance",), "dpo", BOTH_WAYS, steady(1e-3, 20, batch_size=16)),
    "four rows by heart": Case(
        ("held_out_rises",), "sft", OTHERS[:4], steady(1e-2, 30, held_out=OTHERS[4:], save_steps=5)
    ),
    "a third is junk": Case(
        ("loss_noisy",), "sft", SHORT[:20] + JUNK, steady(1e-7, 24, batch_size=1), speaks=True, exact=False
    ),
    # Whether it is told that it jumps, too, is chance.
    "a rate that is far too high": Case(("loss_diverges",), "sft", ONE_AND_ONE, steady(1.0, 30), exact=False),
    "a rate that is far too low": Case(("loss_flat",), "sft", ONE_AND_ONE, steady(1e-8, 30)),
    "SFT that goes well": Case((), "sft", ONE_AND_ONE, steady(1e-2, 30)),
    "DPO that goes well": Case(
        (), "dpo", PAIRS, steady(3e-3, 22, batch_size=8, held_out=pairs(4), save_steps=6)
    ),
    "GRPO that goes well": Case(
        (),
        "grpo",
        PROMPTS,
        rolled(reward("near_length", characters=3), max_new_tokens=12, max_steps=22, learning_rate=1e-3),
        speaks=True,
    ),
}


@pytest.fixture(scope="module")
def speaker(tmp_path_factory: pytest.TempPathFactory, base: ResolvedModel) -> ResolvedModel:
    """A model that ends its answers."""
    folder = tmp_path_factory.mktemp("speaker") / "run"
    run_dir = make_run(folder, base, SHORT, prompts=(), **steady(1e-2, 40, batch_size=8))
    sft.main(run_dir)
    return base.model_copy(update={"path": str(run_dir / MODEL)})


@pytest.mark.parametrize("name", CASES)
def test_a_run_is_told_what_is_odd_about_it(
    tmp_path: Path, base: ResolvedModel, speaker: ResolvedModel, name: str
) -> None:
    case = CASES[name]
    model = speaker if case.speaks else base
    run_dir = make_run(tmp_path / "run", model, case.rows, method=case.method, prompts=(), **case.options)
    SCRIPTS[case.method].main(run_dir)
    told = [event["key"].removeprefix("methods.notice.") for event in events(run_dir, "notice")]
    assert len(told) == len({*told}), "each is told once"
    assert {*case.expected} == {*told} if case.exact else {*case.expected} <= {*told}


def test_each_warning_is_provoked_by_a_real_run() -> None:
    assert {check.__name__ for check in CHECKS} == {name for case in CASES.values() for name in case.expected}
