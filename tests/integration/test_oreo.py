"""What is particular to OREO: the residuals, where they are taken, what is refused, and that it learns."""

from __future__ import annotations

import math
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from jobs.training import oreo
from jobs.training.oreo import divergence, places, residuals
from studio_core.base.errors import BadInput
from studio_core.data.shapes import Shape
from studio_core.methods.oreo import Level, reward_of
from studio_core.runs.run_folder import CHECKPOINTS, MODEL
from studio_core.runs.spec import ResolvedModel
from tests.integration.in_this_process import stop_at
from tests.integration.miniature import events, judged, make_run, scored, values

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.


def prepared(folder: Path, base: ResolvedModel, **given: Any) -> Path:
    settings = {"batch_size": 8, "max_steps": 6, "learning_rate": 5e-3, "save_steps": 3, **given}
    rows, shape = settings.pop("rows", scored(24)), settings.pop("shape", Shape.SCORED)
    return make_run(folder, base, rows, method="oreo", shape=shape, **settings)


ROW = torch.tensor([[False, True, True, True, True]])
"""One token of padding or of the prompt, four of the answer."""


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("token", [0, 1, 1, 1, 1]),
        ("step", [0, 1, 0, 1, 0]),
        ("response", [0, 1, 0, 0, 0]),
    ],
)
def test_the_equation_is_to_hold_in_the_places_of_its_level(level: Level, expected: list[int]) -> None:
    tokens = torch.tensor([[7, 5, 9, 5, 5]])  # 9 ends a line; what ends one before the answer begins no step.
    assert places(ROW, tokens, level, frozenset({9, 7})).int().tolist() == [expected]


def test_residuals_are_as_computed_by_hand() -> None:
    """beta 0.5, reward 1; log-ratios 0.2, -0.4, 0.6, 1.0 and values 0.1, 0.2, 0.3, 0.4 of the four tokens."""
    gains = torch.tensor([[0.0, 0.2, -0.4, 0.6, 1.0]], requires_grad=True)
    expected = torch.tensor([[9.0, 0.1, 0.2, 0.3, 0.4]], requires_grad=True)
    of_model, of_value = residuals(gains, expected, ROW, torch.tensor([1.0]), 0.5)
    # What the rest gained: 1.4, 1.2, 1.6, 1.0; half of it, the value, less the reward: -0.2, -0.2, 0.1, -0.1.
    residual = [-0.2, -0.2, 0.1, -0.1]
    assert of_model.item() == pytest.approx(sum(one**2 for one in residual) / 4)
    assert of_value.item() == pytest.approx(of_model.item())
    of_value.sum().backward(retain_graph=True)
    assert gains.grad is None
    assert expected.grad is not None
    assert expected.grad[0].tolist() == pytest.approx([0.0, *(2 * one / 4 for one in residual)])
    expected.grad = None
    of_model.sum().backward()
    assert expected.grad is None or not expected.grad.any()
    assert gains.grad is not None  # Each token answers for the place before it alone.
    assert gains.grad[0].tolist() == pytest.approx([0.0, *(2 * 0.5 * one / 4 for one in residual)])


def test_a_step_is_moved_as_a_whole() -> None:
    gains = torch.tensor([[0.0, 0.2, -0.4, 0.6, 1.0]], requires_grad=True)
    starts = torch.tensor([[False, True, False, True, False]])
    of_model, _ = residuals(gains, torch.zeros(1, 5), starts, torch.tensor([1.0]), 0.5)
    first, second = 0.5 * 1.4 - 1, 0.5 * 1.6 - 1
    assert of_model.item() == pytest.approx((first**2 + second**2) / 2)
    of_model.sum().backward()
    assert gains.grad is not None
    assert gains.grad[0].tolist() == pytest.approx([0.0, first / 2, first / 2, second / 2, second / 2])


def test_the_divergence_is_that_of_the_whole_vocabulary() -> None:
    now, before = torch.log(torch.tensor([0.5, 0.25, 0.25])), torch.log(torch.tensor([0.25, 0.5, 0.25]))
    assert divergence(now, before).item() == pytest.approx(0.5 * math.log(2) - 0.25 * math.log(2))


def test_a_reward_is_a_share_of_the_scale_or_a_label() -> None:
    assert [reward_of({"score": score}) for score in (1, 5.5, 10)] == [0.0, 0.5, 1.0]
    assert [reward_of({"label": label}) for label in (True, False)] == [1.0, 0.0]


@pytest.mark.parametrize("level", ["token", "step", "response"])
def test_good_answers_gain_on_bad_ones(tmp_path: Path, base: ResolvedModel, level: str) -> None:
    run_dir = prepared(tmp_path / "run", base, level=level, max_steps=20)
    oreo.main(run_dir)
    assert values(run_dir, "rewards/margins")[-1] > 0 and values(run_dir, "kl")[0] == pytest.approx(
        0, abs=1e-5
    )
    assert values(run_dir, "loss")[-1] < values(run_dir, "loss")[0]


def test_labels_are_rewards_too(tmp_path: Path, base: ResolvedModel) -> None:
    run_dir = prepared(tmp_path / "run", base, rows=judged(24), shape=Shape.UNPAIRED_PREFERENCE, max_steps=20)
    oreo.main(run_dir)
    assert values(run_dir, "rewards/margins")[-1] > 0


def test_answers_that_are_all_worth_the_same_are_refused(tmp_path: Path, base: ResolvedModel) -> None:
    rows = [row for row in scored(24) if row["score"] == 9.0]
    with pytest.raises(BadInput, match=r"All 8 answers of rows have the reward 0\.89"):
        oreo.main(prepared(tmp_path / "run", base, rows=rows))


@pytest.mark.parametrize("tuning", ["full", "lora", "prompt_tuning"])
def test_a_resumed_run_equals_the_unbroken_one(
    tmp_path: Path, base: ResolvedModel, monkeypatch: pytest.MonkeyPatch, tuning: str
) -> None:
    whole, stopped = (
        prepared(tmp_path / name, base, tuning=tuning, eval_share=0.2) for name in ("whole", "stopped")
    )
    oreo.main(whole)
    before = signal.getsignal(signal.SIGTERM)
    stop_at(2, monkeypatch)
    oreo.main(stopped)
    signal.signal(signal.SIGTERM, before)
    monkeypatch.undo()
    [result] = events(stopped, "result")
    assert result["state"] == "stopped" and 2 <= result["step"] < 6
    checkpoint = stopped / CHECKPOINTS / f"checkpoint-{result['step']}"
    resumed = prepared(tmp_path / "resumed", base, tuning=tuning, eval_share=0.2, resume_from=checkpoint)
    oreo.main(resumed)
    [one], [other] = ([*(run / MODEL).glob("*.safetensors")] for run in (whole, resumed))
    first, second = load_file(one), load_file(other)
    assert all(torch.equal(first[name], second[name]) for name in first)
