"""What is particular to online DPO, on miniature models: pairs of own answers, ties, the loss, a stop amid answers."""

from __future__ import annotations

import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from jobs.training import online_dpo
from jobs.training.answer_logits import answer_logits
from jobs.training.online_dpo import Pair, places, preference_loss, ranked
from jobs.training.rounds import Answer
from studio_core.base.errors import BadInput
from studio_core.data.shapes import Shape
from studio_core.runs import rollouts
from studio_core.runs.run_folder import CHECKPOINTS, MODEL
from studio_core.runs.spec import ResolvedModel, RewardChoice
from tests.integration.method_conformance import ROWS
from tests.integration.miniature import (
    LONGER,
    events,
    make_run,
    stop_amid_answers,
    values,
    weights,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.


def prepared(folder: Path, base: ResolvedModel, **given: Any) -> Path:
    settings: dict[str, Any] = {
        "rewards": [LONGER], "batch_size": 8, "max_new_tokens": 12, "max_steps": 6, "learning_rate": 1e-2,
        "save_steps": 3, **given,
    }  # fmt: skip
    rows = settings.pop("rows", ROWS[Shape.PROMPT_ONLY])
    return make_run(folder, base, rows, method="online-dpo", shape=Shape.PROMPT_ONLY, **settings)


def test_best_and_worst_of_a_group_are_its_pair_and_ties_are_none() -> None:
    worth = (0.2, 0.9, 0.9, 0.1, 1, 1, 1, 1, None, 0.5, None, 0.5, None, None, None, None)
    answers = [Answer({"prompt_ids": [1]}, [place], "", True, {}, value) for place, value in enumerate(worth)]
    pairs = ranked(answers, 4)
    assert pairs == [Pair(answers[1], answers[3]), None, None, None]
    assert places(answers, pairs) == [0, 1, 0, -1] + 12 * [0]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("sigmoid", [0.607192, 1.241154, 0.152978]), ("ipo", [1.137778, 21.777778, 18.777778])],
)
def test_the_loss_is_as_computed_by_hand(kind: str, expected: list[float]) -> None:
    """IPO is of whole answers, as TRL's online trainer has it."""
    losses = preference_loss(torch.tensor([0.6, -3.0, 6.0]), 0.3, kind)
    assert losses.tolist() == pytest.approx(expected, abs=1e-5)


def test_a_log_probability_is_that_of_the_whole_text(base: ResolvedModel) -> None:
    """Of each answer token after all before it, whatever other answers are padded to."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base.path, dtype=torch.float32).eval()
    base_of = SimpleNamespace(device=torch.device("cpu"), forward=lambda rows, **given: model(**given))
    texts, prompts = [[5, 6, 7, 8, 9], [5, 3, 4, 6, 7]], [3, 1]
    learnt = [[place >= begin for place in range(5)] for begin in prompts]
    got = answer_logits(SimpleNamespace(base=base_of), texts, learnt)  # type: ignore[arg-type]
    for row, (text, begin) in enumerate(zip(texts, prompts, strict=True)):
        logps = model(input_ids=torch.tensor([text])).logits[0].log_softmax(-1)
        expected = [logps[place - 1, text[place]].item() for place in range(begin, 5)]
        assert got.logps[row, got.learnt[row]].tolist() == pytest.approx(expected, abs=1e-5)
        assert got.logps[row, ~got.learnt[row]].abs().sum() == 0


def test_what_is_learnt_is_what_was_written_and_ranked(tmp_path: Path, base: ResolvedModel) -> None:
    run_dir = prepared(tmp_path / "run", base)
    online_dpo.main(run_dir)
    kept = [*rollouts.read(run_dir)]
    assert len(kept) == 6 * 8 and [one["step"] for one in kept[::8]] == [1, 2, 3, 4, 5, 6]
    for first, second in zip(kept[::2], kept[1::2], strict=True):
        assert first["prompt"] == second["prompt"]
        worth = (first["reward"] or 0.0) - (second["reward"] or 0.0)
        assert first["advantage"] == -second["advantage"] == (worth > 0) - (worth < 0)
    assert values(run_dir, "loss")[0] == pytest.approx(0.6931, abs=1e-3)  # Nothing is gained yet.
    assert values(run_dir, "kl")[0] == pytest.approx(0, abs=1e-5)
    assert values(run_dir, "rewards/margins")[-1] != 0


def test_held_out_prompts_are_answered_once_with_the_same_random_numbers(
    tmp_path: Path, base: ResolvedModel
) -> None:
    run_dir = prepared(tmp_path / "run", base, eval_share=0.2, learning_rate=1e-8)
    online_dpo.main(run_dir)
    looks = values(run_dir, "eval_reward")
    assert len(looks) == 2 and looks[0] == looks[1] > 0


def test_ties_move_nothing_and_are_counted(tmp_path: Path, base: ResolvedModel) -> None:
    nothing = RewardChoice(name="contains", options={"text": "no answer has this"})
    run_dir = prepared(tmp_path / "run", base, rewards=[nothing], max_steps=2)
    online_dpo.main(run_dir)
    assert values(run_dir, "ties") == [1.0, 1.0] and values(run_dir, "grad_norm") == [0.0, 0.0]
    before = load_file(Path(base.path) / "model.safetensors")
    assert all(torch.equal(before[name], weight) for name, weight in weights(run_dir).items())


@pytest.mark.parametrize("tuning", ["full", "lora", "prompt_tuning"])
def test_the_reference_is_the_model_as_it_was(tmp_path: Path, base: ResolvedModel, tuning: str) -> None:
    run_dir = prepared(tmp_path / "run", base, tuning=tuning)
    online_dpo.main(run_dir)
    drift = values(run_dir, "kl")
    if tuning != "prompt_tuning":  # Virtual tokens begin at random.
        assert drift[0] == pytest.approx(0, abs=1e-5)
    assert abs(drift[-1]) > 1e-4


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_a_stop_amid_answers_keeps_the_last_step_and_a_resumed_run_equals_the_unbroken_one(
    tmp_path: Path, base: ResolvedModel, monkeypatch: pytest.MonkeyPatch, tuning: str
) -> None:
    whole, stopped = (prepared(tmp_path / name, base, tuning=tuning) for name in ("whole", "stopped"))
    online_dpo.main(whole)
    stop_amid_answers(monkeypatch, 3)
    before = signal.getsignal(signal.SIGTERM)
    online_dpo.main(stopped)
    signal.signal(signal.SIGTERM, before)
    monkeypatch.undo()
    [result] = events(stopped, "result")
    assert (result["state"], result["step"], result["total_steps"]) == ("stopped", 2, 6)
    checkpoint = stopped / CHECKPOINTS / "checkpoint-2"
    resumed = prepared(tmp_path / "resumed", base, tuning=tuning, resume_from=checkpoint)
    online_dpo.main(resumed)
    [one], [other] = ([*(run / MODEL).glob("*.safetensors")] for run in (whole, resumed))
    first, second = load_file(one), load_file(other)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_fewer_prompts_than_a_step_takes_are_refused(tmp_path: Path, base: ResolvedModel) -> None:
    run_dir = prepared(tmp_path / "run", base, rows=ROWS[Shape.PROMPT_ONLY][:1])
    with pytest.raises(BadInput, match="takes 4 prompts, but only 1"):
        online_dpo.main(run_dir)
