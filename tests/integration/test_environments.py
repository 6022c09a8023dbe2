"""Answers over several turns, on miniature models: what is learnt of them, what is kept, a stop on their way.

A miniature cannot speak, let alone call: what its answers are decoded as is put in place of what it wrote.
"""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from jobs.generation import trajectories
from jobs.generation.stopping import Stops
from jobs.generation.trajectories import Trajectory
from jobs.training import grpo, rloo, writing
from jobs.training import rollouts as shared
from studio_core.base.errors import BadInput
from studio_core.data.shapes import Shape
from studio_core.data.tool_calls import Call
from studio_core.runs import rollouts
from studio_core.runs.run_folder import CHECKPOINTS, MODEL
from studio_core.runs.spec import ResolvedModel
from tests.integration.method_conformance import ROWS
from tests.integration.miniature import LONGER, events, make_run, stop_amid_answers, values

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.

SCRIPTS: dict[str, ModuleType] = {"grpo": grpo, "rloo": rloo}


@pytest.fixture(autouse=True)
def calling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every turn whose text has an even length is a call, and turns end soon: at one token in six."""
    opened = writing.opened

    def opened_to_end_soon(course: Any, model: Any) -> Any:
        writer = opened(course, model)
        return replace(writer, stops=Stops(frozenset({*writer.stops.tokens, *range(0, 300, 6)})))

    def calls_in(text: str) -> list[Call]:
        # The check at the start reads a real call.
        called = "calculator" in text or len(text) % 2 == 0
        return [Call("calculator", {"expression": f"{len(text)}+1"})] if called else []

    monkeypatch.setattr(trajectories, "calls_in", calls_in)
    monkeypatch.setattr(shared, "opened", opened_to_end_soon)


def prepared(folder: Path, base: ResolvedModel, method: str, **given: Any) -> Path:
    settings: dict[str, Any] = {
        "environment": "calculator", "max_turns": 3, "max_new_tokens": 160, "rewards": [LONGER], "batch_size": 8,
        "num_generations": 4, "max_steps": 4, "learning_rate": 2e-2, "save_steps": 2, "tools_in_prompt": False,
        "max_length": 256, "beta": 0.1, **given,
    }  # fmt: skip
    rows = settings.pop("rows", ROWS[Shape.PROMPT_ONLY])
    return make_run(folder, base, rows, method=method, shape=Shape.PROMPT_ONLY, **settings)


@pytest.mark.parametrize("method", [*SCRIPTS])
def test_what_the_environment_wrote_is_read_and_not_learnt(
    tmp_path: Path, base: ResolvedModel, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[list[Trajectory], Any, float]] = []
    trainer = getattr(SCRIPTS[method], f"Rollout{method.upper()}Trainer")
    compute = trainer._compute_loss

    def computed(self: Any, model: Any, inputs: Any) -> Any:
        loss = compute(self, model, inputs)
        if not seen:
            # By hand: log-probabilities of the whole text, of which only the model's own tokens count.
            ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], 1)
            mask = torch.cat([inputs["prompt_mask"], _whole(self._written, inputs["completion_ids"])], 1)
            with torch.no_grad():
                logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1] / self.temperature
            logps = logits.log_softmax(-1).gather(2, ids[:, 1:, None])[..., 0]
            width = inputs["completion_ids"].shape[1]
            seen.append((list(self._written), (inputs, logps[:, -width:]), float(loss)))
        return loss

    monkeypatch.setattr(trainer, "_compute_loss", computed)
    run_dir = prepared(tmp_path / "run", base, method)
    SCRIPTS[method].main(run_dir)
    [(texts, (inputs, logps), loss)] = seen
    assert any(text.calls for text in texts) and any(not all(text.own) for text in texts)
    own = torch.zeros_like(logps)
    order = [_row_of(text, inputs["completion_ids"]) for text in texts]
    for row, text in zip(order, texts, strict=True):
        own[row, : len(text.own)] = torch.tensor(text.own, dtype=own.dtype)
    # The ratio is 1 while nothing has been learnt yet, so that the loss is the mean of the advantages.
    advantages = inputs["advantages"]
    if method == "grpo":
        expected = -(advantages[:, None] * own).sum() / own.sum()
        assert torch.equal(inputs["completion_mask"] * inputs["tool_mask"], own.long())
    else:
        expected = -advantages.mean()
        assert torch.equal(inputs["completion_mask"], own.long())
        assert torch.allclose(inputs["old_logps"], (logps * own).sum(1), atol=1e-4)
    assert loss == pytest.approx(float(expected), abs=1e-5)
    assert values(run_dir, "completions/mean_length")[0] == pytest.approx(float(own.sum() / len(own)))
    assert values(run_dir, "kl")[0] == pytest.approx(0, abs=1e-5)
    assert values(run_dir, "tools/call_frequency")[0] == sum(text.calls for text in texts) / 8


def _whole(texts: list[Trajectory], like: torch.Tensor) -> torch.Tensor:
    mask = torch.zeros_like(like)
    for text in texts:
        mask[_row_of(text, like), : len(text.tokens)] = 1
    return mask


def _row_of(text: Trajectory, completions: torch.Tensor) -> int:
    """The row of a batch that is this text: a trainer shuffles them."""
    size = len(text.tokens)
    return next(row for row, ids in enumerate(completions.tolist()) if ids[:size] == text.tokens)


def test_a_rollout_keeps_every_turn(tmp_path: Path, base: ResolvedModel) -> None:
    run_dir = prepared(tmp_path / "run", base, "grpo", max_steps=2, max_turns=2)
    grpo.main(run_dir)
    kept = [*rollouts.read(run_dir)]
    called = [rollout for rollout in kept if len(rollout["turns"]) > 1]
    assert called and len(called) < len(kept)
    for rollout in kept:
        written = [turn for turn in rollout["turns"] if turn["role"] == "assistant"]
        assert rollout["turns"][-1] == written[-1] and rollout["answer"] == written[-1]["content"]
        assert rollout["tokens"] == sum(turn["tokens"] for turn in written)
        assert [turn["role"] for turn in rollout["turns"]] == ["assistant", "tool", "assistant"][
            : len(rollout["turns"])
        ]
    for rollout in called:
        assert rollout["turns"][1]["content"] == str(len(rollout["turns"][0]["content"]) + 1)
    unanswered = [rollout for rollout in called if len(rollout["answer"]) % 2 == 0]
    assert not any(rollout["ended"] for rollout in unanswered)
    assert rollouts.whole_text(called[0]).count("\n") >= 2


@pytest.mark.parametrize("method", [*SCRIPTS])
def test_a_stop_amid_turns_keeps_the_last_step_and_a_resumed_run_equals_the_unbroken_one(
    tmp_path: Path, base: ResolvedModel, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    main = SCRIPTS[method].main
    whole, stopped = (prepared(tmp_path / name, base, method) for name in ("whole", "stopped"))
    main(whole)
    with monkeypatch.context() as patch:
        # Two turns, and often three, of each step: the eighth is one of the third step or of the fourth.
        stop_amid_answers(patch, 8)
        before = signal.getsignal(signal.SIGTERM)
        main(stopped)
        signal.signal(signal.SIGTERM, before)
    [result] = events(stopped, "result")
    assert result["state"] == "stopped" and 2 <= result["step"] < 4
    resumed = prepared(
        tmp_path / "resumed", base, method, resume_from=stopped / CHECKPOINTS / f"checkpoint-{result['step']}"
    )
    main(resumed)
    one, other = (load_file(run_dir / MODEL / "model.safetensors") for run_dir in (whole, resumed))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_record_with_tools_of_its_own_is_refused(tmp_path: Path, base: ResolvedModel) -> None:
    rows = [{**row, "tools": '[{"name": "search"}]'} for row in ROWS[Shape.PROMPT_ONLY]]
    run_dir = prepared(tmp_path / "run", base, "grpo", rows=rows)
    with pytest.raises(BadInput) as refused:
        grpo.main(run_dir)
    assert refused.value.key == "methods.rollouts.own_tools"
