"""SFT with KL: the loss equals one computed by hand, the reference stays what the model was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM

from jobs.training import sft, sft_kl
from jobs.training.sft_kl import SFTKLTrainer
from studio_core.runs.spec import ResolvedModel
from tests.integration.miniature import chats, events, losses, make_run, miniature_model

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ResolvedModel:
    return miniature_model(tmp_path_factory.mktemp("models") / "miniature")


def trained(folder: Path, model: ResolvedModel, **given: Any) -> Path:
    run_dir = make_run(folder, model, chats(12), method="sft-kl", prompts=(), **given)
    sft_kl.main(run_dir)
    return run_dir


def by_hand(
    model: Any, base: Any, batch: dict[str, Any], *, direction: str, on: str, coef: float
) -> torch.Tensor:
    """The loss from full logits of both models."""
    labels, mask = batch["labels"][:, 1:], batch["attention_mask"][:, 1:] != 0
    asked = {name: batch[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        before = base(**asked).logits[:, :-1].log_softmax(-1)
    logits = model(**asked).logits[:, :-1]
    now = logits.log_softmax(-1)
    first, second = (before, now) if direction == "forward" else (now, before)
    kl = (first.exp() * (first - second)).sum(-1)
    kl = kl[labels != -100 if on == "answers" else mask].mean()
    return functional.cross_entropy(logits[labels != -100], labels[labels != -100]) + coef * kl


@pytest.mark.parametrize(
    ("tuning", "logits"), [("full", sft_kl.MOST_LOGITS), ("lora", sft_kl.MOST_LOGITS), ("full", 1 << 10)]
)
@pytest.mark.parametrize(("direction", "on"), [("forward", "everything"), ("reverse", "answers")])
def test_the_loss_and_its_gradient_equal_those_by_hand(
    tmp_path: Path,
    model: ResolvedModel,
    monkeypatch: pytest.MonkeyPatch,
    tuning: str,
    logits: int,
    direction: str,
    on: str,
) -> None:
    """In the second step, where the model has left its base; from logits that are kept, and in blocks of some."""
    monkeypatch.setattr(sft_kl, "MOST_LOGITS", logits)
    base = AutoModelForCausalLM.from_pretrained(model.path)
    seen: list[tuple[float, float, float]] = []
    compute = SFTKLTrainer.compute_loss

    def compared(self: SFTKLTrainer, model: Any, inputs: Any, **given: Any) -> Any:
        batch = dict(inputs)
        loss = compute(self, model, inputs, **given)
        learnt = [weight for weight in model.parameters() if weight.requires_grad]
        ours = torch.autograd.grad(loss, learnt, retain_graph=True)
        theirs = by_hand(model, base, batch, direction=direction, on=on, coef=2.0)
        expected = torch.autograd.grad(theirs, learnt)
        worst = max(float((a - b).abs().max()) for a, b in zip(ours, expected, strict=True))
        seen.append((float(loss.detach()), float(theirs.detach()), worst))
        return loss

    monkeypatch.setattr(SFTKLTrainer, "compute_loss", compared)
    given = {"kl_coef": 2.0, "kl_direction": direction, "kl_on": on, "warmup": 0.0, "learning_rate": 0.01}
    run_dir = trained(tmp_path / "run", model, tuning=tuning, max_steps=2, **given)
    assert len(seen) == 2
    for loss, hand, gradient in seen:
        assert loss == pytest.approx(hand, rel=1e-5) and gradient < 1e-5
    told = [event["values"]["kl"] for event in events(run_dir, "metrics")]
    assert told[0] == pytest.approx(0, abs=1e-6) and told[1] > 1e-6


def test_batches_of_a_step_weigh_by_their_tokens(tmp_path: Path, model: ResolvedModel) -> None:
    given = {"max_steps": 3, "kl_coef": 1.0, "learning_rate": 0.01}
    whole = trained(tmp_path / "whole", model, batch_size=12, **given)
    parts = trained(tmp_path / "parts", model, batch_size=4, gradient_accumulation=3, **given)
    assert losses(parts) == pytest.approx(losses(whole), rel=1e-4)


def test_without_the_coefficient_it_is_sft(tmp_path: Path, model: ResolvedModel) -> None:
    plain = make_run(tmp_path / "plain", model, chats(12), method="sft", prompts=(), max_steps=3)
    sft.main(plain)
    assert losses(trained(tmp_path / "run", model, max_steps=3, kl_coef=0.0)) == pytest.approx(losses(plain))


def test_the_reference_of_a_continued_adapter_is_that_adapter(tmp_path: Path, model: ResolvedModel) -> None:
    first = trained(tmp_path / "first", model, tuning="lora", epochs=2)
    adapted = model.model_copy(update={"adapter": str(first / "model")})
    run_dir = trained(tmp_path / "run", adapted, tuning="lora", max_steps=2, warmup=0.0)
    told = [event["values"]["kl"] for event in events(run_dir, "metrics")]
    assert told[0] == pytest.approx(0, abs=1e-6) and told[1] > 0
    assert [file.name for file in (run_dir / "model").iterdir() if file.is_dir()] == []


def test_held_out_rows_have_a_kl_of_their_own(tmp_path: Path, model: ResolvedModel) -> None:
    run_dir = trained(tmp_path / "run", model, epochs=2, eval_share=0.25)
    assert any(event["values"].get("eval_kl", 0) > 0 for event in events(run_dir, "metrics"))
