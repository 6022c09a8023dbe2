"""Loss and gradient of a step are the same as one batch, as several, and on two ranks, in every method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.training import cpo, dpo, kto, orpo, reward, sft, simpo
from studio_core.runs.spec import ResolvedModel
from tests.integration.miniature import Rows, events, judged, make_run, miniature_model, said
from tests.integration.test_several_ranks import carried_out

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.

MAINS = {"sft": sft.main, "dpo": dpo.main, "kto": kto.main, "reward": reward.main}
MAINS |= {"simpo": simpo.main, "cpo": cpo.main, "orpo": orpo.main}
CHATS: Rows = [
    {"messages": [said("user", "say a"), said("assistant", "b" * length)]} for length in (1, 9, 2, 30)
]
PAIRS: Rows = [
    {
        "prompt": [said("user", "say a")],
        "chosen": [said("assistant", "good" + "!" * length)],
        "rejected": [said("assistant", "bad" + "?" * (17 - length))],
    }
    for length in (1, 9, 2, 16)
]
ROWS = {"sft": CHATS, "dpo": PAIRS, "kto": judged(4), "reward": PAIRS}
ROWS |= {"simpo": PAIRS, "cpo": PAIRS, "orpo": PAIRS}
LOSSES = ("sigmoid", "ipo", "apo_zero", "discopop")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ResolvedModel:
    return miniature_model(tmp_path_factory.mktemp("models") / "miniature")


def steps(run_dir: Path) -> list[tuple[float, float]]:
    """Loss and norm of the gradient of each step."""
    reports = [event["values"] for event in events(run_dir, "metrics")]
    return [(values["loss"], values["grad_norm"]) for values in reports if "loss" in values]


def run(folder: Path, model: ResolvedModel, method: str, **given: Any) -> Path:
    # Two steps, each of all four rows: the second learns from what the first one changed.
    settings = {
        "max_steps": 2,
        "prompts": (),
        "max_grad_norm": 100.0,
        "warmup": 0.0,
        "eval_share": 0.0,
        **given,
    }
    return make_run(folder, model, ROWS[method], method=method, **settings)


@pytest.mark.parametrize(
    ("method", "given"),
    [
        ("sft", {}),
        ("sft", {"loss_on": "everything"}),
        *(("dpo", {"loss": loss, "sft_weight": 0.7}) for loss in LOSSES),
        ("dpo", {"tuning": "lora", "sft_weight": 1.0}),
        ("dpo", {"loss_weights": "sft=1, sigmoid=0.8, bco_pair=0.2"}),
        ("kto", {}),
        ("kto", {"tuning": "lora"}),
        ("kto", {"loss": "apo_zero_unpaired"}),
        ("reward", {}),
        ("simpo", {"sft_weight": 0.7}),
        ("cpo", {"tuning": "lora"}),
        ("orpo", {}),
    ],
)
def test_batches_that_are_accumulated_teach_what_one_does(
    tmp_path: Path, model: ResolvedModel, method: str, given: dict[str, Any]
) -> None:
    told = {}
    for size in (
        4,
        3,
        2 if method == "kto" else 1,
    ):  # Three and one: a short batch weighs no more than its rows.
        folder = tmp_path / f"of-{size}"
        MAINS[method](
            run(folder, model, method, batch_size=size, gradient_accumulation=-(-4 // size), **given)
        )
        told[size] = steps(folder)
    whole = told.pop(4)
    assert len(whole) == 2 and whole[0] != whole[1]
    for split in told.values():
        assert split == [pytest.approx(step, rel=1e-4) for step in whole]


@pytest.mark.parametrize(("method", "given"), [("dpo", {"sft_weight": 0.7}), ("kto", {}), ("sft", {})])
def test_two_ranks_teach_what_one_does(
    tmp_path: Path, model: ResolvedModel, prepared_python: str, method: str, given: dict[str, Any]
) -> None:
    whole = run(tmp_path / "whole", model, method, batch_size=4, **given)
    MAINS[method](whole)
    two = run(tmp_path / "two", model, method, batch_size=2, **given)
    assert steps(carried_out(two, prepared_python)) == [
        pytest.approx(step, rel=1e-4) for step in steps(whole)
    ]
